//! What `.eh_frame` does not describe of an image: Go's tables, `.debug_frame`, and code that is followed itself.

use gimli::{BaseAddresses, DebugFrame, LittleEndian};
use object::ReadRef;

use crate::build::Options;
use crate::cfi::CfiSection;
use crate::code::RecognizedCode;
use crate::error::Error;
use crate::go::GoCode;
use crate::image::Image;
use crate::spans::{Piece, Pieces, Source};
use crate::table::Stats;

/// The other sources, over the whole image: which of them describes what depends on all that is before it in trust.
#[derive(Debug)]
pub(crate) struct Rest {
    /// Sorted and disjoint. Where Go's tables describe, `.eh_frame` is not believed.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) code: RecognizedCode,
    stats: Stats,
}

impl Rest {
    /// `described` is what `.eh_frame` says.
    pub(crate) fn find<'d, R: ReadRef<'d>>(
        image: &Image<'d, R>,
        go: Option<&GoCode<'_>>,
        described: Pieces,
        options: &Options,
    ) -> Self {
        let mut stats = Stats::default();
        let mut pieces = Pieces::default();
        if let Some(go) = go {
            let spans = go.list();
            stats.go_functions = spans.len() as u64;
            pieces.add_layer(Source::Go, spans, &image.code);
        }
        pieces.fill(described);
        let debug_frame = optional(image.section_data(".debug_frame"), &mut stats);
        if let Some(data) = &debug_frame {
            let (bytes, bases) = (&data.bytes, BaseAddresses::default());
            let section = DebugFrame::new(bytes, LittleEndian);
            let listing =
                CfiSection::new(section, bases, image.machine.registers(), bytes.len()).list();
            stats.fdes += listing.spans.len() as u64;
            stats.malformed_fdes += listing.malformed;
            pieces.add_layer(Source::DebugFrame, listing.spans, &image.code);
        }
        let code = RecognizedCode::find(image, &pieces, options.max_followed_bytes);
        stats.recognized_ranges = code.spans.len() as u64;
        pieces.add_layer(Source::Code, code.spans.clone(), &image.code);
        stats.overlaps = pieces.overlaps;
        let is_rest = |piece: &&Piece| piece.source != Source::EhFrame;
        let pieces = pieces.as_slice().iter().filter(is_rest).copied().collect();
        Self { pieces, code, stats }
    }

    pub(crate) fn count(&self, stats: &mut Stats) {
        stats.fdes += self.stats.fdes;
        stats.malformed_fdes += self.stats.malformed_fdes;
        stats.overlaps += self.stats.overlaps;
        stats.unread_sections += self.stats.unread_sections;
        stats.go_functions = self.stats.go_functions;
        stats.recognized_ranges = self.stats.recognized_ranges;
    }

    /// Bytes of memory that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.pieces) + self.code.bytes()
    }
}

/// What may be missing: a section that cannot be read is counted.
pub(crate) fn optional<T>(read: Result<Option<T>, Error>, stats: &mut Stats) -> Option<T> {
    read.unwrap_or_else(|_| {
        stats.unread_sections += 1;
        None
    })
}
