//! Lines of a text that others write: of bounded length, whatever stands in it.

use std::io::{self, BufRead};

/// Calls `visit` with each line, without its end and cut at `max_line` bytes, until it returns false.
/// Returns the bytes of complete lines; a last line without end is visited but not counted.
pub(crate) fn for_each(
    mut reader: impl BufRead,
    max_line: usize,
    mut visit: impl FnMut(&[u8]) -> bool,
) -> io::Result<u64> {
    let mut line = Vec::new();
    let (mut total, mut complete) = (0u64, 0u64);
    loop {
        let bytes = match reader.fill_buf() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        if bytes.is_empty() {
            if !line.is_empty() {
                visit(&line);
            }
            return Ok(complete);
        }
        let end = bytes.iter().position(|&b| b == b'\n');
        let text = &bytes[..end.unwrap_or(bytes.len())];
        line.extend_from_slice(&text[..text.len().min(max_line - line.len())]);
        let used = text.len() + usize::from(end.is_some());
        reader.consume(used);
        total += used as u64;
        if end.is_some() {
            complete = total;
            if !visit(&line) {
                return Ok(complete);
            }
            line.clear();
        }
    }
}
