//! Identifiers: text with its length, parts of which are words of earlier identifiers; and what is made of them.

use std::rc::Rc;

use super::Reader;
use super::nodes::{Kind, Node};

const MAX_WORDS: usize = 26;
/// What letters in the name of an operator stand for, from `a` on.
const OPERATORS: &[u8; 26] = b"& @/= >    <*!|+?%-~   ^ .";

impl Reader<'_> {
    pub(super) fn identifier(&mut self) -> Option<()> {
        let mut has_words = false;
        let mut is_encoded = false;
        if self.eat(b'0') {
            is_encoded = self.eat(b'0');
            has_words = !is_encoded;
        }
        let mut text = String::new();
        loop {
            while has_words && self.peek().is_some_and(|b| b.is_ascii_alphabetic()) {
                let letter = self.next()?;
                // the last one is large
                has_words = letter.is_ascii_lowercase();
                let word = usize::from(letter.to_ascii_lowercase() - b'a');
                text.push_str(self.words.get(word)?);
            }
            if self.eat(b'0') {
                break;
            }
            self.literal_part(&mut text, is_encoded)?;
            if !has_words {
                break;
            }
        }
        let text = self.text(&text).filter(|text| !text.is_empty())?;
        self.push_substitution(Node::new(Kind::Identifier, text))
    }

    fn literal_part(&mut self, text: &mut String, is_encoded: bool) -> Option<()> {
        let len = self.natural().filter(|len| *len > 0)?;
        if is_encoded {
            self.eat(b'_');
        }
        let end = self.at.checked_add(len)?;
        let part = str::from_utf8(self.name.get(self.at..end)?).ok()?;
        self.at = end;
        if is_encoded {
            text.push_str(&unencoded(part)?);
            return Some(());
        }
        text.push_str(part);
        self.take_words(part);
        Some(())
    }

    /// Words begin with a letter, and end before a capital that follows none, or before `_`.
    fn take_words(&mut self, part: &str) {
        let bytes = part.as_bytes();
        let mut start = None;
        for at in 0..=bytes.len() {
            let next = bytes.get(at).copied().unwrap_or(b'_');
            let is_end = next == b'_'
                || at > 0 && next.is_ascii_uppercase() && !bytes[at - 1].is_ascii_uppercase();
            if let Some(from) = start.filter(|_| is_end) {
                if at - from >= 2 && self.words.len() < MAX_WORDS {
                    self.words.extend(part.get(from..at).map(Rc::from));
                }
                start = None;
            }
            if start.is_none() && next != b'_' && !next.is_ascii_digit() {
                start = Some(at);
            }
        }
    }

    /// `Identifier 'o' 'i' | 'p' | 'P'`
    pub(super) fn operator_name(&mut self) -> Option<()> {
        let name = self.pop(Kind::Identifier)?;
        let place = match self.next()? {
            b'i' => "infix",
            b'p' => "prefix",
            b'P' => "postfix",
            _ => return None,
        };
        let symbol = |c: char| match c {
            'a'..='z' => Some(char::from(OPERATORS[c as usize - 'a' as usize])),
            _ if c.is_ascii() => None,
            _ => Some(c),
        };
        let symbols: String = name.text.chars().map(symbol).collect::<Option<_>>()?;
        self.push_text(Kind::DeclaredName, &format!("{symbols} {place}"))
    }

    /// Names that are private to a file, local to a function, or related to another declaration.
    pub(super) fn discriminated_name(&mut self) -> Option<()> {
        if self.eat(b'L') {
            self.pop(Kind::Identifier)?;
        } else if self.eat(b'l') {
            self.pop(Kind::Identifier)?;
            return self.push_text(Kind::PrivateName, "");
        } else if self.peek().is_some_and(|b| matches!(b, b'a'..=b'j' | b'A'..=b'J')) {
            self.at += 1;
        } else {
            self.index()?;
        }
        let name = self.pop_name()?;
        self.push(Node { kind: Kind::DeclaredName, ..name })
    }
}

/// Punycode (RFC 3492) with letters for digits: `a` to `z` are 0 to 25, `A` to `J` 26 to 35, and `_` divides.
fn unencoded(text: &str) -> Option<String> {
    let (plain, deltas) = text.rsplit_once('_').unwrap_or(("", text));
    let mut out: Vec<char> = plain.chars().collect();
    let (mut code, mut at, mut bias) = (128u32, 0u32, 72u32);
    let mut digits = deltas.bytes();
    while digits.len() > 0 {
        let before = at;
        let (mut weight, mut k) = (1u32, 36u32);
        loop {
            let digit = match digits.next()? {
                letter @ b'a'..=b'z' => u32::from(letter - b'a'),
                letter @ b'A'..=b'J' => u32::from(letter - b'A') + 26,
                _ => return None,
            };
            at = at.checked_add(digit.checked_mul(weight)?)?;
            let threshold = k.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(36 - threshold)?;
            k += 36;
        }
        let count = out.len() as u32 + 1;
        bias = adapted(at - before, count, before == 0);
        code = code.checked_add(at / count)?;
        at %= count;
        // What Swift's identifiers cannot have is encoded here, too.
        let c = match code {
            0xd800..=0xd87f => char::from(u8::try_from(code - 0xd800).ok()?),
            _ => char::from_u32(code)?,
        };
        out.insert(at as usize, c);
        at += 1;
    }
    Some(out.into_iter().collect())
}

fn adapted(delta: u32, count: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}
