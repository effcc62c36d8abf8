//! What is on the stack.

use std::rc::Rc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Identifier,
    /// An identifier with what tells it from others: an operator, a private or a local name.
    DeclaredName,
    /// Of a declaration that has no other name, as a private initializer.
    PrivateName,
    Module,
    /// A type that has declarations in it.
    Nominal,
    /// Any other type.
    Type,
    Entity,
    GenericSignature,
    Requirement,
    EmptyList,
    FirstElement,
    Variadic,
    /// `async`, `throws` and the like, on a function type.
    Annotation,
}

/// The labels of parameters.
pub(super) type Labels = Rc<[Option<Rc<str>>]>;

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) text: Rc<str>,
    /// Of a tuple, its labels; there is one for each element.
    pub(super) tuple: Option<Labels>,
    /// Of a function type, the labels of its parameters.
    pub(super) function: Option<Labels>,
}

impl Node {
    pub(super) fn new(kind: Kind, text: Rc<str>) -> Self {
        Self { kind, text, tuple: None, function: None }
    }

    pub(super) fn is_type(&self) -> bool {
        matches!(self.kind, Kind::Type | Kind::Nominal)
    }
}
