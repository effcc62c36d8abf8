//! D names (`_D…`): the qualified name with the types of parameters, without the type of what is returned, as binutils
//! show it.
//!
//! Source: D's specification, "Application Binary Interface", section "Name Mangling".

mod types;
mod values;

use super::MAX_OUTPUT;

/// References and nesting.
const MAX_DEPTH: u32 = 64;
/// Names and types that are gone through: a reference repeats what it refers to.
const MAX_STEPS: u32 = 1 << 14;
/// Bytes written for one name, those written again in another place too.
const MAX_TEXT: usize = 256 << 10;

pub(super) fn is_mangled(name: &str) -> bool {
    let rest = name.strip_prefix("_D").map(str::as_bytes);
    rest.is_some_and(|rest| starts_a_name(rest) && !rest.starts_with(b"Q"))
}

/// The name of a function or variable; `name` without a suffix.
pub(super) fn demangle(name: &str) -> Option<String> {
    let mut reader = Reader {
        name: name.as_bytes(),
        at: 0,
        out: String::new(),
        depth: 0,
        steps: 0,
        text_left: MAX_TEXT,
        last_reference: name.len(),
    };
    reader.mangled_name()?;
    (reader.at == name.len()).then_some(reader.out)
}

/// A digit, a template, or a reference.
fn starts_a_name(rest: &[u8]) -> bool {
    let first = rest.first();
    first.is_some_and(|b| b.is_ascii_digit() || *b == b'Q')
        || rest.starts_with(b"__T")
        || rest.starts_with(b"__U")
}

/// What the compiler makes for a type or a module: the last name, and what is shown before the others.
const ARTIFICIAL: [(&str, &str); 5] = [
    ("__init", "initializer for "),
    ("__vtbl", "vtable for "),
    ("__Class", "ClassInfo for "),
    ("__Interface", "Interface for "),
    ("__ModuleInfo", "ModuleInfo for "),
];

/// Whether the qualifiers of `this` are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Qualifiers {
    Shown,
    Hidden,
}

