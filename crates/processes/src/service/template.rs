//! Templates for names: text with `$1`, `${name}` (captures of a rule's expressions), `%NAME%`
//! (environment variables), `$$` and `%%`.

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// By number or name.
    Capture(String),
    Variable(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

impl Template {
    /// `Err` says what is wrong.
    pub(super) fn parse(source: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['$', '%']) {
            text.push_str(&rest[..at]);
            let (part, behind) = special(&rest[at..])?;
            rest = behind;
            match part {
                Part::Text(more) => text.push_str(&more),
                part => {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                    parts.push(part);
                }
            }
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        parts.retain(|part| *part != Part::Text(String::new()));
        if parts.is_empty() { Err("is empty") } else { Ok(Self(parts)) }
    }

    pub(super) fn captures(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Capture(name) => Some(name.as_str()),
            _ => None,
        })
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The text with everything filled in. `None` when a part has no value.
    pub(super) fn expand<'v>(&self, value: impl Fn(&Part) -> Option<&'v str>) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                part => text.push_str(value(part).filter(|value| !value.is_empty())?),
            }
        }
        Some(text)
    }
}

/// The part that `source` begins with, at a `$` or `%`, and what follows it.
fn special(source: &str) -> Result<(Part, &str), &'static str> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if let Some(behind) = source.strip_prefix("$$") {
        return Ok((Part::Text("$".to_owned()), behind));
    }
    if let Some(behind) = source.strip_prefix("%%") {
        return Ok((Part::Text("%".to_owned()), behind));
    }
    if let Some(behind) = source.strip_prefix("${") {
        let (name, behind) = behind.split_once('}').ok_or("has a ${ without }")?;
        return Ok((Part::Capture(name.to_owned()), behind));
    }
    if let Some(behind) = source.strip_prefix('$') {
        let end = behind.find(|character: char| !is_word(character)).unwrap_or(behind.len());
        if end == 0 {
            return Err("has a $ without a name (write $$ for a dollar sign)");
        }
        return Ok((Part::Capture(behind[..end].to_owned()), &behind[end..]));
    }
    let behind = source.strip_prefix('%').unwrap_or(source);
    let wrong = "has a % without %NAME% (write %% for a percent sign)";
    let (name, behind) = behind.split_once('%').ok_or(wrong)?;
    if !name.chars().all(is_word) {
        return Err(wrong);
    }
    Ok((Part::Variable(name.to_owned()), behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expand(source: &str) -> Option<String> {
        Template::parse(source).unwrap().expand(|part| match part {
            Part::Capture(name) if name == "1" => Some("one"),
            Part::Capture(name) if name == "tier" => Some("gold"),
            Part::Variable(name) if name == "ENV" => Some("prod"),
            Part::Variable(name) if name == "EMPTY" => Some(""),
            _ => None,
        })
    }

    #[test]
    fn parts_are_filled_in() {
        for (source, expected) in [
            ("shop", Some("shop")),
            ("$1-%ENV%", Some("one-prod")),
            ("${tier}x$tier", Some("goldxgold")),
            ("100%% $$1", Some("100% $1")),
            ("$2", None),
            ("%MISSING%", None),
            ("%EMPTY%", None),
        ] {
            assert_eq!(expand(source).as_deref(), expected, "{source}");
        }
    }

    #[test]
    fn a_template_that_is_wrong_is_refused() {
        for source in ["", "a$", "$-", "${1", "50%", "%a b%"] {
            assert!(Template::parse(source).is_err(), "{source}");
        }
    }

    proptest! {
        #[test]
        fn no_template_makes_the_parser_panic(source in "[$%{}a-z1é]{0,12}") {
            if let Ok(template) = Template::parse(&source) {
                template.expand(|_| Some("x"));
            }
        }
    }
}
