use super::*;
use crate::maps::MappingRef;

fn mapping(line: &str) -> Mapping {
    MappingRef::parse(line.as_bytes()).unwrap().to_mapping()
}

/// As lld lays a program out: offsets and addresses drift apart by a page a segment.
fn packed() -> LoadSegments {
    let segment = |file_offset, svma, file_size, is_executable| LoadSegment {
        file_offset,
        svma,
        file_size,
        memory_size: file_size,
        is_executable,
    };
    LoadSegments(vec![
        segment(0, 0, 0x1840, false),
        segment(0x1840, 0x2840, 0x2900, true),
        segment(0x4140, 0x6140, 0x100, false),
    ])
}

#[test]
fn the_place_follows_from_either_neighbour() {
    let anonymous = mapping("70002000-70006000 r-xp 00000000 00:00 0");
    for neighbour in
        ["70000000-70002000 r--p 00000000 fe:00 1 /a", "70006000-70007000 rw-p 00004000 fe:00 1 /a"]
    {
        let part = place(&packed(), &mapping(neighbour), &anonymous).unwrap();
        assert_eq!(part, mapping("70002000-70006000 r-xp 00001000 fe:00 1 /a"), "{neighbour}");
    }
}

#[test]
fn a_part_of_the_text_and_more_than_the_text_have_their_places() {
    let before = mapping("70000000-70002000 r--p 00000000 fe:00 1 /a");
    for (found, part) in [
        ("70003000-70004000 r-xp 0 00:00 0", Some("70003000-70004000 r-xp 2000 fe:00 1 /a")),
        ("70002000-70200000 r-xp 0 00:00 0", Some("70002000-70006000 r-xp 1000 fe:00 1 /a")),
        ("70006000-70008000 r-xp 0 00:00 0", None),
        ("6ffff000-70002000 r-xp 0 00:00 0", None),
    ] {
        assert_eq!(place(&packed(), &before, &mapping(found)), part.map(mapping), "{found}");
    }
}

#[test]
fn hostile_headers_give_a_place_or_none() {
    let hostile = LoadSegments(
        [(u64::MAX, 5), (0, u64::MAX), (1, 4097)]
            .map(|(file_offset, svma)| LoadSegment {
                file_offset,
                svma,
                file_size: u64::MAX,
                memory_size: 0,
                is_executable: true,
            })
            .to_vec(),
    );
    for line in [
        "0-1000 r-xp 0 fe:00 1 /a",
        "fffffffffffff000-ffffffffffffffff r-xp ffffffffffffffff fe:00 1 /a",
    ] {
        for found in ["0-1000 r-xp 0 00:00 0", "fffffffffffff000-ffffffffffffffff r-xp 0 00:00 0"] {
            place(&hostile, &mapping(line), &mapping(found));
        }
    }
}

#[test]
fn text_that_was_patched_in_places_is_equal_and_other_text_is_not() {
    let stored: Vec<u8> =
        (0..16_384_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let judge = |memory: &[u8]| {
        let mut equality = Equality::default();
        equality.add(memory, &stored);
        equality.is_enough()
    };
    assert!(judge(&stored));
    let mut patched = stored.clone();
    for at in (0..stored.len()).step_by(2048) {
        patched[at] ^= 0xff;
    }
    assert!(judge(&patched));
    let mut half = stored.clone();
    half[8192..].fill(0);
    assert!(!judge(&half));
    let shifted: Vec<u8> = stored.iter().copied().cycle().skip(1).take(stored.len()).collect();
    assert!(!judge(&shifted));
}

#[test]
fn padding_proves_nothing() {
    let mut equality = Equality::default();
    for byte in [0xcc, 0] {
        equality.add(&[byte; 8192], &[byte; 8192]);
    }
    assert!(!equality.is_enough());
}
