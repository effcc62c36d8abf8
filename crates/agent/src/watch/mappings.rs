//! The executable mappings of one address space. Pure.

use std::collections::BTreeMap;

use infrared_bpf::abi::{IR_IMAGE_NONE, IR_IMAGE_PENDING, IR_IMAGE_UNREADABLE, ir_mapping};
use infrared_processes::maps::{Mapping, MappingKind};

use crate::images::ImageId;

/// What is known of the image behind a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageRef {
    /// Nobody has looked yet.
    Unresolved,
    /// No file: a JIT's code.
    Anonymous,
    /// There is a file, but it cannot be read, or is no image of this machine.
    Unreadable,
    /// An image, with the distance between its stated and its runtime addresses once its headers are read.
    Known { image: ImageId, bias: Option<u64> },
}

/// An executable mapping and its image.
#[derive(Clone, Debug)]
pub(crate) struct MappedCode {
    pub(crate) mapping: Mapping,
    pub(crate) image: ImageRef,
}

/// Of a process that has more mappings than this, no file is opened before it is needed. Browsers have some 200.
pub(crate) const MAX_EAGER: usize = 512;

/// Executable mappings that do not overlap, by start.
#[derive(Clone, Debug, Default)]
pub(crate) struct MappingSet(BTreeMap<u64, MappedCode>);

impl MappingSet {
    /// Adds a mapping; what it covers of others is theirs no more. Returns the ranges that held other code, and
    /// what is known of that.
    pub(crate) fn insert(&mut self, mapping: Mapping) -> Vec<(u64, u64, ImageRef)> {
        // The vsyscall page is the kernel's: no user code runs in it. Searches take addresses as signed numbers.
        if mapping.start >= mapping.end || mapping.end > i64::MAX as u64 {
            return Vec::new();
        }
        let (covered, resolved) = self.cut(&mapping);
        let image = match mapping.kind {
            MappingKind::Anonymous | MappingKind::Special => ImageRef::Anonymous,
            _ => resolved.unwrap_or(ImageRef::Unresolved),
        };
        self.0.insert(mapping.start, MappedCode { mapping, image });
        covered
    }

    /// Takes the range of `mapping` out, splitting what reaches over its ends. Returns the ranges that held other code, and
    /// what is known of the image if the same was there before.
    fn cut(&mut self, new: &Mapping) -> (Vec<(u64, u64, ImageRef)>, Option<ImageRef>) {
        let (start, end) = (new.start, new.end);
        let (mut covered, mut resolved) = (Vec::new(), None);
        let before = self.0.range(..start).next_back().map(|(key, _)| *key);
        let touched: Vec<u64> =
            before.into_iter().chain(self.0.range(start..end).map(|(key, _)| *key)).collect();
        for key in touched {
            let Some(code) = self.0.remove(&key) else { continue };
            if code.mapping.start < end && code.mapping.end > start {
                if is_same_code(&code.mapping, new) {
                    resolved = Some(code.image);
                } else {
                    covered.push((
                        code.mapping.start.max(start),
                        code.mapping.end.min(end),
                        code.image,
                    ));
                }
            }
            if code.mapping.start < start {
                let mut head = code.clone();
                head.mapping.end = head.mapping.end.min(start);
                self.0.insert(key, head);
            }
            if code.mapping.end > end {
                let mut tail = code;
                tail.mapping.file_offset += end - tail.mapping.start;
                tail.mapping.start = end;
                self.0.insert(end, tail);
            }
        }
        (covered, resolved)
    }

    /// Gives the image of a file to what is mapped of it in this range.
    pub(crate) fn resolve(&mut self, mapping: &Mapping, image: ImageRef) {
        let before =
            self.0.range(..=mapping.start).next_back().map_or(mapping.start, |(at, _)| *at);
        for (_, code) in self.0.range_mut(before..mapping.end) {
            if code.image == ImageRef::Unresolved && is_same_code(&code.mapping, mapping) {
                code.image = image;
            }
        }
    }

