//! Which source describes which addresses: layers of ranges → disjoint pieces.
//!
//! Layers come in order of trust. A later layer fills the holes of the earlier ones; inside a layer the range that
//! starts first keeps its addresses.

use std::ops::Range;

/// A range that a source describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) len: u32,
    /// The source's name for the description.
    pub(crate) key: u32,
}

impl Span {
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(u64::from(self.len))
    }
}

/// Who describes a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Go,
    EhFrame,
    DebugFrame,
    Code,
}

/// A part of a span that no better source describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) start: u64,
    pub(crate) len: u32,
    pub(crate) key: u32,
    pub(crate) source: Source,
}

impl Piece {
    pub(crate) fn end(&self) -> u64 {
        self.start + u64::from(self.len)
    }
}

/// Disjoint pieces, sorted by start.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pieces: Vec<Piece>,
    pub(crate) overlaps: u64,
}

impl Pieces {
    pub(crate) fn as_slice(&self) -> &[Piece] {
        &self.pieces
    }

    /// Adds what `spans` describe inside `code` and no earlier layer does.
    pub(crate) fn add_layer(&mut self, source: Source, mut spans: Vec<Span>, code: &[Range<u64>]) {
        spans.sort_by_key(|span| span.start);
        let taken = std::mem::take(&mut self.pieces);
        let mut added = Vec::with_capacity(spans.len());
        let mut covered_to = 0;
        let mut taken_from = 0;
        for span in &spans {
            let end = span.end();
            let start = span.start.max(covered_to);
            self.overlaps += u64::from(start > span.start);
            if start >= end {
                continue;
            }
            covered_to = end;
            while taken.get(taken_from).is_some_and(|piece| piece.end() <= start) {
                taken_from += 1;
            }
            let mut cut =
                Cut { source, key: span.key, taken: &taken[taken_from..], added: &mut added };
            let first = code.partition_point(|range| range.end <= start);
            for range in code[first..].iter().take_while(|range| range.start < end) {
                cut.keep(start.max(range.start), end.min(range.end));
            }
        }
        self.pieces = merge(taken, added);
    }

    /// Adds what `others` describe and the present ones do not.
    pub(crate) fn fill(&mut self, others: Self) {
        if self.pieces.is_empty() {
            self.pieces = others.pieces;
            return;
        }
        let taken = std::mem::take(&mut self.pieces);
        let mut added = Vec::with_capacity(others.pieces.len());
        let mut taken_from = 0;
        for piece in others.pieces {
            while taken.get(taken_from).is_some_and(|other| other.end() <= piece.start) {
                taken_from += 1;
            }
            let (source, key) = (piece.source, piece.key);
            Cut { source, key, taken: &taken[taken_from..], added: &mut added }
                .keep(piece.start, piece.end());
        }
        self.pieces = merge(taken, added);
    }

    /// Adds pieces that none of the present ones meets.
    pub(crate) fn add(&mut self, pieces: impl Iterator<Item = Piece>) {
        let taken = std::mem::take(&mut self.pieces);
        self.pieces = merge(taken, pieces.collect());
    }
}

/// Those of `pieces`, which are sorted and disjoint, that meet `range`, and both their neighbours.
pub(crate) fn around<'p>(pieces: &'p [Piece], range: &Range<u64>) -> &'p [Piece] {
    let first = pieces.partition_point(|piece| piece.end() <= range.start).saturating_sub(1);
    let after = pieces.partition_point(|piece| piece.start < range.end);
    pieces.get(first..(after + 1).min(pieces.len())).unwrap_or_default()
}

struct Cut<'a> {
    source: Source,
    key: u32,
    taken: &'a [Piece],
    added: &'a mut Vec<Piece>,
}

impl Cut<'_> {
    /// Keeps `start..end` but for what is taken.
    fn keep(&mut self, mut start: u64, end: u64) {
        for piece in self.taken.iter().take_while(|piece| piece.start < end) {
            self.push(start, piece.start.min(end));
            start = start.max(piece.end());
        }
        self.push(start, end);
    }

    fn push(&mut self, start: u64, end: u64) {
        if start < end {
            let len = (end - start) as u32;
            self.added.push(Piece { start, len, key: self.key, source: self.source });
        }
    }
}

fn merge(mut left: Vec<Piece>, mut right: Vec<Piece>) -> Vec<Piece> {
    if left.is_empty() {
        return right;
    }
    left.append(&mut right);
    left.sort_by_key(|piece| piece.start);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    type Flat = Vec<(u64, u64, u32)>;
    type Case<'c> = (&'c [&'c [(u64, u64, u32)]], Flat);

    fn layers(layers: &[&[(u64, u64, u32)]], code: &[Range<u64>]) -> Flat {
        let mut pieces = Pieces::default();
        let sources = [Source::Go, Source::EhFrame, Source::DebugFrame];
        for (spans, source) in layers.iter().zip(sources) {
            let spans = spans
                .iter()
                .map(|&(start, end, key)| Span { start, len: (end - start) as u32, key })
                .collect();
            pieces.add_layer(source, spans, code);
        }
        pieces.as_slice().iter().map(|piece| (piece.start, piece.end(), piece.key)).collect()
    }

    #[test]
    fn later_layers_fill_holes_only() {
        let code: &[Range<u64>] = &[10..50, 60..100];
        let cases: [Case<'_>; 6] = [
            (&[&[(0, 20, 1), (30, 70, 2)]], vec![(10, 20, 1), (30, 50, 2), (60, 70, 2)]),
            (&[&[(30, 40, 1), (20, 35, 2)]], vec![(20, 35, 2), (35, 40, 1)]),
            (&[&[(20, 30, 1), (20, 30, 2)]], vec![(20, 30, 1)]),
            (&[&[(20, 30, 1)], &[(15, 45, 2)]], vec![(15, 20, 2), (20, 30, 1), (30, 45, 2)]),
            (
                &[&[(20, 30, 1), (40, 45, 1)], &[(10, 50, 2), (12, 20, 3)], &[(60, 61, 4)]],
                vec![(10, 20, 2), (20, 30, 1), (30, 40, 2), (40, 45, 1), (45, 50, 2), (60, 61, 4)],
            ),
            (&[&[(100, 200, 1)]], vec![]),
        ];
        for (input, expected) in cases {
            assert_eq!(layers(input, code), expected, "{input:?}");
        }
    }
}
