//! What the compiler makes of functions and for types: thunks, specialisations, accessors.

use super::Reader;
use super::nodes::Kind;

/// What is made of one function and takes nothing else.
const OF_ONE: [(u8, &str); 12] = [
    (b'A', "partial apply forwarder for"),
    (b'a', "partial apply ObjC forwarder for"),
    (b'm', "merged"),
    (b'o', "@objc"),
    (b'O', "@nonobjc"),
    (b'D', "dynamic"),
    (b'd', "super"),
    (b'c', "curry thunk of"),
    (b'j', "dispatch thunk of"),
    (b'E', "distributed thunk"),
    (b'F', "distributed accessor for"),
    (b'u', "async function pointer to"),
];

impl Reader<'_> {
    /// Shows `before` the entity on top.
    fn derived(&mut self, before: &str) -> Option<()> {
        let entity = self.pop(Kind::Entity)?;
        self.push_text(Kind::Entity, &format!("{before} {}", entity.text))
    }

    /// The same, without what lies above the entity.
    fn derived_below(&mut self, before: &str) -> Option<()> {
        while self.pop_if(|node| node.kind != Kind::Entity).is_some() {}
        self.derived(before)
    }

    fn of_type(&mut self, before: &str) -> Option<()> {
        self.pop(Kind::GenericSignature);
        let type_ = self.pop(Kind::Nominal)?;
        self.push_text(Kind::Entity, &format!("{before} {}", type_.text))
    }

    pub(super) fn thunk(&mut self) -> Option<()> {
        let kind = self.next()?;
        if let Some((_, before)) = OF_ONE.iter().find(|(letter, _)| *letter == kind) {
            return self.derived(before);
        }
        match kind {
            b'K' => {
                self.eat(b'q');
                self.derived_below("key path getter for")
            }
            b'k' => {
                self.eat(b'q');
                self.derived_below("key path setter for")
            }
            b'Q' => {
                let number = self.index()?;
                self.derived(&format!("({number}) await resume partial function for"))
            }
            b'Y' => {
                let number = self.index()?;
                self.derived(&format!("({number}) suspend resume partial function for"))
            }
            b'v' => {
                let number = self.index()?;
                self.derived(&format!("outlined variable #{number} of"))
            }
            b'e' => {
                while self.next()? != b'_' {}
                self.derived("outlined bridged method of")
            }
            b'w' => match self.next()? {
                b'b' => self.derived("back deployment thunk for"),
                b'B' => self.derived("back deployment fallback for"),
                _ => None,
            },
            b'R' | b'r' | b'y' => {
                self.stack.clear();
                self.push_text(Kind::Entity, "reabstraction thunk helper")
            }
            b'V' => {
                let base = self.pop(Kind::Entity)?;
                let to = self.pop(Kind::Entity)?;
                let text = format!("vtable thunk for {} dispatching to {}", base.text, to.text);
                self.push_text(Kind::Entity, &text)
            }
            b'W' => self.protocol_witness(),
            b'B' | b'g' | b'G' | b'p' | b'P' | b'i' | b's' => {
                self.specialization_attributes()?;
                self.derived_below("specialized")
            }
            b'f' => {
                self.specialization_attributes()?;
                while !self.eat(b'_') {
                    self.specialized_parameter()?;
                }
                self.specialized_parameter()?;
                self.derived_below("specialized")
            }
            _ => None,
        }
    }

    /// What was left out, and the number of the pass.
    fn specialization_attributes(&mut self) -> Option<()> {
        for mark in [b'm', b'q', b'a', b'r'] {
            self.eat(mark);
        }
        self.next()?.is_ascii_digit().then_some(())
    }

    fn specialized_parameter(&mut self) -> Option<()> {
        match self.next()? {
            b'n' | b'c' | b'C' | b'x' | b'i' | b's' | b'r' => {}
            b'p' => match self.next()? {
                b'f' | b'g' | b'k' | b'S' => {}
                b'i' | b'd' => drop(self.natural()?),
                b's' => drop(self.next()?),
                _ => return None,
            },
            b'd' | b'e' | b'g' | b'o' => {
                for mark in [b'D', b'G', b'O', b'X'] {
                    self.eat(mark);
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// A type's function that a protocol asks for. A conformance is a type, a protocol, and the module it is in.
    fn protocol_witness(&mut self) -> Option<()> {
        let entity = self.pop(Kind::Entity)?;
        self.pop(Kind::GenericSignature);
        self.pop_if(|node| matches!(node.kind, Kind::Identifier | Kind::Module))?;
        self.pop_protocol()?;
        let type_ = self.pop_type()?;
        let text = format!("protocol witness for {} in conformance {}", entity.text, type_.text);
        self.push_text(Kind::Entity, &text)
    }

    pub(super) fn metadata(&mut self) -> Option<()> {
        match self.next()? {
            b'a' => self.of_type("type metadata accessor for"),
            b'r' => self.of_type("type metadata completion function for"),
            b'i' => self.of_type("type metadata instantiation function for"),
            b'u' => self.of_type("method lookup function for"),
            b'U' => self.of_type("ObjC metadata update function for"),
            _ => None,
        }
    }

    pub(super) fn witness(&mut self) -> Option<()> {
        match self.next()? {
            b'O' => {
                let operation = match self.next()? {
                    b'y' => "copy",
                    b'e' => "consume",
                    b'r' => "retain",
                    b's' => "release",
                    b'b' => "init with take",
                    b'c' => "init with copy",
                    b'd' => "assign with take",
                    b'f' => "assign with copy",
                    b'h' => "destroy",
                    _ => return None,
                };
                self.of_type(&format!("outlined {operation} of"))
            }
            b'Z' => {
                let mut names = Vec::new();
                while self.pop(Kind::FirstElement).is_some() {
                    names.push(self.pop_name()?.text);
                }
                names.reverse();
                let context = self.pop_context()?;
                let names = names.join(", ");
                let text = format!("one-time initialization function for {}.{names}", context.text);
                self.push_text(Kind::Entity, &text)
            }
            b'l' => {
                self.pop(Kind::GenericSignature);
                self.pop_if(|node| matches!(node.kind, Kind::Identifier | Kind::Module))?;
                self.pop_protocol()?;
                self.pop_type()?;
                self.of_type("lazy protocol witness table accessor for type")
            }
            _ => None,
        }
    }

    pub(super) fn value_witness(&mut self) -> Option<()> {
        let operation = match (self.next()?, self.next()?) {
            (b'C', b'P') => "initializeBufferWithCopyOfBuffer",
            (b'x', b'x') => "destroy",
            (b'c', b'p') => "initializeWithCopy",
            (b'c', b'a') => "assignWithCopy",
            (b't', b'k') => "initializeWithTake",
            (b't', b'a') => "assignWithTake",
            (b'e', b't') => "getEnumTagSinglePayload",
            (b's', b't') => "storeEnumTagSinglePayload",
            (b'u', b'g') => "getEnumTag",
            (b'u', b'p') => "destructiveProjectEnumData",
            (b'u', b'i') => "destructiveInjectEnumTag",
            _ => return None,
        };
        self.of_type(&format!("{operation} value witness for"))
    }
}
