//! The call tree: what every picture of a profile is drawn from. Nodes in depth-first pre-order, in columns.
//!
//! It knows functions, not addresses or source lines: samples in different lines of a function are one node, which has the
//! place that most of them were at.
//! No step recurses, so that depth costs memory only.

mod build;
pub mod encode;
mod from_profile;
pub mod json;

pub(crate) use build::ROOT;
pub use build::{FrameRef, TreeBuilder};
pub use from_profile::TreeOptions;

use crate::{FrameKind, Interner, Module, ModuleId, StringId, Strings, ValueType};

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeKind {
    Frame(FrameKind),
    /// No code: the root, a service, a thread ...
    Group,
}

/// Properties of a frame, as a bit set; the bits are those of `docs/tree-format.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flags(pub u8);

impl Flags {
    /// Inlined into the parent node.
    pub const INLINED: Self = Self(1);
    /// The name has the form `module+0xoffset`.
    pub const UNNAMED: Self = Self(2);
    /// The unwinder guessed in some or all of the stacks.
    pub const LOW_CONFIDENCE: Self = Self(4);

    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A distinct frame of a tree; many nodes share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    pub name: StringId,
    pub kind: NodeKind,
    pub flags: Flags,
    pub module: Option<ModuleId>,
}

/// Where in the source a frame was: its own line, or that of the call to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Empty if only the line is known.
    pub file: StringId,
    /// From 1; 0 if unknown.
    pub line: u32,
}

/// A finished call tree. Node 0 is the root, a [`NodeKind::Group`] with the empty name.
#[derive(Clone, Debug)]
pub struct CallTree {
    pub value_type: ValueType,
    /// As [`crate::Profile::period_ns`].
    pub period_ns: u64,
    strings: Strings,
    modules: Interner<Module>,
    frames: Interner<Frame>,
    places: Interner<Place>,
    node_frame: Vec<u32>,
    /// Index into `places`, plus 1; 0 where none is known.
    node_place: Vec<u32>,
    node_self: Vec<u64>,
    node_subtree: Vec<u32>,
}

impl CallTree {
    /// Number of nodes, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a tree always has its root")]
    pub fn len(&self) -> usize {
        self.node_frame.len()
    }

    /// Sum of the values of all nodes.
    pub fn total(&self) -> u64 {
        self.node_self.iter().fold(0, |sum, &value| sum.saturating_add(value))
    }

    /// Per node: index of its frame, see [`CallTree::frame_at`].
    pub fn node_frames(&self) -> &[u32] {
        &self.node_frame
    }

    /// File and line at which most of a node's value was, that of its children included. `None`: not known.
    pub fn place(&self, node: usize) -> Option<(&str, u32)> {
        let index = self.node_place.get(node)?.checked_sub(1)?;
        let place = self.places.get(index)?;
        Some((self.strings.get(place.file), place.line))
    }

    /// Per node: value of the node itself, without its children.
    pub fn self_values(&self) -> &[u64] {
        &self.node_self
    }

    /// Per node: number of nodes in its subtree, itself included. The node after the subtree is `node + len`.
    pub fn subtree_lens(&self) -> &[u32] {
        &self.node_subtree
    }

    /// Per node: its value and that of all nodes below it.
    pub fn totals(&self) -> Vec<u64> {
        let mut totals = self.node_self.clone();
        for node in (0..self.len()).rev() {
            for child in self.children(node) {
                totals[node] = totals[node].saturating_add(totals[child]);
            }
        }
        totals
    }

    /// Per node: its distance from the root.
    pub fn depths(&self) -> Vec<u32> {
        let mut depths = vec![0; self.len()];
        let mut open_ends: Vec<usize> = Vec::new();
        for (node, depth) in depths.iter_mut().enumerate() {
            while open_ends.last().is_some_and(|&end| end <= node) {
                open_ends.pop();
            }
            *depth = open_ends.len() as u32;
            open_ends.push(self.subtree_end(node));
        }
        depths
    }

    /// Direct children of `node`, largest total first, equal totals by name.
    pub fn children(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.subtree_end(node);
        let first = (node + 1 < end).then_some(node + 1);
        std::iter::successors(first, move |&child| {
            let next = self.subtree_end(child);
            (next < end).then_some(next)
        })
    }

    /// The node after the last one below `node`.
    pub fn subtree_end(&self, node: usize) -> usize {
        node + self.node_subtree[node] as usize
    }

    /// Distinct frames, in the order of their indices.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = &Frame> {
        self.frames.iter()
    }

    pub fn frame_at(&self, index: u32) -> Option<&Frame> {
        self.frames.get(index)
    }

    /// The frame of `node`.
    pub fn frame(&self, node: usize) -> Frame {
        self.frames.get(self.node_frame[node]).copied().unwrap_or(ROOT_FRAME)
    }

    pub fn name(&self, node: usize) -> &str {
        self.strings.get(self.frame(node).name)
    }

    /// Text of a name in [`Frame`] or [`Module`].
    pub fn string(&self, id: StringId) -> &str {
        self.strings.get(id)
    }

    pub fn modules(&self) -> impl ExactSizeIterator<Item = &Module> {
        self.modules.iter()
    }

    /// Path of the module of `frame`, empty if it has none.
    pub fn module_path(&self, frame: &Frame) -> &str {
        let module = frame.module.and_then(|id| self.modules.get(id.0));
        module.map_or("", |module| self.strings.get(module.path))
    }

    /// Build id of the module of `frame`, empty if it has none.
    pub fn build_id(&self, frame: &Frame) -> &str {
        let module = frame.module.and_then(|id| self.modules.get(id.0));
        module.map_or("", |module| self.strings.get(module.build_id))
    }

    /// What one unit of value is in nanoseconds of time: the period for counts of samples, 1 for times; `None` else.
    pub fn nanoseconds_per_unit(&self) -> Option<u64> {
        nanoseconds_per_unit(&self.value_type, self.period_ns)
    }
}

pub(crate) fn nanoseconds_per_unit(value_type: &ValueType, period_ns: u64) -> Option<u64> {
    match value_type.unit.as_str() {
        "nanoseconds" => Some(1),
        "count" if period_ns > 0 => Some(period_ns),
        _ => None,
    }
}

const ROOT_FRAME: Frame =
    Frame { name: StringId(0), kind: NodeKind::Group, flags: Flags(0), module: None };
