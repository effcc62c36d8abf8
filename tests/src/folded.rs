//! What `infrared record --format folded` prints, read back: `service;frame;…;leaf count`, root first.

use std::str::FromStr;

/// Why a line is no folded stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedError {
    /// 1-based.
    pub line: usize,
    pub text: String,
}

impl std::fmt::Display for FoldedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} is not `service;frame;… count`: {:?}", self.line, self.text)
    }
}

impl std::error::Error for FoldedError {}

/// A frame's text as printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame(pub String);

impl Frame {
    pub fn is_kernel(&self) -> bool {
        self.0.ends_with("_[k]")
    }

    pub fn is_guessed(&self) -> bool {
        self.0.ends_with("_[g]")
    }

    /// Without what says of what kind it is.
    pub fn name(&self) -> &str {
        let without = |suffix| self.0.strip_suffix(suffix);
        ["_[k]", "_[i]", "_[g]"].into_iter().find_map(without).unwrap_or(&self.0)
    }

    /// Whether `function` stands in the frame as a whole identifier: `ns::burn_a(unsigned long)` and
    /// `crate::burn_a::h0123` are both `burn_a`; `burn_ab` is not.
    pub fn is(&self, function: &str) -> bool {
        let word =
            |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let text = self.name();
        text.match_indices(function).any(|(at, _)| {
            let bytes = text.as_bytes();
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            !word(before) && !word(bytes.get(at + function.len()))
        })
    }
}

/// One distinct stack of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    pub service: String,
    /// The reason, if the stack does not reach its thread's entry.
    pub truncated: Option<String>,
    /// Root first, without the truncation marker.
    pub frames: Vec<Frame>,
    /// Samples.
    pub count: u64,
}

impl Stack {
    pub fn has(&self, function: &str) -> bool {
        self.frames.iter().any(|frame| frame.is(function))
    }

    /// Whether it reaches its thread's entry, and nothing on the way is a guess.
    pub fn is_rooted(&self) -> bool {
        self.truncated.is_none() && !self.frames.iter().any(Frame::is_guessed)
    }

    /// Whether `functions` occur in this order, root first, with anything between them.
    pub fn has_in_order(&self, functions: &[&str]) -> bool {
        let mut frames = self.frames.iter();
        functions.iter().all(|function| frames.any(|frame| frame.is(function)))
    }

    /// The innermost frame in user space.
    pub fn user_leaf(&self) -> Option<&Frame> {
        self.frames.iter().rev().find(|frame| !frame.is_kernel())
    }

    fn parse(line: &str) -> Option<Self> {
        let (stack, count) = line.rsplit_once(' ')?;
        let count = count.parse().ok()?;
        let mut parts = stack.split(';').peekable();
        let service = parts.next().filter(|service| !service.is_empty())?.to_owned();
        let marker = |part: &&str| part.starts_with("[truncated");
        let truncated = parts.next_if(marker).map(|part| {
            let reason = part.trim_start_matches("[truncated").trim_start_matches(':');
            reason.trim_end_matches(']').trim().to_owned()
        });
        let frames = parts.map(|part| Frame(part.to_owned())).collect();
        Some(Self { service, truncated, frames, count })
    }
}

impl std::fmt::Display for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>6}  {}", self.count, self.service)?;
        if let Some(reason) = &self.truncated {
            write!(f, ";[truncated: {reason}]")?;
        }
        self.frames.iter().try_for_each(|frame| write!(f, ";{}", frame.0))
    }
}

/// A whole recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub stacks: Vec<Stack>,
}

impl FromStr for Folded {
    type Err = FoldedError;

    fn from_str(text: &str) -> Result<Self, FoldedError> {
        let stack = |(index, line): (usize, &str)| {
            Stack::parse(line).ok_or_else(|| FoldedError { line: index + 1, text: line.to_owned() })
        };
        let stacks = text.lines().enumerate().map(stack).collect::<Result<_, _>>()?;
        Ok(Self { stacks })
    }
}

impl Folded {
    /// Samples.
    pub fn total(&self) -> u64 {
        self.stacks.iter().map(|stack| stack.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_into_service_frames_and_count() {
        let folded: Folded = "shop;_start;main;read;vfs_read_[k] 12".parse().unwrap();
        let stack = &folded.stacks[0];
        assert_eq!((stack.service.as_str(), stack.count, &stack.truncated), ("shop", 12, &None));
        assert_eq!(stack.frames.len(), 4);
        assert_eq!(stack.user_leaf(), Some(&Frame("read".into())));
    }

    #[test]
    fn a_truncated_stack_gives_its_reason() {
        let folded: Folded = "shop;[truncated: no unwind info];leaf 1".parse().unwrap();
        assert_eq!(folded.stacks[0].truncated.as_deref(), Some("no unwind info"));
        assert_eq!(folded.stacks[0].frames, [Frame("leaf".into())]);
    }

    #[test]
    fn names_with_spaces_stay_whole() {
        let folded: Folded = "a b;operator new(unsigned long) 3".parse().unwrap();
        assert_eq!(folded.stacks[0].service, "a b");
        assert!(folded.stacks[0].has("operator new"));
    }

    #[test]
    fn what_is_no_stack_is_refused() {
        for text in ["shop;main", "shop;main x", "3", " 3"] {
            assert!(text.parse::<Folded>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_function_is_found_as_a_whole_identifier_only() {
        let table = [
            ("burn_a", true),
            ("shares::burn_a(unsigned long)", true),
            ("shares::burn_a::h0123456789abcdef", true),
            ("main.burn_a", true),
            ("burn_a_[i]", true),
            ("burn_a_[k]", true),
            ("burn_a_[g]", true),
            ("burn_ab", false),
            ("unburn_a", false),
            ("burn_a_b", false),
        ];
        for (frame, expected) in table {
            assert_eq!(Frame(frame.into()).is("burn_a"), expected, "{frame}");
        }
    }

    #[test]
    fn order_matters() {
        let folded: Folded = "s;_start;main;work;burn 1".parse().unwrap();
        assert!(folded.stacks[0].has_in_order(&["main", "burn"]));
        assert!(!folded.stacks[0].has_in_order(&["burn", "main"]));
        assert!(!folded.stacks[0].has_in_order(&["main", "main"]));
    }
}
