//! Types: what they take from the stack. Of nominal types the name matters, of functions and tuples the labels.

use std::rc::Rc;

use super::Reader;
use super::nodes::{Kind, Node};

impl Reader<'_> {
    /// Takes the place of what was popped.
    fn push_type(&mut self) -> Option<()> {
        self.push_text(Kind::Type, "_")
    }

    fn retype(&mut self) -> Option<()> {
        self.pop_type()?;
        self.push_type()
    }

    pub(super) fn builtin(&mut self) -> Option<()> {
        match self.next()? {
            b'f' | b'i' => drop(self.index()?),
            b'v' => {
                self.index()?;
                self.pop_type()?;
            }
            b'V' => {
                self.pop_type()?;
                self.pop_type()?;
            }
            b'A' | b'b' | b'B' | b'c' | b'D' | b'd' | b'e' | b'I' | b'j' | b'O' | b'o' | b'P'
            | b'p' | b't' | b'w' => {}
            _ => return None,
        }
        self.push_type()
    }

    /// `Type 'y' (Type* '_')* Type* 'G'`: the arguments are not shown.
    pub(super) fn bound_generic(&mut self) -> Option<()> {
        let nominal = self.bound_arguments()?;
        self.substitutions.push(nominal.clone());
        self.push(nominal)
    }

    fn bound_arguments(&mut self) -> Option<Node> {
        loop {
            while self.pop_type().is_some() {}
            if self.pop(Kind::EmptyList).is_some() {
                return self.pop_if(|node| matches!(node.kind, Kind::Nominal | Kind::Entity));
            }
            self.pop(Kind::FirstElement)?;
        }
    }

    /// Lowered types are in names of thunks between representations only, which take all that there is.
    pub(super) fn lowered_function_type(&mut self) -> Option<()> {
        while self.next()? != b'_' {}
        self.push_type()
    }

    pub(super) fn archetype(&mut self) -> Option<()> {
        match self.next()? {
            b'a' => {
                self.pop(Kind::Identifier)?;
                self.pop_type()?;
            }
            b'y' => {
                self.parameter_index()?;
                self.associated_name()?;
            }
            b'z' => self.associated_name()?,
            b'x' => {
                self.associated_name()?;
                self.pop_type()?;
            }
            b'Y' => {
                self.parameter_index()?;
                self.pop_list(Self::associated_name)?;
            }
            b'Z' => self.pop_list(Self::associated_name)?,
            b'X' => {
                self.pop_list(Self::associated_name)?;
                self.pop_type()?;
            }
            b'o' => {
                self.index()?;
                self.bound_arguments()?;
            }
            b'O' => {
                let of = self.pop(Kind::Entity)?;
                return self.push(of);
            }
            b'r' | b'u' => return self.push_type(),
            b'R' | b'U' => {
                self.index()?;
                return self.push_type();
            }
            b'p' => {
                self.pop_type()?;
                return self.retype();
            }
            b'P' => {
                self.pop_list(|reader| reader.pop_type().map(drop))?;
                return self.push_type();
            }
            b'e' => {
                self.index()?;
                return self.retype();
            }
            _ => return None,
        }
        self.hold_associated()?;
        self.push_type()
    }

    /// A type that can be referred to, of which nothing is shown.
    pub(super) fn hold_associated(&mut self) -> Option<()> {
        let text = self.text("_")?;
        self.nodes_left = self.nodes_left.checked_sub(1)?;
        self.substitutions.push(Node::new(Kind::Type, text));
        Some(())
    }

    pub(super) fn associated_name(&mut self) -> Option<()> {
        self.pop_type();
        self.pop(Kind::Identifier).map(drop)
    }

    pub(super) fn parameter_index(&mut self) -> Option<()> {
        if self.eat(b'z') || self.eat(b's') {
            return Some(());
        }
        if self.eat(b'd') {
            self.index()?;
        }
        self.index().map(drop)
    }

    pub(super) fn generic_parameter(&mut self) -> Option<()> {
        self.parameter_index()?;
        self.push_type()
    }

    pub(super) fn special_type(&mut self) -> Option<()> {
        match self.next()? {
            b'A' | b'B' | b'C' | b'E' | b'f' | b'K' | b'L' | b'U' => self.function_type(),
            b'b' | b'D' | b'o' | b'p' | b'u' | b'w' => self.retype(),
            b'M' | b'm' => {
                self.next()?;
                self.retype()
            }
            b'c' => {
                self.pop_type()?;
                self.protocols()
            }
            b'l' => self.protocols(),
            b'x' => {
                self.pop_list(|reader| reader.pop_type().map(drop))?;
                self.push_type()
            }
            b'X' => {
                self.pop(Kind::GenericSignature)?;
                self.pop_list(|reader| reader.pop_type().map(drop))?;
                self.pop_list(|reader| reader.pop_type().map(drop))?;
                self.push_type()
            }
            b'e' => self.push_type(),
            _ => None,
        }
    }

    pub(super) fn annotation(&mut self) -> Option<()> {
        match self.next()? {
            b'a' | b'A' | b'b' | b'C' | b'T' => {}
            b'c' | b'K' => drop(self.pop_type()?),
            b'j' => drop(self.next()?),
            // of a parameter
            b'i' | b'k' | b't' | b'u' => return self.retype(),
            _ => return None,
        }
        self.push_text(Kind::Annotation, "")
    }

    pub(super) fn function_type(&mut self) -> Option<()> {
        while self.pop(Kind::Annotation).is_some() {}
        let none: Rc<[Option<Rc<str>>]> = Rc::from([]);
        let labels = if self.pop(Kind::EmptyList).is_some() {
            none
        } else {
            self.pop_type()?.tuple.unwrap_or_else(|| Rc::from([None]))
        };
        if self.pop(Kind::EmptyList).is_none() {
            self.pop_type()?;
        }
        let text = self.text("_")?;
        self.push(Node { function: Some(labels), ..Node::new(Kind::Type, text) })
    }

    pub(super) fn type_of_type(&mut self) -> Option<()> {
        self.retype()
    }

    pub(super) fn protocols(&mut self) -> Option<()> {
        self.pop_list(Self::pop_protocol)?;
        self.push_type()
    }

    /// A type, or a name in a context without the letter that makes it one.
    pub(super) fn pop_protocol(&mut self) -> Option<()> {
        if self.pop_type().is_none() {
            self.pop_name()?;
            self.pop_context()?;
        }
        Some(())
    }

    pub(super) fn tuple(&mut self) -> Option<()> {
        let mut labels = Vec::new();
        self.pop_list(|reader| {
            reader.pop(Kind::Variadic);
            let label = reader.pop(Kind::Identifier).map(|label| label.text);
            reader.pop_type()?;
            labels.push(label);
            Some(())
        })?;
        labels.reverse();
        let text = self.text("_")?;
        self.push(Node { tuple: Some(labels.into()), ..Node::new(Kind::Type, text) })
    }

    pub(super) fn generic_type(&mut self) -> Option<()> {
        self.pop(Kind::GenericSignature)?;
        let node = self.pop_type()?;
        self.push(node)
    }
}
