//! Which operator a letter is.

use super::Reader;
use super::nodes::{Kind, Node};

impl Reader<'_> {
    pub(super) fn operator(&mut self) -> Option<()> {
        if self.peek()?.is_ascii_digit() {
            return self.identifier();
        }
        match self.next()? {
            b'A' => self.references(),
            b'B' => self.builtin(),
            b'C' | b'O' | b'V' | b'P' | b'a' => self.nominal(),
            b'E' => self.extension(),
            b'F' => self.function(),
            b'G' => self.bound_generic(),
            b'I' => self.lowered_function_type(),
            b'K' => self.push_text(Kind::Annotation, ""),
            b'L' => self.discriminated_name(),
            b'M' => self.metadata(),
            b'Q' => self.archetype(),
            b'R' => self.requirement(),
            b'S' => self.standard(),
            b'T' => self.thunk(),
            b'W' => self.witness(),
            b'X' => self.special_type(),
            b'Y' => self.annotation(),
            // static
            b'Z' => self.stack.last().filter(|node| node.kind == Kind::Entity).map(drop),
            b'c' => self.function_type(),
            b'd' => self.push_text(Kind::Variadic, ""),
            b'f' => self.function_entity(),
            b'h' | b'm' | b'n' | b'z' => self.type_of_type(),
            b'i' => self.subscript(),
            b'l' => self.generic_signature(),
            b'o' => self.operator_name(),
            b'p' => self.protocols(),
            b'q' => self.generic_parameter(),
            b'r' => self.counted_generic_signature(),
            b's' => self.push_text(Kind::Module, "Swift"),
            b't' => self.tuple(),
            b'u' => self.generic_type(),
            b'v' => self.variable(),
            b'w' => self.value_witness(),
            b'x' => self.push_text(Kind::Type, "A"),
            b'y' => self.push_text(Kind::EmptyList, ""),
            b'_' => self.push_text(Kind::FirstElement, ""),
            _ => None,
        }
    }

    fn nominal(&mut self) -> Option<()> {
        let name = self.pop_name()?;
        let context = self.pop_context()?;
        let text = self.member(&context, &name.text)?;
        self.push_substitution(Node::new(Kind::Nominal, text))
    }

    /// Of a type of another module: its declarations are shown as the type's.
    fn extension(&mut self) -> Option<()> {
        self.pop(Kind::GenericSignature);
        self.pop_if(|node| matches!(node.kind, Kind::Identifier | Kind::Module))?;
        let extended = self.pop(Kind::Nominal)?;
        self.push(extended)
    }

    fn generic_signature(&mut self) -> Option<()> {
        while self.pop(Kind::Requirement).is_some() {}
        self.push_text(Kind::GenericSignature, "")
    }

    /// The numbers of parameters by depth, up to an `l`.
    fn counted_generic_signature(&mut self) -> Option<()> {
        while !self.eat(b'l') {
            if !self.eat(b'z') {
                self.index()?;
            }
        }
        self.generic_signature()
    }

    fn requirement(&mut self) -> Option<()> {
        /// What a requirement is of.
        enum Of {
            Parameter,
            Associated,
            Compound,
            Type,
        }
        let kind = self.next()?;
        let of = match kind {
            b'b' | b's' | b'l' | b'h' | b'v' | b'i' => Of::Parameter,
            b'c' | b't' | b'm' | b'p' => Of::Associated,
            b'C' | b'T' | b'M' | b'P' => Of::Compound,
            b'B' | b'S' | b'L' | b'Q' | b'I' => Of::Type,
            _ => {
                self.at -= 1;
                Of::Parameter
            }
        };
        if matches!(kind, b'i' | b'I') {
            self.index()?;
        }
        match of {
            Of::Parameter => self.parameter_index()?,
            Of::Associated => {
                self.parameter_index()?;
                self.associated_name()?;
                self.hold_associated()?;
            }
            Of::Compound => {
                self.parameter_index()?;
                self.pop_list(Self::associated_name)?;
                self.hold_associated()?;
            }
            Of::Type => drop(self.pop_type()?),
        }
        match kind {
            b'l' | b'm' | b'M' | b'L' => self.layout()?,
            b'v' | b'i' | b'I' => {}
            b'b' | b's' | b'h' | b'c' | b't' | b'C' | b'T' | b'B' | b'S' => drop(self.pop_type()?),
            _ => self.pop_protocol()?,
        }
        self.push_text(Kind::Requirement, "")
    }

    fn layout(&mut self) -> Option<()> {
        match self.next()? {
            b'U' | b'R' | b'N' | b'C' | b'D' | b'T' | b'B' => Some(()),
            b'E' | b'M' => {
                self.index()?;
                self.index().map(drop)
            }
            b'e' | b'm' | b'S' => self.index().map(drop),
            _ => None,
        }
    }
}
