//! Content hashes: what is equal has the same 64-bit id in every window, partition and process.
//!
//! Invariant: these ids are on disk. A change of what is hashed is a new format version.

use infrared_profile::{FrameKind, Line, Module, Series, StringId, ValueType};
use xxhash_rust::xxh3::Xxh3;

use super::tables::Place;

/// Hash of a location's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LocationHash(pub(super) u64);

/// Hash of a stack: of its locations' hashes, leaf first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct StackHash(pub(super) u64);

/// Hash of labels, value type and period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SeriesHash(pub(super) u64);

/// What facts are kept by: who, what is counted, and what one count stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SeriesKey {
    pub(super) value_type: ValueType,
    pub(super) period_ns: u64,
    pub(super) labels: Series,
}

fn text(hasher: &mut Xxh3, value: &str) {
    hasher.update(&(value.len() as u64).to_le_bytes());
    hasher.update(value.as_bytes());
}

impl LocationHash {
    pub(super) fn of<'s>(
        place: &Place,
        lines: &[Line],
        module: Option<&Module>,
        string: impl Fn(StringId) -> &'s str,
    ) -> Self {
        let mut hasher = Xxh3::new();
        hasher.update(&[
            kind_code(place.kind),
            u8::from(place.low_confidence),
            u8::from(place.unnamed),
            u8::from(module.is_some()),
        ]);
        hasher.update(&place.address.to_le_bytes());
        if let Some(module) = module {
            text(&mut hasher, string(module.path));
            text(&mut hasher, string(module.build_id));
        }
        for line in lines {
            for id in [line.function, line.system_name, line.file] {
                text(&mut hasher, string(id));
            }
            hasher.update(&line.line.to_le_bytes());
        }
        Self(hasher.digest())
    }
}

impl StackHash {
    pub(super) fn of(locations: impl Iterator<Item = LocationHash>) -> Self {
        let mut hasher = Xxh3::new();
        for location in locations {
            hasher.update(&location.0.to_le_bytes());
        }
        Self(hasher.digest())
    }
}

impl SeriesHash {
    pub(super) fn of(value_type: &ValueType, period_ns: u64, labels: &Series) -> Self {
        let mut hasher = Xxh3::new();
        text(&mut hasher, &value_type.kind);
        text(&mut hasher, &value_type.unit);
        hasher.update(&period_ns.to_le_bytes());
        for (name, value) in labels {
            text(&mut hasher, name);
            text(&mut hasher, value);
        }
        Self(hasher.digest())
    }
}

/// The number of a kind on disk.
pub(super) fn kind_code(kind: FrameKind) -> u8 {
    match kind {
        FrameKind::Native => 0,
        FrameKind::Kernel => 1,
        FrameKind::Go => 2,
        FrameKind::Jit => 3,
        FrameKind::Vdso => 4,
        FrameKind::Runtime => 5,
        FrameKind::Truncated => 6,
        FrameKind::Event => 7,
        FrameKind::Python => 8,
        FrameKind::Java => 9,
        FrameKind::JavaScript => 10,
    }
}

/// A kind that this version does not know is native code.
pub(super) fn kind_of_code(code: u8) -> FrameKind {
    match code {
        1 => FrameKind::Kernel,
        2 => FrameKind::Go,
        3 => FrameKind::Jit,
        4 => FrameKind::Vdso,
        5 => FrameKind::Runtime,
        6 => FrameKind::Truncated,
        7 => FrameKind::Event,
        8 => FrameKind::Python,
        9 => FrameKind::Java,
        10 => FrameKind::JavaScript,
        _ => FrameKind::Native,
    }
}
