//! Values that are arguments of templates.

use super::Reader;

impl Reader<'_> {
    /// A value of a type that begins with the letter `kind` and is called `name`.
    pub(super) fn value(&mut self, kind: u8, name: &str) -> Option<()> {
        let first = self.peek()?;
        if first.is_ascii_digit() {
            return self.integer(kind);
        }
        self.at += 1;
        match first {
            b'n' => self.push("null"),
            b'i' => self.integer(kind),
            b'N' => {
                self.push("-")?;
                self.integer(kind)
            }
            b'e' => self.real(),
            b'c' => {
                self.real()?;
                self.push("+")?;
                self.eat("c").then_some(())?;
                self.real()?;
                self.push("i")
            }
            b'a' | b'w' | b'd' => self.string(first),
            b'A' => self.values(("[", "]"), if kind == b'H' { Some(":") } else { None }),
            b'S' => self.values((&format!("{name}("), ")"), None),
            b'f' => self.mangled_name(),
            _ => None,
        }
    }

    /// As many values as the number before them says, or pairs of them.
    fn values(&mut self, (open, close): (&str, &str), pair: Option<&str>) -> Option<()> {
        let count = self.number()?;
        self.push(open)?;
        for index in 0..count {
            if index > 0 {
                self.push(", ")?;
            }
            self.nested(|reader| reader.value(0, ""))?;
            if let Some(between) = pair {
                self.push(between)?;
                self.nested(|reader| reader.value(0, ""))?;
            }
        }
        self.push(close)
    }

    fn integer(&mut self, kind: u8) -> Option<()> {
        let digits = self.digits()?.to_owned();
        let shown = match kind {
            b'a' | b'u' | b'w' => character(kind, digits.parse().ok()?),
            b'b' => (if digits == "0" { "false" } else { "true" }).to_owned(),
            b'h' | b't' | b'k' => format!("{digits}u"),
            b'l' => format!("{digits}L"),
            b'm' => format!("{digits}uL"),
            _ => digits,
        };
        self.push(&shown)
    }

    /// Hexadecimal digits and an exponent: `N` is minus.
    fn real(&mut self) -> Option<()> {
        for (mangled, shown) in [("NAN", "NaN"), ("INF", "Inf"), ("NINF", "-Inf")] {
            if self.eat(mangled) {
                return self.push(shown);
            }
        }
        if self.eat("N") {
            self.push("-")?;
        }
        let digits = self.rest().iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let text = str::from_utf8(&self.name[self.at..self.at + digits]).ok()?.to_owned();
        self.at += digits;
        let (integer, fraction) = text.split_at_checked(1)?;
        self.push(&format!("0x{integer}.{fraction}p"))?;
        self.eat("P").then_some(())?;
        if self.eat("N") {
            self.push("-")?;
        }
        let exponent = self.digits()?.to_owned();
        self.push(&exponent)
    }

    /// The number of characters, `_`, and two hexadecimal digits for each byte.
    fn string(&mut self, kind: u8) -> Option<()> {
        let len = self.number()?;
        self.eat("_").then_some(())?;
        self.push("\"")?;
        for _ in 0..len {
            let digits = self.name.get(self.at..self.at.checked_add(2)?)?;
            let byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
            self.at += 2;
            let shown = match byte {
                b'\t' => "\\t".to_owned(),
                b'\n' => "\\n".to_owned(),
                b'\r' => "\\r".to_owned(),
                0x0c => "\\f".to_owned(),
                0x0b => "\\v".to_owned(),
                b' '..=b'~' => char::from(byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            };
            self.push(&shown)?;
        }
        self.push("\"")?;
        if kind == b'a' { Some(()) } else { self.push(&char::from(kind).to_string()) }
    }
}

fn character(kind: u8, value: u32) -> String {
    match (kind, u8::try_from(value)) {
        (b'a', Ok(byte @ b' '..=b'~')) => format!("'{}'", char::from(byte)),
        (b'a', _) => format!("'\\x{value:02x}'"),
        (b'u', _) => format!("'\\u{value:04x}'"),
        _ => format!("'\\U{value:08x}'"),
    }
}
