//! One function in the middle: who calls it, and what it calls.
//!
//! A stack in which the function recurses counts once, at its outermost call; the inner calls are among the callees.

use crate::FrameKind;
use crate::functions::code_kind;
use crate::tree::{CallTree, Frame, FrameRef, TreeBuilder};

/// Which function is meant. What is `None` matches all.
#[derive(Clone, Copy, Debug)]
pub struct FunctionQuery<'q> {
    pub name: &'q str,
    /// Path of the module.
    pub module: Option<&'q str>,
    pub kind: Option<FrameKind>,
}

/// The two trees around a function. Both have it as the only child of their root, with the same total.
#[derive(Clone, Debug)]
pub struct CallersCallees {
    /// Upside down: a child is a caller of its parent. Groups of the tree come last.
    pub callers: CallTree,
    pub callees: CallTree,
    /// Value with the function as the leaf.
    pub self_value: u64,
    /// Value with the function anywhere in the stack.
    pub total: u64,
}

/// The callers and callees of a function; `None` if the tree lacks it. Each tree has at most `max_nodes` nodes.
pub fn callers_callees(
    tree: &CallTree,
    query: FunctionQuery<'_>,
    max_nodes: usize,
) -> Option<CallersCallees> {
    let wanted: Vec<bool> = tree.frames().map(|frame| matches(tree, frame, query)).collect();
    let totals = tree.totals();
    let mut upward = Side::new(tree, max_nodes);
    let mut downward = Side::new(tree, max_nodes);
    let mut found = CallersCalleesSums::default();
    let mut path: Vec<(usize, u32)> = Vec::new();
    let mut node = 0;
    while node < tree.len() {
        while path.pop_if(|(end, _)| *end <= node).is_some() {}
        let frame = tree.node_frames()[node];
        path.push((tree.subtree_end(node), frame));
        if !wanted[frame as usize] {
            node += 1;
            continue;
        }
        // the root is a group without a name: no caller
        let stack: Vec<_> =
            path.iter().skip(1).rev().map(|&(_, frame)| upward.frame(tree, frame)).collect();
        upward.builder.add(&stack, totals[node]);
        downward.add_subtree(tree, node);
        found.total = found.total.saturating_add(totals[node]);
        found.self_value = found.self_value.saturating_add(self_within(tree, node, &wanted));
        found.calls += 1;
        node = tree.subtree_end(node);
    }
    (found.calls > 0).then(|| CallersCallees {
        callers: upward.builder.finish(),
        callees: downward.builder.finish(),
        self_value: found.self_value,
        total: found.total,
    })
}

#[derive(Default)]
struct CallersCalleesSums {
    calls: u64,
    self_value: u64,
    total: u64,
}

fn matches(tree: &CallTree, frame: &Frame, query: FunctionQuery<'_>) -> bool {
    let Some(kind) = code_kind(frame.kind) else { return false };
    tree.string(frame.name) == query.name
        && query.module.is_none_or(|module| tree.module_path(frame) == module)
        && query.kind.is_none_or(|wanted| wanted == kind)
}

fn self_within(tree: &CallTree, node: usize, wanted: &[bool]) -> u64 {
    let inside = node..tree.subtree_end(node);
    let own = inside.filter(|&node| wanted[tree.node_frames()[node] as usize]);
    own.fold(0, |sum, node| sum.saturating_add(tree.self_values()[node]))
}

/// One of the two trees in the making.
struct Side {
    builder: TreeBuilder,
    /// Frames of the source tree that were met.
    frames: Vec<Option<FrameRef>>,
}

impl Side {
    fn new(tree: &CallTree, max_nodes: usize) -> Self {
        let builder = TreeBuilder::new(tree.value_type.clone(), tree.period_ns, max_nodes);
        Self { builder, frames: vec![None; tree.frames().len()] }
    }

    fn frame(&mut self, tree: &CallTree, index: u32) -> FrameRef {
        let builder = &mut self.builder;
        *self.frames[index as usize].get_or_insert_with(|| {
            let frame = tree.frame_at(index).copied().unwrap_or_else(|| tree.frame(0));
            let module = frame.module.map(|_| (tree.module_path(&frame), tree.build_id(&frame)));
            builder.frame(tree.string(frame.name), frame.kind, frame.flags, module)
        })
    }

    fn add_subtree(&mut self, tree: &CallTree, top: usize) {
        let mut path: Vec<(usize, u32)> = vec![(usize::MAX, crate::tree::ROOT)];
        let mut node = top;
        while node < tree.subtree_end(top) {
            while path.pop_if(|(end, _)| *end <= node).is_some() {}
            let parent = path.last().map_or(crate::tree::ROOT, |&(_, parent)| parent);
            let frame = self.frame(tree, tree.node_frames()[node]);
            let end = tree.subtree_end(node);
            if let Some(copy) = self.builder.child(parent, frame) {
                self.builder.add_to(copy, tree.self_values()[node]);
                path.push((end, copy));
                node += 1;
            } else {
                let lost = tree.self_values()[node..end].iter();
                self.builder.add_overflow(lost.fold(0, |sum, v| sum.saturating_add(*v)));
                node = end;
            }
        }
    }
}
