//! Types, and the parameters of functions.

use super::{Qualifiers, Reader};

impl Reader<'_> {
    /// The first letter of the type at this place, through references.
    pub(super) fn kind_of_type(&self) -> Option<u8> {
        match self.peek()? {
            b'Q' => self.name.get(self.referred()?).copied(),
            kind => Some(kind),
        }
    }

    pub(super) fn is_at_call_convention(&self) -> bool {
        matches!(self.peek(), Some(b'F' | b'U' | b'V' | b'W' | b'R' | b'Y'))
    }

    pub(super) fn type_(&mut self) -> Option<()> {
        self.nested(Self::type_of_any_kind)
    }

    fn type_of_any_kind(&mut self) -> Option<()> {
        if self.is_at_call_convention() {
            return self.function_type();
        }
        let kind = self.peek()?;
        if kind == b'Q' {
            return self.type_reference(Self::type_);
        }
        self.at += 1;
        match kind {
            b'O' => self.within("shared("),
            b'x' => self.within("const("),
            b'y' => self.within("immutable("),
            b'N' => {
                let second = self.peek()?;
                self.at += 1;
                match second {
                    b'g' => self.within("inout("),
                    b'h' => self.within("__vector("),
                    b'n' => self.push("noreturn"),
                    _ => None,
                }
            }
            b'A' => {
                self.type_()?;
                self.push("[]")
            }
            b'G' => {
                let length = self.digits()?.to_owned();
                self.type_()?;
                self.push(&format!("[{length}]"))
            }
            b'H' => {
                let key = self.aside(Self::type_)?;
                self.type_()?;
                self.push(&format!("[{key}]"))
            }
            b'P' if self.is_at_call_convention() => {
                self.function_type()?;
                self.push("function")
            }
            b'P' => {
                self.type_()?;
                self.push("*")
            }
            b'C' | b'S' | b'E' | b'T' => self.qualified_name(Qualifiers::Hidden),
            b'D' => self.delegate(),
            b'B' => self.tuple(),
            b'z' => {
                let second = self.peek()?;
                self.at += 1;
                match second {
                    b'i' => self.push("cent"),
                    b'k' => self.push("ucent"),
                    _ => None,
                }
            }
            _ => self.push(basic(kind)?),
        }
    }

    fn within(&mut self, open: &str) -> Option<()> {
        self.push(open)?;
        self.type_()?;
        self.push(")")
    }

    fn tuple(&mut self) -> Option<()> {
        let count = self.number()?;
        self.push("tuple(")?;
        for index in 0..count {
            if index > 0 {
                self.push(", ")?;
            }
            self.type_()?;
        }
        self.push(")")
    }

    /// Reads with `rule` what a reference leads to.
    fn type_reference(&mut self, rule: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let here = self.at;
        let target = self.referred().filter(|_| here < self.last_reference)?;
        self.skip_reference();
        let after = std::mem::replace(&mut self.at, target);
        let last = std::mem::replace(&mut self.last_reference, here);
        let done = rule(self);
        (self.at, self.last_reference) = (after, last);
        done
    }

    fn delegate(&mut self) -> Option<()> {
        let of_this = self.qualifiers_of_this();
        if self.peek() == Some(b'Q') {
            self.type_reference(Self::function_type)?;
        } else {
            self.function_type()?;
        }
        self.push("delegate")?;
        self.push(&of_this)
    }

    /// `returned(parameters) attributes `
    fn function_type(&mut self) -> Option<()> {
        let convention = match self.peek()? {
            b'F' => "",
            b'U' => "extern(C) ",
            b'W' => "extern(Windows) ",
            b'V' => "extern(Pascal) ",
            b'R' => "extern(C++) ",
            b'Y' => "extern(Objective-C) ",
            _ => return None,
        };
        self.push(convention)?;
        let mut attributes = String::new();
        let parameters = self.aside(|reader| reader.parameters(Some(&mut attributes)))?;
        self.type_()?;
        self.push(&parameters)?;
        self.push(" ")?;
        self.push(&attributes)
    }

    /// `CallConvention Attributes Parameters`, of which the parameters are shown.
    pub(super) fn parameters(&mut self, attributes: Option<&mut String>) -> Option<()> {
        self.is_at_call_convention().then_some(())?;
        self.at += 1;
        let read = self.attributes()?;
        if let Some(attributes) = attributes {
            *attributes = read;
        }
        self.push("(")?;
        let mut is_first = true;
        loop {
            let between = if is_first { "" } else { ", " };
            match self.peek()? {
                b'X' => self.push("...")?,
                b'Y' => self.push(&format!("{between}..."))?,
                b'Z' => {}
                _ => {
                    self.push(between)?;
                    self.nested(Self::parameter)?;
                    is_first = false;
                    continue;
                }
            }
            self.at += 1;
            return self.push(")");
        }
    }

    fn attributes(&mut self) -> Option<String> {
        let mut shown = String::new();
        while self.peek() == Some(b'N') {
            let name = match self.name.get(self.at + 1)? {
                b'a' => "pure ",
                b'b' => "nothrow ",
                b'c' => "ref ",
                b'd' => "@property ",
                b'e' => "@trusted ",
                b'f' => "@safe ",
                b'i' => "@nogc ",
                b'j' => "return ",
                b'l' => "scope ",
                b'm' => "@live ",
                // of the first parameter
                b'g' | b'h' | b'k' | b'n' => break,
                _ => return None,
            };
            shown.push_str(name);
            self.at += 2;
        }
        Some(shown)
    }

    fn parameter(&mut self) -> Option<()> {
        // Compilers write these two in either order.
        while let Some((_, name)) =
            [("M", "scope "), ("Nk", "return ")].iter().find(|(letter, _)| self.eat(letter))
        {
            self.push(name)?;
        }
        let classes = [("I", "in "), ("J", "out "), ("K", "ref "), ("L", "lazy ")];
        for (letter, name) in classes {
            if self.eat(letter) {
                self.push(name)?;
            }
        }
        self.type_()
    }

    pub(super) fn qualifiers_of_this(&mut self) -> String {
        let mut shown = String::new();
        let names = [("x", " const"), ("y", " immutable"), ("O", " shared"), ("Ng", " inout")];
        while let Some((_, name)) = names.iter().find(|(letter, _)| self.eat(letter)) {
            shown.push_str(name);
        }
        shown
    }
}

fn basic(kind: u8) -> Option<&'static str> {
    Some(match kind {
        b'n' => "typeof(null)",
        b'v' => "void",
        b'g' => "byte",
        b'h' => "ubyte",
        b's' => "short",
        b't' => "ushort",
        b'i' => "int",
        b'k' => "uint",
        b'l' => "long",
        b'm' => "ulong",
        b'f' => "float",
        b'd' => "double",
        b'e' => "real",
        b'o' => "ifloat",
        b'p' => "idouble",
        b'j' => "ireal",
        b'q' => "cfloat",
        b'r' => "cdouble",
        b'c' => "creal",
        b'b' => "bool",
        b'a' => "char",
        b'u' => "wchar",
        b'w' => "dchar",
        _ => return None,
    })
}
