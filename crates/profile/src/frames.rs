//! Locations as the frames a person sees: inlined code apart from what it was inlined into, and a name for everything.

use std::borrow::Cow;

use crate::{FrameKind, Line, Location, ModuleId, Profile, Stack, StringId};

/// One frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameView<'p> {
    /// Never empty: `module+0xaddress` if the location brings no name.
    pub name: Cow<'p, str>,
    pub kind: FrameKind,
    /// Inlined into the frame before it (root first).
    pub inlined: bool,
    pub unnamed: bool,
    pub low_confidence: bool,
    pub module: Option<ModuleId>,
    pub address: u64,
    /// All zero if the location has no lines.
    pub line: Line,
}

/// The frames of `location`, outermost first.
pub fn frames_of<'p>(
    profile: &'p Profile,
    location: &'p Location,
) -> impl Iterator<Item = FrameView<'p>> {
    let bare = location.lines.is_empty().then_some(Line::default());
    let lines = location.lines.iter().rev().copied().chain(bare);
    lines.enumerate().map(move |(depth, line)| {
        let nameless = line.function == StringId(0);
        FrameView {
            name: if nameless {
                Cow::Owned(address_name(profile, location))
            } else {
                Cow::Borrowed(profile.strings.get(line.function))
            },
            kind: location.kind,
            inlined: depth > 0,
            unnamed: location.unnamed || nameless,
            low_confidence: location.low_confidence,
            module: location.module,
            address: location.address,
            line,
        }
    })
}

/// The frames of `stack`, root first.
pub fn root_first<'p>(
    profile: &'p Profile,
    stack: &'p Stack,
) -> impl Iterator<Item = FrameView<'p>> {
    let locations = stack.iter().rev().filter_map(|&id| profile.location(id));
    locations.flat_map(|location| frames_of(profile, location))
}

/// The file's name without its folders; a bracketed pseudo name as it is.
pub fn file_name(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((_, name)) if !name.is_empty() && !path.starts_with('[') => name,
        _ => path,
    }
}

fn address_name(profile: &Profile, location: &Location) -> String {
    let module = location.module.and_then(|id| profile.module(id));
    let path = module.map_or("", |module| profile.strings.get(module.path));
    match file_name(path) {
        "" => format!("0x{:x}", location.address),
        name => format!("{name}+0x{:x}", location.address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, LocationId, ValueType};

    #[test]
    fn inlined_lines_become_frames_below_their_function() {
        let mut b = Builder::new(ValueType::cpu_samples(), 0, 1);
        let lines = vec![b.line("inner", "", "", 0), b.line("outer", "", "", 0)];
        b.location(Location { lines, ..Location::default() });
        let profile = b.finish(0);
        let stack = vec![LocationId(0)];
        let frames: Vec<_> =
            root_first(&profile, &stack).map(|f| (f.name.into_owned(), f.inlined)).collect();
        assert_eq!(frames, [("outer".to_owned(), false), ("inner".to_owned(), true)]);
    }

    #[test]
    fn a_location_without_a_name_is_called_by_its_module_and_address() {
        let cases =
            [("/usr/lib/libz.so.1", "libz.so.1+0x1f"), ("[vdso]", "[vdso]+0x1f"), ("", "0x1f")];
        for (path, name) in cases {
            let mut b = Builder::new(ValueType::cpu_samples(), 0, 1);
            let module = Some(b.module(path, ""));
            b.location(Location { module, address: 0x1f, ..Location::default() });
            let profile = b.finish(0);
            let location = profile.location(LocationId(0)).unwrap();
            let frame = frames_of(&profile, location).next().unwrap();
            assert_eq!((&*frame.name, frame.unnamed), (name, true));
        }
    }
}
