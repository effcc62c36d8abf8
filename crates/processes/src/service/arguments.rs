//! Options and plain words of a command line, by the syntax of the program that reads it.
//!
//! To find the script of `python3 -X dev -um shop.api --port 80` one must know which options take a
//! value. Every interpreter describes that with a [`Syntax`].

/// Which long options take the next argument as their value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Long {
    /// These.
    Listed(&'static [&'static str]),
    /// All, but these and those that begin with `--no-`.
    AllBut(&'static [&'static str]),
}

/// How a program reads its options.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syntax {
    /// Letters whose value is the rest of the argument, or else the next argument.
    pub(super) short_valued: &'static str,
    /// Letters whose value, if any, is the rest of the argument.
    pub(super) short_attached: &'static str,
    pub(super) long: Long,
    /// A single dash begins a long option, as for java.
    pub(super) is_single_dash_long: bool,
}

impl Syntax {
    pub(super) const PLAIN: Self = Self {
        short_valued: "",
        short_attached: "",
        long: Long::Listed(&[]),
        is_single_dash_long: false,
    };

    /// Letters that take a value, and long options that do.
    pub(super) const fn new(short_valued: &'static str, long: &'static [&'static str]) -> Self {
        Self { short_valued, long: Long::Listed(long), ..Self::PLAIN }
    }

    fn takes_value(&self, name: &str) -> bool {
        match self.long {
            Long::Listed(names) => names.contains(&name),
            Long::AllBut(flags) => !flags.contains(&name) && !name.starts_with("--no-"),
        }
    }
}

/// A part of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// A short option by its letter.
    Short(char, Option<&'a str>),
    /// A long option with its dashes, without its value.
    Long(&'a str, Option<&'a str>),
    /// Not an option.
    Plain(&'a str),
}

/// Steps through arguments, the program's own name not included.
#[derive(Debug, Clone)]
pub(super) struct Items<'a> {
    syntax: Syntax,
    rest: &'a [String],
    /// Letters of a cluster that are yet to come.
    cluster: &'a str,
    is_after_dashes: bool,
}

impl<'a> Items<'a> {
    pub(super) fn new(arguments: &'a [String], syntax: Syntax) -> Self {
        Self { syntax, rest: arguments, cluster: "", is_after_dashes: false }
    }

    /// The arguments that have not been stepped over.
    pub(super) fn rest(&self) -> &'a [String] {
        self.rest
    }

    fn shift(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn short(&mut self) -> Option<Item<'a>> {
        let mut letters = self.cluster.chars();
        let letter = letters.next()?;
        let attached = letters.as_str();
        if self.syntax.short_valued.contains(letter) {
            self.cluster = "";
            let value = if attached.is_empty() { self.shift() } else { Some(attached) };
            return Some(Item::Short(letter, value));
        }
        let is_attached = self.syntax.short_attached.contains(letter) && !attached.is_empty();
        self.cluster = if is_attached { "" } else { attached };
        Some(Item::Short(letter, is_attached.then_some(attached)))
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if !self.cluster.is_empty() {
            return self.short();
        }
        let argument = self.shift()?;
        if self.is_after_dashes || argument == "-" || !argument.starts_with('-') {
            return Some(Item::Plain(argument));
        }
        if argument == "--" {
            self.is_after_dashes = true;
            return self.next();
        }
        if !argument.starts_with("--") && !self.syntax.is_single_dash_long {
            self.cluster = &argument[1..];
            return self.short();
        }
        if let Some((name, value)) = argument.split_once('=') {
            return Some(Item::Long(name, Some(value)));
        }
        let value = if self.syntax.takes_value(argument) { self.shift() } else { None };
        Some(Item::Long(argument, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(syntax: Syntax, line: &str) -> Vec<String> {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Items::new(&arguments, syntax)
            .map(|item| match item {
                Item::Short(letter, value) => format!("-{letter}:{}", value.unwrap_or_default()),
                Item::Long(name, value) => format!("{name}:{}", value.unwrap_or_default()),
                Item::Plain(word) => word.to_owned(),
            })
            .collect()
    }

    #[test]
    fn options_take_the_values_that_their_syntax_gives_them() {
        let short = Syntax { short_attached: "i", ..Syntax::new("mX", &["--config"]) };
        let long = Syntax { long: Long::AllBut(&["--reload"]), ..Syntax::PLAIN };
        let java = Syntax { is_single_dash_long: true, ..Syntax::new("", &["-cp"]) };
        let table: &[(Syntax, &str, &[&str])] = &[
            (short, "-um pkg x", &["-u:", "-m:pkg", "x"]),
            (short, "-uXdev x", &["-u:", "-X:dev", "x"]),
            (short, "-i.bak -i x", &["-i:.bak", "-i:", "x"]),
            (
                short,
                "--config f --config=g --other x",
                &["--config:f", "--config:g", "--other:", "x"],
            ),
            (short, "-- -m pkg", &["-m", "pkg"]),
            (short, "- -m", &["-", "-m:"]),
            (
                long,
                "--bind a --reload x --no-b y --c=d",
                &["--bind:a", "--reload:", "x", "--no-b:", "y", "--c:d"],
            ),
            (java, "-cp a:b -Dx=y Main", &["-cp:a:b", "-Dx:y", "Main"]),
        ];
        for (syntax, line, expected) in table {
            assert_eq!(items(*syntax, line), *expected, "{line}");
        }
    }
}