    pub(crate) fn find(&self, address: u64) -> Option<&MappedCode> {
        self.0
            .range(..=address)
            .next_back()
            .map(|(_, code)| code)
            .filter(|code| code.mapping.contains(address))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &MappedCode> {
        self.0.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut MappedCode> {
        self.0.values_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are so many that only the files of those are opened that a walk comes upon.
    pub(crate) fn is_crowded(&self) -> bool {
        self.len() > MAX_EAGER
    }

    /// The mappings as the kernel side has them. `number` tells what stands for an image there: its own number once its
    /// table was read.
    pub(crate) fn to_kernel(&self, mut number: impl FnMut(ImageId) -> u32) -> Vec<ir_mapping> {
        self.0
            .values()
            .map(|code| {
                let (image, bias) = match code.image {
                    ImageRef::Anonymous => (IR_IMAGE_NONE, 0),
                    ImageRef::Unreadable => (IR_IMAGE_UNREADABLE, 0),
                    ImageRef::Known { image, bias: Some(bias) } => (number(image), bias),
                    ImageRef::Unresolved | ImageRef::Known { .. } => (IR_IMAGE_PENDING, 0),
                };
                ir_mapping {
                    start: code.mapping.start,
                    end: code.mapping.end,
                    bias,
                    image,
                    reserved: 0,
                }
            })
            .collect()
    }
}

/// Whether two mappings that overlap have the same bytes where they do: of a file, at the same place of it. Of memory
/// without a file nothing is known either way: a JIT changes the protection of its code all the time.
fn is_same_code(one: &Mapping, other: &Mapping) -> bool {
    if one.kind == MappingKind::Anonymous && other.kind == MappingKind::Anonymous {
        return true;
    }
    let file = |mapping: &Mapping| (mapping.device, mapping.inode, mapping.kind);
    let offset = |mapping: &Mapping| mapping.file_offset.wrapping_sub(mapping.start);
    one.is_file() && file(one) == file(other) && offset(one) == offset(other)
}

#[cfg(test)]
mod tests {
    use infrared_processes::maps::MappingRef;

    use super::*;

    fn mapping(start: u64, end: u64, offset: u64) -> Mapping {
        let line = format!("{start:x}-{end:x} r-xp {offset:08x} fe:00 7 /lib/a.so");
        MappingRef::parse(line.as_bytes()).unwrap().to_mapping()
    }

    fn ranges(set: &MappingSet) -> Vec<(u64, u64, u64)> {
        set.iter().map(|c| (c.mapping.start, c.mapping.end, c.mapping.file_offset)).collect()
    }

    #[test]
    fn a_new_mapping_replaces_what_it_covers() {
        type Case<'a> = (&'a [(u64, u64)], &'a [(u64, u64, u64)]);
        let cases: [Case<'_>; 5] = [
            (
                &[(0x1000, 0x5000), (0x2000, 0x3000)],
                &[(0x1000, 0x2000, 0), (0x2000, 0x3000, 0), (0x3000, 0x5000, 0x2000)],
            ),
            (&[(0x1000, 0x3000), (0x2000, 0x4000)], &[(0x1000, 0x2000, 0), (0x2000, 0x4000, 0)]),
            (
                &[(0x2000, 0x4000), (0x1000, 0x3000)],
                &[(0x1000, 0x3000, 0), (0x3000, 0x4000, 0x1000)],
            ),
            (&[(0x2000, 0x3000), (0x1000, 0x4000)], &[(0x1000, 0x4000, 0)]),
            (&[(0x1000, 0x2000), (0x2000, 0x3000)], &[(0x1000, 0x2000, 0), (0x2000, 0x3000, 0)]),
        ];
        for (inserted, expected) in cases {
            let mut set = MappingSet::default();
            for (start, end) in inserted {
                set.insert(mapping(*start, *end, 0));
            }
            assert_eq!(ranges(&set), expected, "{inserted:x?}");
        }
    }

    #[test]
    fn what_held_other_code_is_told_and_the_same_code_keeps_its_image() {
        let known = ImageRef::Known { image: ImageId(20), bias: Some(0x1000) };
        let mut set = MappingSet::default();
        assert!(set.insert(mapping(0x1000, 0x5000, 0)).is_empty());
        set.iter_mut().for_each(|code| code.image = known);
        assert!(set.insert(mapping(0x2000, 0x6000, 0x1000)).is_empty(), "it grows");
        assert_eq!(set.find(0x5800).map(|code| code.image), Some(known));
        assert_eq!(set.insert(mapping(0x4000, 0x7000, 0)), [(0x4000, 0x6000, known)]);
        assert_eq!(set.find(0x4000).map(|code| code.image), Some(ImageRef::Unresolved));
        assert!(set.insert(mapping(0x7000, 0x8000, 0)).is_empty(), "it only touches");
    }

    #[test]
    fn the_vsyscall_page_is_left_out() {
        let mut set = MappingSet::default();
        set.insert(mapping(0xffff_ffff_ff60_0000, 0xffff_ffff_ff60_1000, 0));
        assert_eq!(set.len(), 0);
    }

    #[test]
    fn an_address_is_found_in_its_mapping_alone() {
        let mut set = MappingSet::default();
        set.insert(mapping(0x1000, 0x2000, 0));
        for (address, found) in [(0xfff, false), (0x1000, true), (0x1fff, true), (0x2000, false)] {
            assert_eq!(set.find(address).is_some(), found, "{address:x}");
        }
    }

    #[test]
    fn a_mapping_is_pending_until_its_table_is_loaded() {
        let mut set = MappingSet::default();
        set.insert(mapping(0x1000, 0x2000, 0));
        for code in set.iter_mut() {
            code.image = ImageRef::Known { image: ImageId(20), bias: Some(0x1000) };
        }
        assert_eq!(set.to_kernel(|_| IR_IMAGE_PENDING)[0].image, IR_IMAGE_PENDING);
        let ready = set.to_kernel(|id| id.0)[0];
        assert_eq!((ready.image, ready.bias), (20, 0x1000));
    }
}
