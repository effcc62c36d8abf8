//! A self-contained HTML page: the call tree and a viewer for it, in one file that needs no server.
//!
//! The viewer comes from outside: it defines `InfraredViewer.mount(element, bytes)`, and `bytes` are `docs/tree-format.md`'s.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::svg::escaped;
use crate::tree::{CallTree, encode};

/// What is on the page beside the tree.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    pub title: &'a str,
    /// A classic script (no module) that defines `InfraredViewer`.
    pub viewer_js: &'a str,
    /// It begins with short names, see [`short_names`](crate::short_names).
    pub has_short_names: bool,
}

/// Writes the page.
pub fn write(tree: &CallTree, page: Page<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&encode::encode(tree))?;
    let data = STANDARD.encode(gzip.finish()?);
    let title = escaped(page.title);
    let names = if page.has_short_names { " data-names=\"short\"" } else { "" };
    write!(
        out,
        "{HEAD}<title>{title}</title>\n{STYLE}</head>\n<body>\n<div id=\"infrared\"{names}></div>\n"
    )?;
    writeln!(out, "<noscript>{title}: this page needs JavaScript.</noscript>")?;
    writeln!(out, "<script id=\"tree\" type=\"application/octet-stream;base64\">{data}</script>")?;
    writeln!(out, "<script>{}</script>", inside_script(page.viewer_js))?;
    write!(out, "<script>{START}</script>\n</body>\n</html>\n")
}

/// Script text that cannot end its element: `</script` and `<!--` lose their meaning in HTML, not in JavaScript's
/// strings, where `\/` is `/` and `\!` is `!`.
fn inside_script(script: &str) -> String {
    let mut out = String::with_capacity(script.len());
    let mut rest = script;
    while let Some(place) = rest.find('<') {
        let (before, tail) = rest.split_at(place);
        out.push_str(before);
        let ends = tail.get(..8).is_some_and(|tag| tag.eq_ignore_ascii_case("</script"));
        let (kept, length) = match tail {
            _ if ends => ("<\\/", 2),
            _ if tail.starts_with("<!--") => ("<\\!--", 4),
            _ => ("<", 1),
        };
        out.push_str(kept);
        rest = &tail[length..];
    }
    out.push_str(rest);
    out
}

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
    <meta name=\"generator\" content=\"infrared\">\n";
const STYLE: &str = "<style>html,body{margin:0;height:100%}#infrared{height:100%}</style>\n";
const START: &str = include_str!("html/start.js");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_cannot_end_its_element() {
        let cases = [
            ("a<b", "a<b"),
            ("'</script>'", "'<\\/script>'"),
            ("'</SCRIPT >'", "'<\\/SCRIPT >'"),
            ("'<!--'", "'<\\!--'"),
            ("</é", "</é"),
            ("<", "<"),
        ];
        for (script, safe) in cases {
            assert_eq!(inside_script(script), safe);
        }
    }
}
