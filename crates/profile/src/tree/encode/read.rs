use super::{MAGIC, VERSION, kind_of, varint};
use crate::tree::{CallTree, Flags, Frame, Place};
use crate::{Interner, Module, ModuleId, StringId, Strings, ValueType};

/// Why bytes are no tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("not a tree: the magic number is missing")]
    Magic,
    #[error("tree version {0} is not supported")]
    Version(u64),
    #[error("the tree ends within its {0}")]
    Short(&'static str),
    #[error("the tree's {0} do not fit their tables")]
    Index(&'static str),
    #[error("the tree has the same {0} twice")]
    Duplicate(&'static str),
    #[error("a string of the tree is not UTF-8")]
    Utf8,
    #[error("the child counts of the tree's nodes are no single tree")]
    Shape,
    #[error("the tree's values do not add up to its total")]
    Total,
    #[error("bytes follow the end of the tree")]
    Trailing,
}

/// The tree that `bytes` hold. Memory stays within a small multiple of their length.
pub fn decode(bytes: &[u8]) -> Result<CallTree, DecodeError> {
    let mut input = bytes.strip_prefix(&MAGIC).ok_or(DecodeError::Magic)?;
    let input = &mut input;
    let version = number(input, "header")?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let counts = [count(input)?, count(input)?, count(input)?, count(input)?];
    let [node_count, frame_count, string_count, module_count] = counts;
    let (total, period_ns) = (number(input, "header")?, number(input, "header")?);
    let (kind, unit) = (number(input, "header")?, number(input, "header")?);
    let place_count = count(input)?;
    if counts.iter().chain([&place_count]).any(|&count| count > input.len()) {
        return Err(DecodeError::Short("header"));
    }
    let strings = take_strings(input, string_count)?;
    let text = |value: u64| index(value, strings.len(), "strings").map(StringId);
    let value_type = ValueType {
        kind: strings.get(text(kind)?).to_owned(),
        unit: strings.get(text(unit)?).to_owned(),
    };
    let modules = take_modules(input, module_count, &strings)?;
    let frames = take_frames(input, frame_count, &strings, &modules)?;
    let places = take_places(input, place_count, &strings)?;
    let node_frame = take_column(input, node_count, frames.len(), "frames")?;
    let node_place = take_column(input, node_count, places.len() + 1, "places")?;
    let mut node_self = Vec::with_capacity(node_count);
    let mut sum = 0_u64;
    for _ in 0..node_count {
        let value = number(input, "self values")?;
        sum = sum.checked_add(value).ok_or(DecodeError::Total)?;
        node_self.push(value);
    }
    let children = take_column(input, node_count, node_count, "child counts")?;
    let node_subtree = subtree_lens(&children)?;
    if !input.is_empty() {
        return Err(DecodeError::Trailing);
    }
    if sum != total {
        return Err(DecodeError::Total);
    }
    Ok(CallTree {
        value_type,
        period_ns,
        strings,
        modules,
        frames,
        places,
        node_frame,
        node_place,
        node_self,
        node_subtree,
    })
}

fn number(input: &mut &[u8], part: &'static str) -> Result<u64, DecodeError> {
    varint::take(input).ok_or(DecodeError::Short(part))
}

fn count(input: &mut &[u8]) -> Result<usize, DecodeError> {
    let count = number(input, "header")?;
    u32::try_from(count).map(|count| count as usize).map_err(|_| DecodeError::Short("header"))
}

fn index(value: u64, len: usize, what: &'static str) -> Result<u32, DecodeError> {
    u32::try_from(value).ok().filter(|&i| (i as usize) < len).ok_or(DecodeError::Index(what))
}

fn take_bytes<'b>(
    input: &mut &'b [u8],
    len: usize,
    part: &'static str,
) -> Result<&'b [u8], DecodeError> {
    let (bytes, rest) = input.split_at_checked(len).ok_or(DecodeError::Short(part))?;
    *input = rest;
    Ok(bytes)
}

fn take_strings(input: &mut &[u8], count: usize) -> Result<Strings, DecodeError> {
    let mut strings = Strings::default();
    for place in 0..count {
        let len = number(input, "strings")?;
        let len = usize::try_from(len).map_err(|_| DecodeError::Short("strings"))?;
        let bytes = take_bytes(input, len, "strings")?;
        let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::Utf8)?;
        if strings.intern(text).0 as usize != place {
            return Err(DecodeError::Duplicate("string"));
        }
    }
    Ok(strings)
}

fn take_modules(
    input: &mut &[u8],
    count: usize,
    strings: &Strings,
) -> Result<Interner<Module>, DecodeError> {
    let mut modules = Interner::default();
    for place in 0..count {
        let mut text = || {
            let value = number(input, "modules")?;
            index(value, strings.len(), "modules").map(StringId)
        };
        let module = Module { path: text()?, build_id: text()? };
        if modules.intern(module) as usize != place {
            return Err(DecodeError::Duplicate("module"));
        }
    }
    Ok(modules)
}

fn take_frames(
    input: &mut &[u8],
    count: usize,
    strings: &Strings,
    modules: &Interner<Module>,
) -> Result<Interner<Frame>, DecodeError> {
    let names = take_column(input, count, strings.len(), "names")?;
    let kinds = take_bytes(input, count, "frame kinds")?;
    let flags = take_bytes(input, count, "frame flags")?;
    let owners = take_column(input, count, modules.len() + 1, "frame modules")?;
    let mut frames = Interner::default();
    for (place, name) in names.into_iter().enumerate() {
        let frame = Frame {
            name: StringId(name),
            kind: kind_of(kinds[place]),
            flags: Flags(flags[place]),
            module: owners[place].checked_sub(1).map(ModuleId),
        };
        if frames.intern(frame) as usize != place {
            return Err(DecodeError::Duplicate("frame"));
        }
    }
    Ok(frames)
}

fn take_places(
    input: &mut &[u8],
    count: usize,
    strings: &Strings,
) -> Result<Interner<Place>, DecodeError> {
    let mut places = Interner::default();
    for number_of_place in 0..count {
        let file = StringId(index(number(input, "places")?, strings.len(), "places")?);
        let line = number(input, "places")?;
        let line = u32::try_from(line).map_err(|_| DecodeError::Index("places"))?;
        if places.intern(Place { file, line }) as usize != number_of_place {
            return Err(DecodeError::Duplicate("place"));
        }
    }
    Ok(places)
}

fn take_column(
    input: &mut &[u8],
    count: usize,
    below: usize,
    part: &'static str,
) -> Result<Vec<u32>, DecodeError> {
    let mut column = Vec::with_capacity(count);
    for _ in 0..count {
        column.push(index(number(input, part)?, below, part)?);
    }
    Ok(column)
}

/// Sizes of subtrees from child counts, last node first: a node takes the subtrees that were finished before it.
fn subtree_lens(children: &[u32]) -> Result<Vec<u32>, DecodeError> {
    let mut lens = vec![0; children.len()];
    let mut finished: Vec<u32> = Vec::new();
    for (node, &count) in children.iter().enumerate().rev() {
        let kept = finished.len().checked_sub(count as usize).ok_or(DecodeError::Shape)?;
        let len = 1 + finished.drain(kept..).sum::<u32>();
        lens[node] = len;
        finished.push(len);
    }
    if finished.len() == 1 { Ok(lens) } else { Err(DecodeError::Shape) }
}
