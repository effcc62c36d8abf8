//! The columnar binary form of a [`CallTree`] for the browser, `IRT1`; `docs/tree-format.md` is its specification.

mod read;
mod varint;
mod write;

pub use read::{DecodeError, decode};
pub use write::encode;

pub(crate) const MAGIC: [u8; 4] = *b"IRT1";
pub(crate) const VERSION: u64 = 2;

use super::NodeKind;
use crate::FrameKind;

/// Kinds and their bytes; the place is the byte.
const FRAME_KINDS: [FrameKind; 11] = [
    FrameKind::Native,
    FrameKind::Kernel,
    FrameKind::Go,
    FrameKind::Jit,
    FrameKind::Vdso,
    FrameKind::Runtime,
    FrameKind::Truncated,
    FrameKind::Event,
    FrameKind::Python,
    FrameKind::Java,
    FrameKind::JavaScript,
];
const GROUP: u8 = 255;

fn kind_byte(kind: NodeKind) -> u8 {
    match kind {
        NodeKind::Group => GROUP,
        NodeKind::Frame(kind) => {
            FRAME_KINDS.iter().position(|&known| known == kind).unwrap_or_default() as u8
        }
    }
}

fn kind_of(byte: u8) -> NodeKind {
    match byte {
        GROUP => NodeKind::Group,
        byte => NodeKind::Frame(FRAME_KINDS.get(usize::from(byte)).copied().unwrap_or_default()),
    }
}
