//! The table of functions of a call tree, and how sure their shares are.

mod interval;

use std::collections::HashMap;

pub use interval::{Interval, Z_95, wilson};

use crate::tree::{CallTree, Frame, NodeKind};
use crate::{FrameKind, StringId};

/// One function. Two frames are of one function if name, module and kind are equal; inlined or not is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    /// Path of the module, empty if it has none.
    pub module: String,
    pub kind: FrameKind,
    /// Value with the function as the leaf.
    pub self_value: u64,
    /// Value with the function anywhere in the stack; a stack in which it recurses counts once.
    pub total: u64,
}

/// All functions of a tree, largest self first, then total, then by name.
#[derive(Clone, Debug)]
pub struct FunctionTable {
    pub functions: Vec<Function>,
    /// The tree's total.
    pub total: u64,
    /// How many units of value one independent observation has; `None` if the value's unit does not tell.
    value_per_sample: Option<u64>,
}

impl FunctionTable {
    /// Number of samples in `value`; `None` if the unit does not tell.
    pub fn samples(&self, value: u64) -> Option<u64> {
        self.value_per_sample.map(|per_sample| value / per_sample)
    }

    /// 95 % confidence interval of the share that `value` has in the total; `None` if the number of samples is
    /// unknown or 0.
    pub fn share_interval(&self, value: u64) -> Option<Interval> {
        wilson(self.samples(value)?, self.samples(self.total)?, Z_95)
    }
}

/// The functions of `tree`. Groups and `[truncated: …]` are no functions.
pub fn functions(tree: &CallTree) -> FunctionTable {
    let ids = FunctionIds::new(tree);
    let totals = tree.totals();
    let mut self_values = vec![0_u64; ids.first_frame.len()];
    let mut sums = self_values.clone();
    let mut open_calls = vec![0_u32; ids.first_frame.len()];
    let mut path: Vec<(usize, Option<u32>)> = Vec::new();
    for (node, total) in totals.iter().enumerate() {
        while let Some((_, closed)) = path.pop_if(|(end, _)| *end <= node) {
            closed.inspect(|&id| open_calls[id as usize] -= 1);
        }
        let function = ids.of_frame[tree.node_frames()[node] as usize];
        path.push((tree.subtree_end(node), function));
        let Some(id) = function.map(|id| id as usize) else { continue };
        self_values[id] = self_values[id].saturating_add(tree.self_values()[node]);
        if open_calls[id] == 0 {
            sums[id] = sums[id].saturating_add(*total);
        }
        open_calls[id] += 1;
    }
    let row = |(id, frame): (usize, &Frame)| Function {
        name: tree.string(frame.name).to_owned(),
        module: tree.module_path(frame).to_owned(),
        kind: code_kind(frame.kind).unwrap_or_default(),
        self_value: self_values[id],
        total: sums[id],
    };
    let mut functions: Vec<_> = ids.first_frame.iter().enumerate().map(row).collect();
    functions.sort_by(|a, b| {
        let by_value = (b.self_value, b.total).cmp(&(a.self_value, a.total));
        by_value.then_with(|| (&a.name, &a.module, a.kind).cmp(&(&b.name, &b.module, b.kind)))
    });
    FunctionTable { functions, total: tree.total(), value_per_sample: value_per_sample(tree) }
}

fn value_per_sample(tree: &CallTree) -> Option<u64> {
    match tree.value_type.unit.as_str() {
        "count" => Some(1),
        "nanoseconds" if tree.period_ns > 0 => Some(tree.period_ns),
        _ => None,
    }
}

/// The kind of a frame that is a function.
pub(crate) fn code_kind(kind: NodeKind) -> Option<FrameKind> {
    match kind {
        NodeKind::Frame(FrameKind::Truncated) | NodeKind::Group => None,
        NodeKind::Frame(kind) => Some(kind),
    }
}

/// Which frames are of one function.
struct FunctionIds {
    of_frame: Vec<Option<u32>>,
    first_frame: Vec<Frame>,
}

impl FunctionIds {
    fn new(tree: &CallTree) -> Self {
        let mut known: HashMap<(StringId, &str, FrameKind), u32> = HashMap::new();
        let mut first_frame = Vec::new();
        let mut id_of = |frame: &Frame| {
            let kind = code_kind(frame.kind)?;
            let key = (frame.name, tree.module_path(frame), kind);
            Some(*known.entry(key).or_insert_with(|| {
                first_frame.push(*frame);
                first_frame.len() as u32 - 1
            }))
        };
        let of_frame = tree.frames().map(&mut id_of).collect();
        Self { of_frame, first_frame }
    }
}
