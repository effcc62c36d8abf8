use super::{MAGIC, VERSION, kind_byte, varint};
use crate::tree::CallTree;
use crate::{StringId, Strings};

/// The bytes of `tree`. Strings, frames and places are ordered by use, so that the frequent ones take one byte.
pub fn encode(tree: &CallTree) -> Vec<u8> {
    let frames = Order::of(&tree.node_frame, tree.frames.len());
    // Number 0 is no place, and stays where it is.
    let places = Order::of_some(&tree.node_place, tree.places.len());
    let strings = used_strings(tree, &frames, &places);
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
    varint::put(&mut out, strings.places.len() as u64);
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
    for (file, line) in &strings.places {
        varint::put(&mut out, text(*file));
        varint::put(&mut out, u64::from(*line));
    }
    put_nodes(tree, &frames, &places, &mut out);
    out
}

fn put_nodes(tree: &CallTree, frames: &Order, places: &Order, out: &mut Vec<u8>) {
    for (column, order) in [(&tree.node_frame, frames), (&tree.node_place, places)] {
        for &index in column {
            varint::put(out, u64::from(order.new[index as usize]));
        }
    }
    tree.node_self.iter().for_each(|&value| varint::put(out, value));
    for node in 0..tree.len() {
        varint::put(out, tree.children(node).count() as u64);
    }
}

/// Entries of a table by falling number of nodes.
struct Order {
    by_use: Vec<u32>,
    /// Old index to new one.
    new: Vec<u32>,
}

impl Order {
    fn of(column: &[u32], count: usize) -> Self {
        let uses = uses(column, count);
        let mut by_use: Vec<u32> = (0..count as u32).collect();
        by_use.sort_by_key(|&index| std::cmp::Reverse(uses[index as usize]));
        Self::new(by_use, count)
    }

    /// Of a column of indices plus 1: those that are used, behind 0.
    fn of_some(column: &[u32], count: usize) -> Self {
        let uses = uses(column, count + 1);
        let met = (1..=count as u32).filter(|&number| uses[number as usize] > 0);
        let mut by_use: Vec<u32> = std::iter::once(0).chain(met).collect();
        by_use[1..].sort_by_key(|&number| std::cmp::Reverse(uses[number as usize]));
        Self::new(by_use, count + 1)
    }

    fn new(by_use: Vec<u32>, count: usize) -> Self {
        let mut new = vec![0; count];
        for (place, &old) in (0..).zip(&by_use) {
            new[old as usize] = place;
        }
        Self { by_use, new }
    }
}

fn uses(column: &[u32], count: usize) -> Vec<u32> {
    let mut uses = vec![0_u32; count];
    for &index in column {
        uses[index as usize] += 1;
    }
    uses
}

/// The strings that the bytes refer to, each once.
struct UsedStrings {
    table: Strings,
    names: Vec<StringId>,
    modules: Vec<(StringId, StringId)>,
    places: Vec<(StringId, u32)>,
    kind: StringId,
    unit: StringId,
}

fn used_strings(tree: &CallTree, frames: &Order, places: &Order) -> UsedStrings {
    let mut table = Strings::default();
    let used = frames.by_use.iter().filter_map(|&index| tree.frame_at(index));
    let names = used.map(|frame| table.intern(tree.string(frame.name))).collect();
    let modules = tree
        .modules()
        .map(|m| (table.intern(tree.string(m.path)), table.intern(tree.string(m.build_id))))
        .collect();
    let used = places.by_use.iter().filter_map(|&number| tree.places.get(number.checked_sub(1)?));
    let places = used.map(|place| (table.intern(tree.string(place.file)), place.line)).collect();
    let kind = table.intern(&tree.value_type.kind);
    let unit = table.intern(&tree.value_type.unit);
    UsedStrings { table, names, modules, places, kind, unit }
}
