/// A line of folded text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedLine<'t> {
    pub service: &'t str,
    /// Root first, with their suffixes.
    pub frames: Vec<&'t str>,
    pub count: u64,
}

/// A line that is no `frame;…;frame count`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} does not end in a space and a count")]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
}

/// The lines of `text`; empty ones are passed over.
pub fn parse(text: &str) -> Result<Vec<FoldedLine<'_>>, ParseError> {
    let numbered = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty());
    numbered.map(|(number, line)| parse_line(line).ok_or(ParseError { line: number })).collect()
}

fn parse_line(line: &str) -> Option<FoldedLine<'_>> {
    let (stack, count) = line.rsplit_once(' ')?;
    let count = count.parse().ok()?;
    let mut frames = stack.split(';');
    let service = frames.next()?;
    Some(FoldedLine { service, frames: frames.collect(), count })
}
