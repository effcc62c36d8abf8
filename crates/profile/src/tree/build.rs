//! Stacks to nodes: a trie that grows stack by stack and is sorted once.

use hashbrown::HashMap;

use super::{CallTree, Flags, Frame, NodeKind, Place, ROOT_FRAME};
use crate::{FrameKind, Interner, Module, ModuleId, Strings, ValueType};

/// A frame interned by a [`TreeBuilder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRef {
    /// Of the frame without [`Flags::LOW_CONFIDENCE`], which does not part nodes.
    index: u32,
    low_confidence: bool,
    /// Where it was, which does not part nodes either: index of a place, plus 1; 0 where that is not known.
    place: u32,
}

/// A node of the unsorted trie. Parents come before their children.
#[derive(Clone, Copy, Debug)]
struct Node {
    frame: FrameRef,
    parent: u32,
    value: u64,
}

/// A step of the stack added last, and what was added at its place since that was last another.
#[derive(Clone, Copy, Debug)]
struct Step {
    frame: u32,
    node: u32,
    place: u32,
    value: u64,
}

/// Value by node and place.
type Tally = HashMap<(u32, u32), u64>;

/// A call tree in the making, at most `max_nodes` large.
///
/// What does not fit any more is kept as one child of the root, `[truncated: tree limit]`: the total stays whole.
#[derive(Debug)]
pub struct TreeBuilder {
    value_type: ValueType,
    period_ns: u64,
    strings: Strings,
    modules: Interner<Module>,
    frames: Interner<Frame>,
    places: Interner<Place>,
    nodes: Vec<Node>,
    edges: HashMap<(u32, u32), u32>,
    /// The stack added last: neighbours share most of their path.
    path: Vec<Step>,
    tally: Tally,
    max_nodes: usize,
    overflow: u64,
}

pub(crate) const ROOT: u32 = 0;

impl TreeBuilder {
    /// `max_nodes` counts the root and is at least 2, at most `u32::MAX`.
    pub fn new(value_type: ValueType, period_ns: u64, max_nodes: usize) -> Self {
        let mut frames = Interner::default();
        let root = FrameRef { index: frames.intern(ROOT_FRAME), low_confidence: false, place: 0 };
        Self {
            value_type,
            period_ns,
            strings: Strings::default(),
            modules: Interner::default(),
            frames,
            places: Interner::default(),
            nodes: vec![Node { frame: root, parent: ROOT, value: 0 }],
            edges: HashMap::new(),
            path: Vec::new(),
            tally: Tally::new(),
            max_nodes: max_nodes.clamp(2, u32::MAX as usize),
            overflow: 0,
        }
    }

    /// Interns a frame. `module` is a path and a build id (which may be empty).
    pub fn frame(
        &mut self,
        name: &str,
        kind: NodeKind,
        flags: Flags,
        module: Option<(&str, &str)>,
    ) -> FrameRef {
        let module = module.map(|(path, build_id)| {
            let path = self.strings.intern(path);
            let build_id = self.strings.intern(build_id);
            ModuleId(self.modules.intern(Module { path, build_id }))
        });
        let name = self.strings.intern(name);
        let parting = Flags(flags.0 & !Flags::LOW_CONFIDENCE.0);
        FrameRef {
            index: self.frames.intern(Frame { name, kind, flags: parting, module }),
            low_confidence: flags.contains(Flags::LOW_CONFIDENCE),
            place: 0,
        }
    }

    /// `frame`, where it was at that line of that file; either may be unknown (empty, 0).
    pub fn at(&mut self, frame: FrameRef, file: &str, line: u32) -> FrameRef {
        if file.is_empty() && line == 0 {
            return FrameRef { place: 0, ..frame };
        }
        let file = self.strings.intern(file);
        FrameRef { place: self.places.intern(Place { file, line }) + 1, ..frame }
    }

    /// Interns the frame of a group.
    pub fn group(&mut self, name: &str) -> FrameRef {
        self.frame(name, NodeKind::Group, Flags::default(), None)
    }

    /// Adds `value` to the node at the end of a path. The empty path is the root.
    pub fn add(&mut self, root_first: &[FrameRef], value: u64) {
        let known = self.path.iter().zip(root_first);
        let shared = known.take_while(|(step, new)| step.frame == new.index).count();
        for step in self.path.drain(shared..) {
            count(&mut self.tally, step);
        }
        let mut node = ROOT;
        for (depth, frame) in root_first.iter().enumerate() {
            if let Some(step) = self.path.get_mut(depth) {
                node = step.node;
                if step.place != frame.place {
                    count(&mut self.tally, *step);
                    (step.place, step.value) = (frame.place, 0);
                }
                step.value = step.value.saturating_add(value);
                self.nodes[node as usize].frame.low_confidence |= frame.low_confidence;
                continue;
            }
            let Some(child) = self.child(node, *frame) else {
                self.overflow = self.overflow.saturating_add(value);
                return;
            };
            let FrameRef { index, place, .. } = *frame;
            self.path.push(Step { frame: index, node: child, place, value });
            node = child;
        }
        self.add_to(node, value);
    }

