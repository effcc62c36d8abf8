//! Colours by kind of frame; the shade comes from the name, so that one function looks the same in every picture.

use crate::FrameKind;
use crate::tree::{Flags, NodeKind};

const NATIVE: NodeKind = NodeKind::Frame(FrameKind::Native);

/// Names of the colours, each with a frame that has it.
pub(super) const LEGEND: [(&str, (NodeKind, Flags)); 8] = [
    ("native", (NATIVE, Flags(0))),
    ("inlined", (NATIVE, Flags::INLINED)),
    ("kernel", (NodeKind::Frame(FrameKind::Kernel), Flags(0))),
    ("Go", (NodeKind::Frame(FrameKind::Go), Flags(0))),
    ("JIT", (NodeKind::Frame(FrameKind::Jit), Flags(0))),
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
        NodeKind::Group => (215, 18, 78),
        NodeKind::Frame(FrameKind::Truncated) => (0, 0, 55),
        NodeKind::Frame(FrameKind::Event) => (280, 40, 75),
        NodeKind::Frame(_) if flags.contains(Flags::UNNAMED) => (40, 8, 74),
        NodeKind::Frame(FrameKind::Kernel) => (8, 78, 66),
        NodeKind::Frame(_) if flags.contains(Flags::INLINED) => (48, 85, 78),
        NodeKind::Frame(FrameKind::Go) => (182, 55, 64),
        NodeKind::Frame(FrameKind::Jit) => (110, 45, 66),
        NodeKind::Frame(FrameKind::Vdso) => (330, 50, 76),
        NodeKind::Frame(FrameKind::Runtime) => (255, 45, 78),
        NodeKind::Frame(FrameKind::Native) => (30, 88, 66),
    }
}

/// What the tooltip says about the kind; begins with a comma unless empty.
pub(super) fn words(kind: NodeKind, flags: Flags) -> String {
    let kind = match kind {
        NodeKind::Frame(FrameKind::Kernel) => "kernel",
        NodeKind::Frame(FrameKind::Go) => "Go",
        NodeKind::Frame(FrameKind::Jit) => "JIT",
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
