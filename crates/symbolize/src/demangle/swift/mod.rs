//! Swift names (`$s…`, `$S…`, `_T0…`): the qualified name and the labels of parameters, `module.Type.function(label:)`,
//! without types. A mangled name is a list of operators that take what they need from a stack, so types are read all the
//! same. Names with operators that are not known here stay as they are.
//!
//! Source: `docs/ABI/Mangling.rst` of Swift.

mod entities;
mod identifiers;
mod nodes;
mod operators;
mod standard;
mod thunks;
mod types;

use std::rc::Rc;

use super::MAX_OUTPUT;
use nodes::{Kind, Labels, Node};

/// Nodes made for one name: references repeat what they refer to.
const MAX_NODES: usize = 1 << 14;
/// Bytes of all the texts that are made for one name.
const MAX_TEXT: usize = 256 << 10;
const PREFIXES: [&str; 7] = ["$s", "_$s", "$S", "_$S", "$e", "_$e", "_T0"];

pub(super) fn is_mangled(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The name of a function or variable; `name` without a suffix.
pub(super) fn demangle(name: &str) -> Option<String> {
    let (prefix, rest) =
        PREFIXES.iter().find_map(|prefix| Some((*prefix, name.strip_prefix(prefix)?)))?;
    let mut reader = Reader {
        name: rest.as_bytes(),
        at: 0,
        labels_in_types: prefix == "_T0",
        stack: Vec::new(),
        substitutions: Vec::new(),
        words: Vec::new(),
        nodes_left: MAX_NODES,
        text_left: MAX_TEXT,
    };
    while reader.at < reader.name.len() {
        reader.operator()?;
    }
    let entity = reader.pop_if(|node| node.kind == Kind::Entity)?;
    reader.stack.is_empty().then(|| entity.text.to_string())
}

struct Reader<'a> {
    name: &'a [u8],
    at: usize,
    /// As before Swift 4.2: labels of parameters stand with their types and not with the function's name.
    labels_in_types: bool,
    stack: Vec<Node>,
    substitutions: Vec<Node>,
    /// Parts of identifiers, which later ones refer to.
    words: Vec<Rc<str>>,
    nodes_left: usize,
    text_left: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.name.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn natural(&mut self) -> Option<usize> {
        let rest = self.name.get(self.at..)?;
        let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let digits = str::from_utf8(&rest[..len]).ok()?;
        self.at += len;
        digits.parse().ok()
    }

    /// `_` is 0, `0_` is 1.
    fn index(&mut self) -> Option<usize> {
        if self.eat(b'_') {
            return Some(0);
        }
        let number = self.natural()?.checked_add(1)?;
        self.eat(b'_').then_some(number)
    }

    fn text(&mut self, text: &str) -> Option<Rc<str>> {
        self.text_left = self.text_left.checked_sub(text.len())?;
        (text.len() <= MAX_OUTPUT).then(|| Rc::from(text))
    }

    fn push(&mut self, node: Node) -> Option<()> {
        self.nodes_left = self.nodes_left.checked_sub(1)?;
        self.stack.push(node);
        Some(())
    }

    fn push_text(&mut self, kind: Kind, text: &str) -> Option<()> {
        let text = self.text(text)?;
        self.push(Node::new(kind, text))
    }

    /// A node that is referred to later.
    fn push_substitution(&mut self, node: Node) -> Option<()> {
        self.substitutions.push(node.clone());
        self.push(node)
    }

    fn pop_if(&mut self, is_wanted: impl Fn(&Node) -> bool) -> Option<Node> {
        self.stack.pop_if(|node| is_wanted(node))
    }

    fn pop(&mut self, kind: Kind) -> Option<Node> {
        self.pop_if(|node| node.kind == kind)
    }

    fn pop_type(&mut self) -> Option<Node> {
        self.pop_if(Node::is_type)
    }

    fn pop_name(&mut self) -> Option<Node> {
        self.pop_if(|node| matches!(node.kind, Kind::Identifier | Kind::DeclaredName))
    }

    /// A module, a nominal type, a function or whatever else declarations are in.
    fn pop_context(&mut self) -> Option<Node> {
        let is_context = |node: &Node| {
            matches!(node.kind, Kind::Identifier | Kind::Module | Kind::Nominal | Kind::Entity)
        };
        self.pop_if(is_context)
    }

    /// Repeats `pop` down to the marker of the first element; an empty list has another one.
    fn pop_list(&mut self, mut pop: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.pop(Kind::EmptyList).is_some() {
            return Some(());
        }
        loop {
            let is_first = self.pop(Kind::FirstElement).is_some();
            pop(self)?;
            if is_first {
                return Some(());
            }
        }
    }

    fn member(&mut self, context: &Node, name: &str) -> Option<Rc<str>> {
        self.text(&format!("{}.{name}", context.text))
    }

    fn labels(&mut self, of: &Node) -> Option<Labels> {
        if self.labels_in_types {
            return of.function.clone();
        }
        let is_unlabelled = self.pop(Kind::EmptyList).is_some();
        let function = of.function.as_ref()?;
        if is_unlabelled {
            return Some(function.iter().map(|_| None).collect());
        }
        let mut labels = Vec::with_capacity(function.len());
        for _ in 0..function.len() {
            let label = self.pop_if(|n| matches!(n.kind, Kind::Identifier | Kind::FirstElement))?;
            labels.push((label.kind == Kind::Identifier).then_some(label.text));
        }
        labels.reverse();
        Some(labels.into())
    }
}

#[cfg(test)]
mod tests;
