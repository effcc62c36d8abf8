use super::{MAGIC, VERSION, kind_byte, varint};
use crate::tree::CallTree;
use crate::{StringId, Strings};

/// The bytes of `tree`. Strings and frames are ordered by use, so that the frequent ones take one byte.
pub fn encode(tree: &CallTree) -> Vec<u8> {
    let frames = FrameOrder::new(tree);
    let strings = used_strings(tree, &frames);
    let mut out = Vec::with_capacity(tree.len() * 5);
    out.extend(MAGIC);
    let counts = [tree.len(), frames.by_use.len(), strings.table.len(), tree.modules.len()];
    varint::put(&mut out, VERSION);
    for count in counts {
        varint::put(&mut out, count as u64);
    }
    let text = |id: StringId| u64::from(id.0);
    for value in [tree.total(), tree.period_ns, text(strings.kind), text(strings.unit)] {
        varint::put(&mut out, value);
    }
    for string in strings.table.iter() {
        varint::put(&mut out, string.len() as u64);
        out.extend_from_slice(string.as_bytes());
    }
    for (path, build_id) in &strings.modules {
        varint::put(&mut out, text(*path));
        varint::put(&mut out, text(*build_id));
    }
    strings.names.iter().for_each(|&name| varint::put(&mut out, text(name)));
    let used = || frames.by_use.iter().filter_map(|&index| tree.frame_at(index));
    out.extend(used().map(|frame| kind_byte(frame.kind)));
    out.extend(used().map(|frame| frame.flags.0));
    for frame in used() {
        varint::put(&mut out, frame.module.map_or(0, |id| u64::from(id.0) + 1));
    }
    put_nodes(tree, &frames, &mut out);
    out
}

fn put_nodes(tree: &CallTree, frames: &FrameOrder, out: &mut Vec<u8>) {
    for &frame in &tree.node_frame {
        varint::put(out, u64::from(frames.place[frame as usize]));
    }
    tree.node_self.iter().for_each(|&value| varint::put(out, value));
    for node in 0..tree.len() {
        varint::put(out, tree.children(node).count() as u64);
    }
}

/// Frames by falling number of nodes.
struct FrameOrder {
    by_use: Vec<u32>,
    /// Old index to place in `by_use`.
    place: Vec<u32>,
}

impl FrameOrder {
    fn new(tree: &CallTree) -> Self {
        let mut uses = vec![0_u32; tree.frames.len()];
        tree.node_frame.iter().for_each(|&frame| uses[frame as usize] += 1);
        let mut by_use: Vec<u32> = (0..uses.len() as u32).collect();
        by_use.sort_by_key(|&frame| std::cmp::Reverse(uses[frame as usize]));
        let mut place = vec![0; by_use.len()];
        for (new, &old) in (0..).zip(&by_use) {
            place[old as usize] = new;
        }
        Self { by_use, place }
    }
}

/// The strings that the bytes refer to, each once.
struct UsedStrings {
    table: Strings,
    names: Vec<StringId>,
    modules: Vec<(StringId, StringId)>,
    kind: StringId,
    unit: StringId,
}

fn used_strings(tree: &CallTree, frames: &FrameOrder) -> UsedStrings {
    let mut table = Strings::default();
    let used = frames.by_use.iter().filter_map(|&index| tree.frame_at(index));
    let names = used.map(|frame| table.intern(tree.string(frame.name))).collect();
    let modules = tree
        .modules()
        .map(|m| (table.intern(tree.string(m.path)), table.intern(tree.string(m.build_id))))
        .collect();
    let kind = table.intern(&tree.value_type.kind);
    let unit = table.intern(&tree.value_type.unit);
    UsedStrings { table, names, modules, kind, unit }
}
