//! Names as people say them: without packages, what templates are filled with, and arguments. Two functions can have the same one.
//!
//! `short_names.json` has examples; the page has the same rules (`web/src/model/short-names.ts`), tested with them.

use std::borrow::Cow;

use crate::{FrameKind, Interner, Location, LocationId, Profile, StackId, Strings};

const FILLED: &str = "<…>";
/// Types within types, of which a name has a few.
const MAX_DEPTH: usize = 8;
/// A method is told by its class, a function by its module.
const PARTS: usize = 2;

/// The short name of a function; the name itself where it is none of those that have a longer one than people say.
pub fn shorten(name: &str, kind: FrameKind) -> Cow<'_, str> {
    let short = match kind {
        FrameKind::Java => Some(java(name).to_owned()),
        FrameKind::Go => go(name),
        FrameKind::Native | FrameKind::Jit => native(name, PARTS, 0),
        _ => None,
    };
    short.filter(|short| !short.is_empty()).map_or(Cow::Borrowed(name), Cow::Owned)
}

/// Gives all functions of `profile` their short names. The linker's names stay.
pub fn shorten_all(profile: &mut Profile) {
    let Profile { locations, stacks, strings, .. } = profile;
    // What was told apart by its name alone is the same now.
    let mut short = Interner::default();
    let location_ids: Vec<LocationId> = std::mem::take(locations)
        .iter()
        .map(|location| LocationId(short.intern(shortened(location.clone(), strings))))
        .collect();
    *locations = short;
    let renumber = |id: &LocationId| location_ids.get(id.0 as usize).copied();
    let mut renumbered = Interner::default();
    let stack_ids: Vec<StackId> = std::mem::take(stacks)
        .iter()
        .map(|stack| StackId(renumbered.intern(stack.iter().filter_map(renumber).collect())))
        .collect();
    *stacks = renumbered;
    for sample in &mut profile.samples {
        if let Some(stack) = stack_ids.get(sample.stack.0 as usize) {
            sample.stack = *stack;
        }
    }
}

fn shortened(mut location: Location, strings: &mut Strings) -> Location {
    if location.unnamed {
        return location;
    }
    for line in &mut location.lines {
        let name = strings.get(line.function).to_owned();
        if let Cow::Owned(short) = shorten(&name, location.kind) {
            line.function = strings.intern(&short);
        }
    }
    location
}

/// Class and method.
fn java(name: &str) -> &str {
    let dots = name.rmatch_indices('.').map(|(at, _)| at);
    dots.into_iter().nth(PARTS - 1).map_or(name, |at| &name[at + 1..])
}

/// The package's last part and what is in it.
fn go(name: &str) -> Option<String> {
    let mut short = String::with_capacity(name.len());
    let mut depth = 0usize;
    for c in name.chars() {
        match c {
            '[' => depth += 1,
            ']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    short.push_str("[…]");
                }
            }
            '/' if depth == 0 => short.clear(),
            _ if depth == 0 => short.push(c),
            _ => {}
        }
    }
    (depth == 0).then_some(short)
}

/// The last parts of a name of C++ or Rust. `None` if its brackets do not match.
fn native(name: &str, most: usize, depth: usize) -> Option<String> {
    let mut parts = vec![String::new()];
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '<' | '(' | '[' | '{' => {
                let (inside, after) = bracketed(rest)?;
                add_bracketed(parts.last_mut()?, (c, inside), depth)?;
                if c == '(' { without_qualifiers(after) } else { after }
            }
            '>' | ')' | ']' | '}' => return None,
            // What stands before is the type that is returned.
            ' ' if depth == 0 && !rest.starts_with(" [") => {
                parts = vec![String::new()];
                &rest[1..]
            }
            _ => add_plain(&mut parts, rest)?,
        };
    }
    parts.retain(|part| !part.is_empty());
    // A closure is told by the function that it is in.
    let mut named = 0;
    let counted = parts.iter().rev().take_while(|part| {
        named += usize::from(!part.starts_with('{'));
        named <= most
    });
    let from = parts.len() - counted.count();
    Some(parts[from..].join("::"))
}

/// Adds what `rest` begins with. Returns what follows.
fn add_plain<'n>(parts: &mut Vec<String>, rest: &'n str) -> Option<&'n str> {
    if let Some(after) = rest.strip_prefix("::") {
        parts.push(String::new());
        return Some(after);
    }
    let part = parts.last_mut()?;
    if part.is_empty() && rest.starts_with("operator") {
        let (operator, after) = rest.split_at(operator_length(rest));
        part.push_str(operator.trim_end());
        return Some(after);
    }
    let c = rest.chars().next()?;
    part.push(c);
    Some(&rest[c.len_utf8()..])
}

