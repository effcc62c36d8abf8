//! Colours by kind of frame, as on the page (`web/src/flamegraph/palette.ts`); the shade comes from the name, so that one
//! function looks the same in every picture.

use crate::FrameKind;
use crate::tree::{Flags, NodeKind};

const NATIVE: NodeKind = NodeKind::Frame(FrameKind::Native);

/// Names of the colours, each with a frame that has it.
pub(super) const LEGEND: [(&str, (NodeKind, Flags)); 11] = [
    ("native", (NATIVE, Flags(0))),
    ("inlined", (NATIVE, Flags::INLINED)),
    ("kernel", (NodeKind::Frame(FrameKind::Kernel), Flags(0))),
    ("Go", (NodeKind::Frame(FrameKind::Go), Flags(0))),
    ("JIT", (NodeKind::Frame(FrameKind::Jit), Flags(0))),
    ("Python", (NodeKind::Frame(FrameKind::Python), Flags(0))),
    ("Java", (NodeKind::Frame(FrameKind::Java), Flags(0))),
    ("JavaScript", (NodeKind::Frame(FrameKind::JavaScript), Flags(0))),
    ("runtime", (NodeKind::Frame(FrameKind::Runtime), Flags(0))),
    ("unnamed", (NATIVE, Flags::UNNAMED)),
    ("truncated", (NodeKind::Frame(FrameKind::Truncated), Flags(0))),
];

/// The fill of a frame.
pub(super) fn of(kind: NodeKind, flags: Flags, name: &str) -> String {
    let (hue, saturation, lightness) = base(kind, flags);
    let shade = fnv1a(name);
    let hue = hue + shade % 13;
    let lightness = lightness + (shade >> 8) % 9;
    format!("hsl({hue},{saturation}%,{lightness}%)")
}

/// Hue in degrees, saturation and lightness in per cent: the least of a frame's shades.
fn base(kind: NodeKind, flags: Flags) -> (u32, u32, u32) {
    match kind {
        NodeKind::Group => (222, 14, 82),
        NodeKind::Frame(FrameKind::Truncated) => (346, 72, 78),
        NodeKind::Frame(FrameKind::Event) => (312, 46, 78),
        NodeKind::Frame(_) if flags.contains(Flags::UNNAMED) => (30, 8, 74),
        NodeKind::Frame(FrameKind::Kernel) => (208, 60, 74),
        NodeKind::Frame(_) if flags.contains(Flags::INLINED) => (44, 88, 74),
        NodeKind::Frame(FrameKind::Go) => (180, 52, 67),
        NodeKind::Frame(FrameKind::Jit) => (122, 40, 70),
        NodeKind::Frame(FrameKind::Python) => (64, 58, 68),
        NodeKind::Frame(FrameKind::Java) => (304, 50, 82),
        NodeKind::Frame(FrameKind::JavaScript) => (154, 48, 70),
        NodeKind::Frame(FrameKind::Vdso) => (316, 48, 78),
        NodeKind::Frame(FrameKind::Runtime) => (256, 60, 79),
        NodeKind::Frame(FrameKind::Native) => (20, 90, 72),
    }
}

/// What the tooltip says about the kind; begins with a comma unless empty.
pub(super) fn words(kind: NodeKind, flags: Flags) -> String {
    let kind = match kind {
        NodeKind::Frame(FrameKind::Kernel) => "kernel",
        NodeKind::Frame(FrameKind::Go) => "Go",
        NodeKind::Frame(FrameKind::Jit) => "JIT",
        NodeKind::Frame(FrameKind::Python) => "Python",
        NodeKind::Frame(FrameKind::Java) => "Java",
        NodeKind::Frame(FrameKind::JavaScript) => "JavaScript",
        NodeKind::Frame(FrameKind::Vdso) => "vDSO",
        NodeKind::Frame(FrameKind::Runtime) => "runtime",
        _ => "",
    };
    let inlined = if flags.contains(Flags::INLINED) { "inlined" } else { "" };
    let guessed = if flags.contains(Flags::LOW_CONFIDENCE) { "low confidence" } else { "" };
    let words = [kind, inlined, guessed].into_iter().filter(|word| !word.is_empty());
    words.flat_map(|word| [", ", word]).collect()
}

/// The FNV-1a hash, 32 bits.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
