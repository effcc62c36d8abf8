//! Functions, variables, initializers, closures.

use super::Reader;
use super::nodes::{Kind, Labels, Node};

impl Reader<'_> {
    fn entity(&mut self, text: &str) -> Option<()> {
        self.push_text(Kind::Entity, text)
    }

    /// `Context Name Labels FunctionSignature GenericSignature? 'F'`
    pub(super) fn function(&mut self) -> Option<()> {
        self.pop(Kind::GenericSignature);
        self.function_type()?;
        let signature = self.stack.pop()?;
        let labels = self.labels(&signature)?;
        let name = self.pop_name()?;
        let context = self.pop_context()?;
        self.entity(&format!("{}.{}{}", context.text, name.text, shown(&labels)))
    }

    pub(super) fn variable(&mut self) -> Option<()> {
        let type_ = self.pop_type()?;
        self.labels(&type_);
        let name = self.pop_name()?;
        let context = self.pop_context()?;
        let accessor = self.accessor()?;
        self.entity(&format!("{}.{}{accessor}", context.text, name.text))
    }

    pub(super) fn subscript(&mut self) -> Option<()> {
        self.pop(Kind::PrivateName);
        let type_ = self.pop_type()?;
        let labels = self.labels(&type_)?;
        let context = self.pop_context()?;
        let accessor = self.accessor()?;
        self.entity(&format!("{}.subscript{}{accessor}", context.text, shown(&labels)))
    }

    fn accessor(&mut self) -> Option<&'static str> {
        Some(match self.next()? {
            b'm' => ".materializeForSet",
            b's' => ".setter",
            b'g' => ".getter",
            b'G' => ".global getter",
            b'w' => ".willset",
            b'W' => ".didset",
            b'r' => ".read",
            b'M' => ".modify",
            b'x' => ".modify2",
            b'y' => ".read2",
            b'b' => ".borrow",
            b'z' => ".mutate",
            b'i' => ".init",
            b'a' => self.addressor().map(|()| ".unsafeMutableAddressor")?,
            b'l' => self.addressor().map(|()| ".unsafeAddressor")?,
            b'p' => "",
            _ => return None,
        })
    }

    fn addressor(&mut self) -> Option<()> {
        matches!(self.next()?, b'u' | b'O' | b'o' | b'p').then_some(())
    }

    pub(super) fn function_entity(&mut self) -> Option<()> {
        let kind = self.next()?;
        let of = |before: &str, context: &Node| format!("{before} {}", context.text);
        let member = |context: &Node, name: &str| format!("{}.{name}", context.text);
        let text = match kind {
            b'C' | b'c' => {
                self.pop(Kind::PrivateName);
                let type_ = self.pop_type()?;
                let labels = self.labels(&type_)?;
                member(&self.pop_context()?, &format!("init{}", shown(&labels)))
            }
            b'D' => member(&self.pop_context()?, "__deallocating_deinit"),
            b'Z' => member(&self.pop_context()?, "__isolated_deallocating_deinit"),
            b'd' => member(&self.pop_context()?, "deinit"),
            b'E' => member(&self.pop_context()?, "__ivar_destroyer"),
            b'e' => member(&self.pop_context()?, "__ivar_initializer"),
            b'U' | b'u' => {
                let number = self.index()?.checked_add(1)?;
                self.pop_type()?;
                let closure = if kind == b'U' { "closure" } else { "implicit closure" };
                of(&format!("{closure} #{number} in"), &self.pop_context()?)
            }
            b'A' => {
                let number = self.index()?;
                of(&format!("default argument {number} of"), &self.pop_context()?)
            }
            b'i' => of("variable initialization expression of", &self.pop_context()?),
            b'P' => of("property wrapper backing initializer of", &self.pop_context()?),
            b'W' => of("property wrapper init from projected value of", &self.pop_context()?),
            _ => return None,
        };
        self.entity(&text)
    }
}

/// As in source: `(label:_:)`.
fn shown(labels: &Labels) -> String {
    let mut text = String::from("(");
    for label in labels.iter() {
        text.push_str(label.as_deref().unwrap_or("_"));
        text.push(':');
    }
    text + ")"
}