    /// The child of `parent` for `frame`, made if need be; `None` if the tree is full.
    pub(crate) fn child(&mut self, parent: u32, frame: FrameRef) -> Option<u32> {
        if let Some(&child) = self.edges.get(&(parent, frame.index)) {
            self.nodes[child as usize].frame.low_confidence |= frame.low_confidence;
            return Some(child);
        }
        // one place stays free for what overflows
        if self.nodes.len() + 1 >= self.max_nodes {
            return None;
        }
        let child = self.nodes.len() as u32;
        self.nodes.push(Node { frame, parent, value: 0 });
        self.edges.insert((parent, frame.index), child);
        Some(child)
    }

    pub(crate) fn add_to(&mut self, node: u32, value: u64) {
        let sum = &mut self.nodes[node as usize].value;
        *sum = sum.saturating_add(value);
    }

    pub(crate) fn add_overflow(&mut self, value: u64) {
        self.overflow = self.overflow.saturating_add(value);
    }

    /// Number of nodes so far, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a tree always has its root")]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Sorts the nodes and lays them out.
    pub fn finish(mut self) -> CallTree {
        if self.overflow > 0 {
            let (name, kind) = ("[truncated: tree limit]", NodeKind::Frame(FrameKind::Truncated));
            let frame = self.frame(name, kind, Flags::default(), None);
            self.nodes.push(Node { frame, parent: ROOT, value: self.overflow });
        }
        self.edges = HashMap::new();
        let places = self.places_of_nodes();
        let order = self.depth_first();
        let mut tree = CallTree {
            value_type: self.value_type,
            period_ns: self.period_ns,
            strings: self.strings,
            modules: self.modules,
            frames: Interner::default(),
            places: self.places,
            node_frame: Vec::with_capacity(order.len()),
            node_place: Vec::with_capacity(order.len()),
            node_self: Vec::with_capacity(order.len()),
            node_subtree: Vec::with_capacity(order.len()),
        };
        for (node, subtree) in order {
            let Node { frame, value, .. } = self.nodes[node as usize];
            let mut kept = self.frames.get(frame.index).copied().unwrap_or(ROOT_FRAME);
            if frame.low_confidence {
                kept.flags = kept.flags.with(Flags::LOW_CONFIDENCE);
            }
            tree.node_frame.push(tree.frames.intern(kept));
            tree.node_place.push(places[node as usize]);
            tree.node_self.push(value);
            tree.node_subtree.push(subtree);
        }
        tree
    }

    /// Per node: the place with the largest value; of equal ones the first that was met.
    fn places_of_nodes(&mut self) -> Vec<u32> {
        for step in self.path.drain(..) {
            count(&mut self.tally, step);
        }
        let mut best = vec![(0, 0); self.nodes.len()];
        for ((node, place), value) in std::mem::take(&mut self.tally) {
            let held = &mut best[node as usize];
            *held = (*held).max((value, u32::MAX - place));
        }
        best.into_iter()
            .map(|(value, place)| if value > 0 { u32::MAX - place } else { 0 })
            .collect()
    }

    /// Node and size of its subtree, in the order of the finished tree.
    fn depth_first(&self) -> Vec<(u32, u32)> {
        let mut totals: Vec<u64> = self.nodes.iter().map(|node| node.value).collect();
        let mut sizes = vec![1_u32; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate().skip(1).rev() {
            let parent = node.parent as usize;
            totals[parent] = totals[parent].saturating_add(totals[index]);
            sizes[parent] += sizes[index];
        }
        let rank = self.frame_ranks();
        let mut children: Vec<u32> = (1..self.nodes.len() as u32).collect();
        // by parent, then smallest first: the last one pushed is the first one visited
        children.sort_unstable_by_key(|&index| {
            let Node { frame, parent, .. } = self.nodes[index as usize];
            let name = std::cmp::Reverse(rank[frame.index as usize]);
            (parent, totals[index as usize], name)
        });
        let start_of = |parent: u32| {
            children.partition_point(|&child| self.nodes[child as usize].parent < parent)
        };
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut pending = vec![ROOT];
        while let Some(node) = pending.pop() {
            order.push((node, sizes[node as usize]));
            if sizes[node as usize] > 1 {
                let of_node = children[start_of(node)..].iter();
                pending.extend(
                    of_node.take_while(|&&child| self.nodes[child as usize].parent == node),
                );
            }
        }
        order
    }

    /// Per frame: its place by name, then by what tells frames of one name apart.
    fn frame_ranks(&self) -> Vec<u32> {
        let mut by_name: Vec<(u32, &Frame)> = (0..).zip(self.frames.iter()).collect();
        by_name.sort_by_key(|(_, frame)| {
            let module = frame.module.and_then(|id| self.modules.get(id.0));
            let path = module.map_or("", |module| self.strings.get(module.path));
            let build_id = module.map_or("", |module| self.strings.get(module.build_id));
            (self.strings.get(frame.name), frame.kind, frame.flags, path, build_id)
        });
        let mut ranks = vec![0; by_name.len()];
        for (rank, (index, _)) in (0..).zip(by_name) {
            ranks[index as usize] = rank;
        }
        ranks
    }
}

fn count(tally: &mut Tally, step: Step) {
    if step.place > 0 && step.value > 0 {
        let sum = tally.entry((step.node, step.place)).or_default();
        *sum = sum.saturating_add(step.value);
    }
}