/// Adds what stands for a pair of brackets and what is `inside`.
fn add_bracketed(part: &mut String, (open, inside): (char, &str), depth: usize) -> Option<()> {
    let shown: [&str; 3] = match open {
        '<' if part.is_empty() && depth < MAX_DEPTH => {
            part.push_str(&of_type(inside, depth + 1)?);
            return Some(());
        }
        '<' => [FILLED, "", ""],
        '[' => ["[", inside, "]"],
        // A lambda without what it takes.
        '{' if inside.starts_with("lambda(") => {
            ["{lambda", inside.rfind('#').map_or("", |at| &inside[at..]), "}"]
        }
        '{' => ["{", inside, "}"],
        _ => return Some(()),
    };
    part.extend(shown);
    Some(())
}

/// `<T as Trait>`, `<impl Trait for T>`: each type by its last part. Without brackets where there is but one.
fn of_type(inside: &str, depth: usize) -> Option<String> {
    let mut words = Vec::new();
    let mut rest = inside;
    while !rest.is_empty() {
        let mut end = 0;
        while end < rest.len() && !rest[end..].starts_with(' ') {
            end += match rest[end..].chars().next()? {
                '<' | '(' | '[' | '{' => rest.len() - end - bracketed(&rest[end..])?.1.len(),
                c => c.len_utf8(),
            };
        }
        words.push(native(&rest[..end], 1, depth)?);
        rest = rest[end..].trim_start();
    }
    Some(if words.len() == 1 { words.remove(0) } else { format!("<{}>", words.join(" ")) })
}

/// What is between the first bracket and the one that closes it, and what follows.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let mut open = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' | '[' | '{' => open.push(c),
            // An arrow closes nothing.
            '>' if text[..at].ends_with('-') => {}
            '>' | ')' | ']' | '}' => {
                let opened = open.pop()?;
                if !matches!((opened, c), ('<', '>') | ('(', ')') | ('[', ']') | ('{', '}')) {
                    return None;
                }
                if open.is_empty() {
                    return Some((&text[1..at], &text[at + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

/// `operator` and what it is: signs, a pair of brackets, or words.
fn operator_length(text: &str) -> usize {
    let sign = "operator".len();
    let rest = &text[sign..];
    let length = if rest.starts_with("()") || rest.starts_with("[]") {
        2
    } else if rest.starts_with(' ') {
        rest.find(['(', '<']).unwrap_or(rest.len())
    } else {
        let signs = rest.find(|c: char| !"<>=!+-*/%&|^~,".contains(c)).unwrap_or(rest.len());
        // A space parts the sign from what the template is filled with.
        signs + usize::from(signs > 0 && rest[signs..].starts_with(" <"))
    };
    sign + length
}

/// What stands behind arguments.
fn without_qualifiers(text: &str) -> &str {
    let mut rest = text;
    while let Some(after) =
        [" const", " volatile", " &&", " &", " noexcept"].iter().find_map(|q| rest.strip_prefix(q))
    {
        rest = after;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Line, Series, ValueType};

    #[test]
    fn names_are_shortened_as_in_the_examples() {
        let examples: Vec<[String; 3]> =
            serde_json::from_str(include_str!("short_names.json")).unwrap();
        for [kind, name, short] in examples {
            let kind = serde_json::from_value(kind.into()).unwrap();
            assert_eq!(shorten(&name, kind), short, "{name}");
        }
    }

    #[test]
    fn what_has_the_same_short_name_is_one_and_keeps_its_samples() {
        let mut builder = Builder::new(ValueType::cpu_samples(), 0, 1);
        let series = builder.series(Series::default());
        let names = [("com.shop.Cart.add", 3), ("org.mall.Cart.add", 4), ("a.b.so+0x1", 5)];
        for (name, value) in names {
            let function = builder.string(name);
            let line = Line { function, system_name: function, ..Line::default() };
            let location = builder.location(Location {
                kind: FrameKind::Java,
                lines: vec![line],
                unnamed: name.contains('+'),
                ..Location::default()
            });
            let stack = builder.stack(&[location]);
            builder.add(series, stack, value);
        }
        let mut profile = builder.finish(1);
        shorten_all(&mut profile);
        let mut folded = Vec::new();
        crate::folded::write(&profile, crate::folded::Unit::Samples, &[], &mut folded).unwrap();
        assert_eq!(
            String::from_utf8(folded).unwrap(),
            "unknown;Cart.add 7\nunknown;a.b.so+0x1 5\n"
        );
        let linked: Vec<_> = profile
            .locations
            .iter()
            .map(|location| profile.strings.get(location.lines[0].system_name))
            .collect();
        assert_eq!(linked, ["com.shop.Cart.add", "org.mall.Cart.add", "a.b.so+0x1"]);
    }

    #[test]
    fn any_text_has_a_name_in_reasonable_time() {
        let deep = ["<", "(", "{", "a::<", "<a as "].map(|piece| piece.repeat(3000));
        for name in deep {
            assert_eq!(shorten(&name, FrameKind::Native), name);
        }
        let closed = format!("{}{}::f", "<".repeat(3000), ">".repeat(3000));
        assert!(shorten(&closed, FrameKind::Native).ends_with("::f"));
        let many = "<a as b>::".repeat(1500);
        assert_eq!(shorten(&many, FrameKind::Native), "<a as b>::<a as b>");
    }
}
