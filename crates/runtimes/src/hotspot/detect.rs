//! `HotSpot` in an image.

use std::sync::Arc;

use infrared_abi::ir_runtime_states;
use infrared_profile::FrameKind;

use super::{machine::Machine, tables::Tables};
use crate::{About, Attached, Found, ImageFacts, Mapped, Memory, Runtime};

const FIELDS: &str = "gHotSpotVMStructs";
const TYPES: &str = "gHotSpotVMTypes";

pub(crate) const SYMBOLS: &[&str] = &[FIELDS, TYPES];

/// Stated addresses of the pointers to its tables.
#[derive(Debug)]
struct HotSpot {
    fields: u64,
    types: u64,
}

pub(crate) fn detect(image: &ImageFacts<'_>) -> Option<Found> {
    let (fields, types) = (image.symbol(FIELDS)?.address, image.symbol(TYPES)?.address);
    Some(Arc::new(HotSpot { fields, types }))
}

impl Runtime for HotSpot {
    fn about(&self) -> About {
        About { name: "HotSpot".to_owned(), is_followed: self.is_attached() }
    }

    /// The machine's own code is native code.
    fn frame_kind(&self, _: u64) -> Option<FrameKind> {
        None
    }

    fn is_attached(&self) -> bool {
        cfg!(target_arch = "x86_64")
    }

    fn attach(&self, memory: &dyn Memory, mapped: Mapped) -> Option<Attached> {
        let at = |svma: u64| svma.wrapping_add(mapped.bias);
        let tables = Tables::read(memory, at(self.fields), at(self.types))?;
        Machine::read(memory, &tables).map(|machine| Attached::HotSpot(Arc::new(machine)))
    }

    fn state(&self, _: Mapped, _: &mut ir_runtime_states) {}
}
