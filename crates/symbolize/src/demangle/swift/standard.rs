//! Types of the standard library that have a letter, and references to what went before.

use super::Reader;
use super::nodes::{Kind, Node};

/// A number before a letter repeats what it stands for.
const MAX_REPEATED: usize = 2048;

impl Reader<'_> {
    /// `'A'`: references by letter, of which the last is large, each repeated as often as a number before it says.
    pub(super) fn references(&mut self) -> Option<()> {
        let mut count: Option<usize> = None;
        loop {
            let next = self.next()?;
            if next == b'_' {
                let node = self.substitutions.get(count?.checked_add(27)?)?.clone();
                return self.push(node);
            }
            if next.is_ascii_digit() {
                self.at -= 1;
                count = Some(self.natural()?);
                continue;
            }
            if !next.is_ascii_alphabetic() {
                return None;
            }
            let node = self.substitutions.get(usize::from(next.to_ascii_lowercase() - b'a'))?;
            let node = node.clone();
            self.repeat(&node, count.take())?;
            if next.is_ascii_uppercase() {
                return Some(());
            }
        }
    }

    /// `'S'`
    pub(super) fn standard(&mut self) -> Option<()> {
        if self.eat(b'o') {
            return self.push_text(Kind::Module, "__C");
        }
        if self.eat(b'C') {
            return self.push_text(Kind::Module, "__C_Synthesized");
        }
        if self.eat(b'g') {
            self.pop_type()?;
            let optional = self.text("Swift.Optional")?;
            return self.push_substitution(Node::new(Kind::Type, optional));
        }
        let count = match self.peek()? {
            b'0'..=b'9' => Some(self.natural()?),
            _ => None,
        };
        let name = if self.eat(b'c') { concurrent(self.next()?) } else { plain(self.next()?) };
        let text = self.text(&format!("Swift.{}", name?))?;
        self.repeat(&Node::new(Kind::Nominal, text), count)
    }

    fn repeat(&mut self, node: &Node, count: Option<usize>) -> Option<()> {
        let count = count.unwrap_or(1).max(1);
        if count > MAX_REPEATED {
            return None;
        }
        (0..count).try_for_each(|_| self.push(node.clone()))
    }
}

fn plain(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'A' => "AutoreleasingUnsafeMutablePointer",
        b'a' => "Array",
        b'B' => "BinaryFloatingPoint",
        b'b' => "Bool",
        b'D' => "Dictionary",
        b'd' => "Double",
        b'E' => "Encodable",
        b'e' => "Decodable",
        b'F' => "FloatingPoint",
        b'f' => "Float",
        b'G' => "RandomNumberGenerator",
        b'H' => "Hashable",
        b'h' => "Set",
        b'I' => "DefaultIndices",
        b'i' => "Int",
        b'J' => "Character",
        b'j' => "Numeric",
        b'K' => "BidirectionalCollection",
        b'k' => "RandomAccessCollection",
        b'L' => "Comparable",
        b'l' => "Collection",
        b'M' => "MutableCollection",
        b'm' => "RangeReplaceableCollection",
        b'N' => "ClosedRange",
        b'n' => "Range",
        b'O' => "ObjectIdentifier",
        b'P' => "UnsafePointer",
        b'p' => "UnsafeMutablePointer",
        b'Q' => "Equatable",
        b'q' => "Optional",
        b'R' => "UnsafeBufferPointer",
        b'r' => "UnsafeMutableBufferPointer",
        b'S' => "String",
        b's' => "Substring",
        b'T' => "Sequence",
        b't' => "IteratorProtocol",
        b'U' => "UnsignedInteger",
        b'u' => "UInt",
        b'V' => "UnsafeRawPointer",
        b'v' => "UnsafeMutableRawPointer",
        b'W' => "UnsafeRawBufferPointer",
        b'w' => "UnsafeMutableRawBufferPointer",
        b'X' => "RangeExpression",
        b'x' => "Strideable",
        b'Y' => "RawRepresentable",
        b'y' => "StringProtocol",
        b'Z' => "SignedInteger",
        b'z' => "BinaryInteger",
        _ => return None,
    })
}

fn concurrent(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'A' => "Actor",
        b'C' => "CheckedContinuation",
        b'c' => "UnsafeContinuation",
        b'E' => "CancellationError",
        b'e' => "UnownedSerialExecutor",
        b'F' => "Executor",
        b'f' => "SerialExecutor",
        b'G' => "TaskGroup",
        b'g' => "ThrowingTaskGroup",
        b'I' => "AsyncIteratorProtocol",
        b'i' => "AsyncSequence",
        b'J' => "UnownedJob",
        b'M' => "MainActor",
        b'P' => "TaskPriority",
        b'S' => "AsyncStream",
        b's' => "AsyncThrowingStream",
        b'T' => "Task",
        b't' => "UnsafeCurrentTask",
        _ => return None,
    })
}
