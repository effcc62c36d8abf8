//! The formats of a recording, and which one a file's name asks for.

use std::path::Path;

use clap::ValueEnum;

/// What a recording is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// `service;frame;…;leaf count`, one line a stack
    Folded,
    /// For `go tool pprof` and everything that reads its files
    Pprof,
    /// A flame graph as a picture that can be zoomed and searched
    Svg,
    /// A page with the whole viewer in it
    Html,
    /// For <https://www.speedscope.app>
    Speedscope,
    /// The protobuf message that OTLP sends
    Otlp,
    /// Everything that is known, for scripts
    Json,
}

/// Endings of file names; the first that fits counts.
const ENDINGS: [(&str, Format); 11] = [
    (".speedscope.json", Format::Speedscope),
    (".json", Format::Json),
    (".folded", Format::Folded),
    (".collapsed", Format::Folded),
    (".txt", Format::Folded),
    (".pb.gz", Format::Pprof),
    (".pprof", Format::Pprof),
    (".svg", Format::Svg),
    (".html", Format::Html),
    (".htm", Format::Html),
    (".otlp", Format::Otlp),
];

impl Format {
    /// The format that the name of `file` asks for.
    pub(crate) fn of_file(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_string_lossy().to_ascii_lowercase();
        ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| *format)
    }

    /// All endings, for messages.
    pub(crate) fn endings() -> String {
        ENDINGS.map(|(ending, _)| ending).join(" ")
    }

    /// Whether a terminal cannot show it.
    pub(crate) fn is_binary(self) -> bool {
        matches!(self, Self::Pprof | Self::Otlp)
    }

    /// Whether it tells when each sample was taken.
    pub(crate) fn has_times(self) -> bool {
        matches!(self, Self::Otlp | Self::Json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_the_file_decides() {
        for (name, format) in [
            ("out.folded", Some(Format::Folded)),
            ("out.txt", Some(Format::Folded)),
            ("cpu.pb.gz", Some(Format::Pprof)),
            ("cpu.pprof", Some(Format::Pprof)),
            ("a.b.SVG", Some(Format::Svg)),
            ("dir.svg/page.html", Some(Format::Html)),
            ("x.speedscope.json", Some(Format::Speedscope)),
            ("x.json", Some(Format::Json)),
            ("x.otlp", Some(Format::Otlp)),
            ("x.gz", None),
            ("svg", None),
            ("/", None),
        ] {
            assert_eq!(Format::of_file(Path::new(name)), format, "{name}");
        }
    }
}
