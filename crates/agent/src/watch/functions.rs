//! Functions of language runtimes in one address space. They are read while the process still has them: at the first sight of a
//! frame that runs one.

use std::{collections::HashMap, sync::Arc};

use infrared_bpf::abi::ir_frame;
use infrared_runtimes::{Named, Namer, is_named_by_position};

/// Bytes of the functions of one address space at most; after that, all of them are read again when they are seen.
const MAX_BYTES: usize = 4 << 20;
/// Bytes of the functions of all address spaces; after that, all of all are.
pub(crate) const MAX_BYTES_OF_ALL: usize = 32 << 20;
/// Functions that wait to be read; more are seen again in the next window.
const MAX_WANTED: usize = 1024;

/// A function as a frame names it. Frames of several runtimes differ in their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FunctionKey {
    pub(crate) kind: u32,
    /// Runtime address of what is run.
    pub(crate) code: u64,
    /// Against another at the same address.
    pub(crate) check: u32,
    /// Where in it; 0 where it is the same function everywhere.
    pub(crate) position: u32,
}

impl FunctionKey {
    /// `None` of a frame of native code.
    pub(crate) fn of(frame: &ir_frame) -> Option<Self> {
        let kind = frame.kind();
        let position = if is_named_by_position(kind) { frame.position } else { 0 };
        (kind != 0).then(|| Self { kind, code: frame.address(), check: frame.space, position })
    }
}

/// A function that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionWanted {
    pub(crate) key: FunctionKey,
    pub(crate) namer: Namer,
}

/// What is known of the functions of an address space.
#[derive(Clone, Debug, Default)]
pub(crate) struct Functions {
    /// `None`: it was asked for.
    known: HashMap<FunctionKey, Option<Arc<Named>>>,
    bytes: usize,
}

impl Functions {
    pub(crate) fn get(&self, key: FunctionKey) -> Option<&Named> {
        self.known.get(&key)?.as_deref()
    }

    /// Bytes of memory that they take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_known(&self, key: FunctionKey) -> bool {
        self.known.contains_key(&key)
    }

    /// Notes that a function is being asked for.
    pub(crate) fn await_answer(&mut self, key: FunctionKey) {
        if self.bytes > MAX_BYTES {
            *self = Self::default();
        }
        self.bytes += size_of::<(FunctionKey, Option<Arc<Named>>)>();
        self.known.insert(key, None);
    }

    pub(crate) fn add(&mut self, key: FunctionKey, function: Option<Named>) {
        if let Some(function) = function {
            self.bytes += function.bytes();
            self.known.insert(key, Some(Arc::new(function)));
        }
    }
}

/// Functions that are to be read of an address space.
#[derive(Clone, Debug, Default)]
pub(crate) struct WantedFunctions(Vec<FunctionWanted>);

impl WantedFunctions {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// false: there is no room.
    pub(crate) fn add(&mut self, wanted: FunctionWanted) -> bool {
        let has_room = self.0.len() < MAX_WANTED;
        if has_room {
            self.0.push(wanted);
        }
        has_room
    }

    pub(crate) fn take(&mut self) -> Vec<FunctionWanted> {
        std::mem::take(&mut self.0)
    }
}
