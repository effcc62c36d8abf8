//! A flame graph as one static SVG file: zoom by click, search by regular expression, a tooltip per frame.
//!
//! Its size is bounded: what is too narrow to see is left out and counted in the footer.

mod colour;
mod layout;

use std::io;

use crate::frames::file_name;
use crate::tree::CallTree;
use layout::{Layout, Rect};

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct SvgOptions<'a> {
    pub title: &'a str,
    /// Pixels.
    pub width: u32,
    /// At most so many frames are drawn: the widest ones.
    pub max_frames: usize,
}

impl Default for SvgOptions<'_> {
    fn default() -> Self {
        Self { title: "flame graph", width: 1200, max_frames: 20_000 }
    }
}

const ROW: u32 = 17;
const TOP: u32 = 58;
const BOTTOM: u32 = 30;
const SIDE: u32 = 10;
/// Mean width of a character of the 12 px monospaced font.
const CHARACTER: f64 = 7.3;
const SCRIPT: &str = include_str!("svg/flame.js");

/// Writes `tree`, the root at the bottom. The same tree gives the same bytes.
pub fn write(tree: &CallTree, options: SvgOptions<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let layout = Layout::new(tree, f64::from(options.width.max(100)), options.max_frames);
    let width = options.width.max(100) + 2 * SIDE;
    let height = TOP + (layout.rows) * ROW + BOTTOM;
    let title = escaped(options.title);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">"
    )?;
    writeln!(out, "<style>{STYLE}</style>")?;
    writeln!(out, "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>")?;
    let middle = width / 2;
    writeln!(out, "<text class=\"title\" x=\"{middle}\" y=\"24\">{title}</text>")?;
    writeln!(out, "<text id=\"reset\" class=\"button\" x=\"{SIDE}\" y=\"24\">reset zoom</text>")?;
    let right = width - SIDE;
    writeln!(out, "<text id=\"search\" class=\"button\" x=\"{right}\" y=\"24\">search</text>")?;
    legend(out)?;
    writeln!(out, "<g id=\"frames\" data-width=\"{}\">", options.width.max(100))?;
    let text = Text::new(tree);
    for rect in &layout.rects {
        frame(&text, rect, &layout, out)?;
    }
    writeln!(out, "</g>")?;
    let footer = height - 10;
    writeln!(
        out,
        "<text id=\"details\" x=\"{SIDE}\" y=\"{footer}\">{}</text>",
        footer_text(tree, &layout)
    )?;
    writeln!(out, "<text id=\"matched\" x=\"{right}\" y=\"{footer}\"></text>")?;
    writeln!(out, "<script><![CDATA[\n{SCRIPT}]]></script>\n</svg>")
}

fn legend(out: &mut impl io::Write) -> io::Result<()> {
    let mut x = SIDE;
    for (name, sample) in colour::LEGEND {
        let fill = colour::of(sample.0, sample.1, "");
        writeln!(
            out,
            "<rect x=\"{x}\" y=\"36\" width=\"12\" height=\"12\" fill=\"{fill}\"/>\
             <text x=\"{}\" y=\"46\">{name}</text>",
            x + 16
        )?;
        x += 30 + (name.len() as f64 * CHARACTER) as u32;
    }
    Ok(())
}

fn footer_text(tree: &CallTree, layout: &Layout) -> String {
    let total = Text::new(tree).value(tree.total());
    match layout.dropped {
        0 => format!("{total} in {} frames", layout.rects.len()),
        dropped => {
            let (kept, least) = (layout.rects.len(), layout.least_px);
            format!("{total} in {kept} frames; {dropped} frames under {least:.2} px left out")
        }
    }
}

fn frame(
    text: &Text<'_>,
    rect: &Rect,
    layout: &Layout,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let frame = text.tree.frame(rect.node);
    let name = text.tree.string(frame.name);
    let fill = colour::of(frame.kind, frame.flags, name);
    let x = rect.x + f64::from(SIDE);
    let y = TOP + (layout.rows - 1 - rect.row) * ROW;
    let width = rect.width;
    write!(
        out,
        "<g><title>{}</title><rect x=\"{x:.2}\" y=\"{y}\" width=\"{width:.2}\" height=\"16\" fill=\"{fill}\"/>",
        text.tooltip(rect)
    )?;
    let label = fitting(if name.is_empty() { "all" } else { name }, width);
    if !label.is_empty() {
        write!(out, "<text x=\"{:.2}\" y=\"{}\">{}</text>", x + 3.0, y + 12, escaped(&label))?;
    }
    writeln!(out, "</g>")
}

/// As much of `name` as fits into `width` pixels; nothing if that is less than three characters.
fn fitting(name: &str, width: f64) -> String {
    let room = ((width - 6.0).max(0.0) / CHARACTER) as usize;
    if room < 3 {
        return String::new();
    }
    if name.chars().count() <= room {
        return name.to_owned();
    }
    name.chars().take(room - 2).chain("..".chars()).collect()
}

/// Words about a node.
struct Text<'t> {
    tree: &'t CallTree,
    total: u64,
}

impl<'t> Text<'t> {
    fn new(tree: &'t CallTree) -> Self {
        Self { tree, total: tree.total() }
    }

    fn value(&self, value: u64) -> String {
        let unit = match (&*self.tree.value_type.kind, &*self.tree.value_type.unit) {
            ("samples", "count") => "samples",
            (_, unit) => unit,
        };
        let seconds = self.tree.nanoseconds_per_unit().map(|ns| value as f64 * ns as f64 / 1e9);
        let time = seconds.map(|seconds| format!(" ({seconds:.2} s)")).unwrap_or_default();
        format!("{value} {}{time}", escaped(unit))
    }

    fn tooltip(&self, rect: &Rect) -> String {
        let frame = self.tree.frame(rect.node);
        let name = match self.tree.string(frame.name) {
            "" => "all",
            name => name,
        };
        let share = 100.0 * rect.total as f64 / self.total.max(1) as f64;
        let module = match self.tree.module_path(&frame) {
            "" => String::new(),
            path => format!(" ({})", escaped(file_name(path))),
        };
        let words = colour::words(frame.kind, frame.flags);
        format!("{}{module}: {}, {share:.2} %{words}", escaped(name), self.value(rect.total))
    }
}

/// Text for XML and HTML: markup escaped, characters that XML 1.0 forbids replaced.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

const STYLE: &str = "text{font:12px monospace;fill:#111;pointer-events:none}\
    .paper{fill:#fff}.title{text-anchor:middle;font-size:16px}\
    .button{fill:#1a56b0;cursor:pointer;pointer-events:all}\
    #search,#matched{text-anchor:end}#frames g{cursor:pointer}\
    #frames g:hover rect{stroke:#000;stroke-width:.5}.dim{opacity:.45}.hit rect{fill:#d31ad3}";