struct Reader<'a> {
    name: &'a [u8],
    at: usize,
    out: String,
    depth: u32,
    steps: u32,
    text_left: usize,
    /// References lead backwards only, those within what is referred to farther still.
    last_reference: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &[u8] {
        self.name.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.name.get(self.at).copied()
    }

    fn eat(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text.as_bytes());
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    fn push(&mut self, text: &str) -> Option<()> {
        self.text_left = self.text_left.checked_sub(text.len())?;
        (self.out.len() + text.len() <= MAX_OUTPUT).then(|| self.out.push_str(text))
    }

    /// Runs a rule one level down.
    fn nested<T>(&mut self, rule: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.steps += 1;
        self.depth += 1;
        let may = self.depth <= MAX_DEPTH && self.steps <= MAX_STEPS;
        let done = may.then(|| rule(self)).flatten();
        self.depth -= 1;
        done
    }

    /// What a rule writes, for another place.
    fn aside(&mut self, rule: impl FnOnce(&mut Self) -> Option<()>) -> Option<String> {
        let before = std::mem::take(&mut self.out);
        let done = rule(self);
        let written = std::mem::replace(&mut self.out, before);
        done.map(|()| written)
    }

    fn digits(&mut self) -> Option<&str> {
        let len = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        let start = self.at;
        self.at += len;
        str::from_utf8(&self.name[start..start + len]).ok().filter(|digits| !digits.is_empty())
    }

    fn number(&mut self) -> Option<usize> {
        self.digits()?.parse().ok()
    }

    /// `_D QualifiedName Type`, or `Z` where there is no type.
    fn mangled_name(&mut self) -> Option<()> {
        let start = self.out.len();
        self.eat("_D").then_some(())?;
        self.qualified_name(Qualifiers::Shown)?;
        if !self.eat("Z") {
            return self.aside(Self::type_).map(drop);
        }
        let artificial = ARTIFICIAL.iter().find_map(|(last, shown)| {
            let owner = self.out[start..].strip_suffix(last)?.strip_suffix('.')?;
            Some(format!("{shown}{owner}"))
        });
        if let Some(shown) = artificial {
            self.out.truncate(start);
            self.push(&shown)?;
        }
        Some(())
    }

    /// Names with a dot between; those of functions with their parameters.
    fn qualified_name(&mut self, qualifiers: Qualifiers) -> Option<()> {
        let mut is_first = true;
        loop {
            if !is_first {
                self.push(".")?;
            }
            is_first = false;
            // `0` is an anonymous scope.
            while self.eat("0") {}
            self.nested(Self::symbol_name)?;
            self.parameters_of_a_part(qualifiers)?;
            if !self.is_at_name() {
                return Some(());
            }
        }
    }

    /// The parameters of a function that is a part of a qualified name, if what follows are such. A type in the place
    /// of a function's name looks the same up to its end.
    fn parameters_of_a_part(&mut self, qualifiers: Qualifiers) -> Option<()> {
        let (at, len) = (self.at, self.out.len());
        if !matches!(self.peek(), Some(b'M')) && !self.is_at_call_convention() {
            return Some(());
        }
        let mut of_this = String::new();
        if self.eat("M") {
            of_this = self.qualifiers_of_this();
        }
        let read = self.nested(|reader| reader.parameters(None));
        if read.is_none() || self.at == self.name.len() {
            self.at = at;
            self.out.truncate(len);
            return (self.steps <= MAX_STEPS).then_some(());
        }
        if qualifiers == Qualifiers::Shown { self.push(&of_this) } else { Some(()) }
    }

    fn is_at_name(&self) -> bool {
        let rest = self.rest();
        // Of references, those to a name and not to a type.
        starts_a_name(rest)
            && (rest[0] != b'Q' || self.referred().is_some_and(|at| self.name[at].is_ascii_digit()))
    }

    fn symbol_name(&mut self) -> Option<()> {
        if self.peek() == Some(b'Q') {
            let target = self.referred()?;
            self.skip_reference();
            let at = std::mem::replace(&mut self.at, target);
            let done = self.plain_name();
            self.at = at;
            return done;
        }
        if self.rest().starts_with(b"__T") || self.rest().starts_with(b"__U") {
            return self.template();
        }
        self.plain_name()
    }

    /// A name after its length; older compilers wrote templates so, too.
    fn plain_name(&mut self) -> Option<()> {
        let len = self.number()?;
        let end = self.at.checked_add(len).filter(|end| *end <= self.name.len())?;
        let bytes = &self.name[self.at..end];
        if bytes.starts_with(b"__T") || bytes.starts_with(b"__U") {
            self.template()?;
            return (self.at == end).then_some(());
        }
        let text = str::from_utf8(bytes).ok().filter(|text| !text.is_empty())?;
        self.at = end;
        // A number that tells apart functions of one name within a function.
        let number = text.strip_prefix("__S").filter(|rest| !rest.is_empty());
        if number.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit())) && self.is_at_name()
        {
            return self.nested(Self::symbol_name);
        }
        let shown = match text {
            "__ctor" => "this",
            "__dtor" => "~this",
            _ => text,
        };
        let shown = shown.to_owned();
        self.push(&shown)
    }

    /// `__T Name Arguments Z`
    fn template(&mut self) -> Option<()> {
        self.at += 3;
        self.nested(Self::symbol_name)?;
        self.push("!(")?;
        let mut is_first = true;
        while !self.eat("Z") {
            if !is_first {
                self.push(", ")?;
            }
            is_first = false;
            self.nested(Self::template_argument)?;
        }
        self.push(")")
    }

    fn template_argument(&mut self) -> Option<()> {
        // a parameter that is specialised
        self.eat("H");
        let kind = self.peek()?;
        self.at += 1;
        match kind {
            b'T' => self.type_(),
            b'V' => {
                let kind = self.kind_of_type()?;
                let name = self.aside(Self::type_)?;
                self.value(kind, &name)
            }
            b'S' if self.rest().starts_with(b"_D") => self.mangled_name(),
            b'S' => self.qualified_name(Qualifiers::Hidden),
            b'X' => {
                let len = self.number()?;
                let end = self.at.checked_add(len)?;
                let text = str::from_utf8(self.name.get(self.at..end)?).ok()?.to_owned();
                self.at = end;
                self.push(&text)
            }
            _ => None,
        }
    }

    /// Where the reference at this place leads: the distance is a number to the base of 26, whose last digit is small.
    fn referred(&self) -> Option<usize> {
        let mut distance = 0usize;
        for &digit in self.rest().get(1..)? {
            let (value, is_last) = match digit {
                b'A'..=b'Z' => (digit - b'A', false),
                b'a'..=b'z' => (digit - b'a', true),
                _ => return None,
            };
            distance = distance.checked_mul(26)?.checked_add(value.into())?;
            if is_last {
                return self.at.checked_sub(distance).filter(|_| distance > 0);
            }
        }
        None
    }

    fn skip_reference(&mut self) {
        let rest = self.rest();
        let upper = rest.iter().skip(1).take_while(|b| b.is_ascii_uppercase()).count();
        self.at += upper + 2;
    }
}

#[cfg(test)]
mod tests;
