//! Kinds of frames on the wire.
//!
//! `profile.frame.type` has the well-known value (OpenTelemetry semantic conventions 1.38, registry `profile`); what it cannot
//! say is in an attribute of our own, which wins on reading.

use infrared_profile::FrameKind;

/// Location attribute of the semantic conventions.
pub(crate) const FRAME_TYPE: &str = "profile.frame.type";
/// Location attribute of our own: the kinds that the conventions lack.
pub(crate) const OWN_KIND: &str = "infrared.frame.kind";
/// Location attribute of our own, boolean.
pub(crate) const LOW_CONFIDENCE: &str = "infrared.frame.low_confidence";
/// Location attribute of our own, boolean.
pub(crate) const UNNAMED: &str = "infrared.frame.unnamed";

/// The values of [`FRAME_TYPE`] and [`OWN_KIND`] for a kind.
pub(crate) fn written(kind: FrameKind) -> (Option<&'static str>, Option<&'static str>) {
    match kind {
        FrameKind::Native => (Some("native"), None),
        FrameKind::Kernel => (Some("kernel"), None),
        FrameKind::Go => (Some("go"), None),
        FrameKind::Python => (Some("cpython"), None),
        FrameKind::Java => (Some("jvm"), None),
        FrameKind::JavaScript => (Some("v8js"), None),
        FrameKind::Jit => (Some("native"), Some("jit")),
        FrameKind::Vdso => (Some("native"), Some("vdso")),
        FrameKind::Runtime => (Some("native"), Some("runtime")),
        FrameKind::Truncated => (None, Some("truncated")),
        FrameKind::Event => (None, Some("event")),
    }
}

/// The kind for a value of [`OWN_KIND`].
pub(crate) fn own(value: &str) -> Option<FrameKind> {
    Some(match value {
        "jit" => FrameKind::Jit,
        "vdso" => FrameKind::Vdso,
        "runtime" => FrameKind::Runtime,
        "truncated" => FrameKind::Truncated,
        "event" => FrameKind::Event,
        _ => return None,
    })
}

/// The kind for a value of [`FRAME_TYPE`] by any sender. Most managed languages have no kind of their own yet: their code is
/// compiled at run time or interpreted, in either case without a file behind it.
pub(crate) fn conventional(value: &str) -> FrameKind {
    match value {
        "kernel" => FrameKind::Kernel,
        "go" => FrameKind::Go,
        "abort-marker" => FrameKind::Truncated,
        "cpython" => FrameKind::Python,
        "jvm" => FrameKind::Java,
        "v8js" => FrameKind::JavaScript,
        "beam" | "dotnet" | "luajit" | "perl" | "php" | "phpjit" | "ruby" => FrameKind::Jit,
        _ => FrameKind::Native,
    }
}
