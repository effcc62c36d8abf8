//! The loadable segments of an image, and the distance between stated and runtime addresses.

use crate::maps::Mapping;

/// A `PT_LOAD` program header. Addresses are as stated in the file (svma).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadSegment {
    pub file_offset: u64,
    pub svma: u64,
    pub file_size: u64,
    pub memory_size: u64,
    pub is_executable: bool,
}

impl LoadSegment {
    fn shared_bytes(&self, mapping: &Mapping) -> u64 {
        let length = mapping.end.saturating_sub(mapping.start);
        let begin = self.file_offset.max(mapping.file_offset);
        let end = self
            .file_offset
            .saturating_add(self.file_size)
            .min(mapping.file_offset.saturating_add(length));
        end.saturating_sub(begin)
    }
}

/// All `PT_LOAD` program headers of an image, in file order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadSegments(pub Vec<LoadSegment>);

impl LoadSegments {
    /// What must be subtracted (wrapping) from a runtime address in `mapping` to get the address
    /// stated in the file:
    ///
    /// ```text
    /// bias = mapping.start - (mapping.file_offset - segment.file_offset + segment.svma)
    /// ```
    ///
    /// Neighbouring segments can share a page of the file, so the segment is the executable one
    /// that has the most bytes in common with the mapping. `None` when there is none: the mapping
    /// then is not of this image, or not of its code.
    pub fn svma_bias(&self, mapping: &Mapping) -> Option<u64> {
        self.bias_by(mapping, true)
    }

    /// The same for a mapping that may be of data: by the segments that are executable if it is.
    pub fn svma_bias_of_any(&self, mapping: &Mapping) -> Option<u64> {
        self.bias_by(mapping, mapping.permissions.is_executable())
    }

    fn bias_by(&self, mapping: &Mapping, is_executable: bool) -> Option<u64> {
        let (segment, shared) = self
            .0
            .iter()
            .filter(|segment| segment.is_executable == is_executable)
            .map(|segment| (segment, segment.shared_bytes(mapping)))
            .max_by_key(|(_, shared)| *shared)?;
        (shared > 0).then(|| {
            let svma =
                mapping.file_offset.wrapping_sub(segment.file_offset).wrapping_add(segment.svma);
            mapping.start.wrapping_sub(svma)
        })
    }

    /// Where the file has the byte for a stated address, and how many follow it in its segment.
    pub fn file_offset_of_svma(&self, svma: u64) -> Option<(u64, u64)> {
        self.0.iter().find_map(|segment| {
            let within = svma.checked_sub(segment.svma)?;
            let rest = segment.file_size.checked_sub(within).filter(|rest| *rest > 0)?;
            Some((segment.file_offset.checked_add(within)?, rest))
        })
    }

    /// The address stated in the file for the byte at `file_offset`, if it is loaded.
    pub fn svma_of_file_offset(&self, file_offset: u64) -> Option<u64> {
        self.0.iter().find_map(|segment| {
            let within = file_offset.checked_sub(segment.file_offset)?;
            (within < segment.file_size).then(|| segment.svma.wrapping_add(within))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::MappingRef;

    fn mapping(line: &str) -> Mapping {
        MappingRef::parse(line.as_bytes()).unwrap().to_mapping()
    }

    fn segment(file_offset: u64, svma: u64, file_size: u64, is_executable: bool) -> LoadSegment {
        LoadSegment { file_offset, svma, file_size, memory_size: file_size, is_executable }
    }

    #[test]
    fn the_bias_follows_from_the_segment_that_is_mapped() {
        let pie =
            LoadSegments(vec![segment(0, 0, 0x1800, false), segment(0x2000, 0x2000, 0x5000, true)]);
        let fixed = LoadSegments(vec![segment(0, 0x40_0000, 0x9000, true)]);
        // lld: segments follow each other in the file without padding, one page apart in memory
        let packed = LoadSegments(vec![
            segment(0, 0, 0x1840, false),
            segment(0x1840, 0x2840, 0x900, true),
            segment(0x2140, 0x4140, 0x100, true),
        ]);
        let table = [
            (&pie, "561e757b9000-561e757be000 r-xp 00002000 fe:00 1 /a", Some(0x561e_757b_7000)),
            (&pie, "561e757bb000-561e757be000 r-xp 00004000 fe:00 1 /a", Some(0x561e_757b_7000)),
            (&pie, "561e757b9000-561e757be000 r-xp 00008000 fe:00 1 /a", None),
            (&fixed, "00400000-00409000 r-xp 00000000 fe:00 1 /a", Some(0)),
            (&packed, "70002000-70004000 r-xp 00001000 fe:00 1 /a", Some(0x7000_0000)),
            (&packed, "70004000-70005000 r-xp 00002000 fe:00 1 /a", Some(0x7000_1000)),
        ];
        for (segments, line, bias) in table {
            assert_eq!(segments.svma_bias(&mapping(line)), bias, "{line}");
        }
    }

    #[test]
    fn a_stated_address_is_in_the_file_as_far_as_its_segment_is() {
        let segments =
            LoadSegments(vec![segment(0, 0x1000, 0x800, false), segment(0x800, 0x2800, 8, true)]);
        for (svma, place) in [
            (0x1000, Some((0, 0x800))),
            (0x17ff, Some((0x7ff, 1))),
            (0x1800, None),
            (0x2804, Some((0x804, 4))),
            (0x2808, None),
            (0, None),
        ] {
            assert_eq!(segments.file_offset_of_svma(svma), place, "{svma:x}");
        }
        let hostile = LoadSegments(vec![segment(u64::MAX, 0, u64::MAX, true)]);
        assert_eq!(hostile.file_offset_of_svma(1), None);
    }

    #[test]
    fn hostile_headers_give_a_number_or_nothing() {
        let hostile = LoadSegments(vec![segment(u64::MAX, u64::MAX, u64::MAX, true)]);
        let edge = mapping("fffffffffffff000-ffffffffffffffff r-xp ffffffffffffffff fe:00 1 /a");
        assert_eq!(hostile.svma_bias(&edge), None);
        let all = LoadSegments(vec![segment(0, u64::MAX, u64::MAX, true)]);
        assert!(all.svma_bias(&mapping("0-1 r-xp 00000000 fe:00 1 /a")).is_some());
        assert_eq!(LoadSegments::default().svma_bias(&edge), None);
    }
}
