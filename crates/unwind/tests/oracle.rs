//! Every row of the tables of every executable and library of this machine equals what gimli's evaluator says.
//!
//! The translation of gimli's rows is written here a second time, on the bytes of expressions, so that it shares
//! nothing with the crate.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod machine;
mod translator;

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gimli::{
    BaseAddresses, CieOrFde, DebugFrame, EhFrame, EndianSlice, LittleEndian, UnwindContext,
    UnwindSection,
};
use infrared_unwind::{CompactTable, Options, Rule, RuleKind, build, lookup};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSegment as _, ReadCache, SegmentFlags};

type Bytes<'d> = EndianSlice<'d, LittleEndian>;
type Image<'d> = ElfFile64<'d, object::LittleEndian, &'d ReadCache<File>>;

#[derive(Debug, Default)]
struct Tally {
    files: u64,
    fdes: u64,
    rows: u64,
    unsupported: u64,
    failures: Vec<String>,
}

/// One image under test.
struct Subject<'d> {
    path: &'d Path,
    table: CompactTable,
    code: Vec<Range<u64>>,
    go_text: Range<u64>,
    covered: Vec<Range<u64>>,
}

#[test]
fn every_row_of_every_binary_of_this_machine_equals_gimlis() {
    let paths = machine::elf_files();
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Tally::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..threads {
            let work = || {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut tally = Tally::default();
                    check_file(path, &mut tally);
                    add(&mut total.lock().unwrap(), tally);
                }
            };
            let builder = std::thread::Builder::new().name(format!("oracle {worker}"));
            builder.spawn_scoped(scope, work).unwrap();
        }
    });
    let total = total.into_inner().unwrap();
    println!(
        "{} files, {} frame descriptions, {} rows, {} of them not expressible ({:.6} %)",
        total.files,
        total.fdes,
        total.rows,
        total.unsupported,
        total.unsupported as f64 * 100.0 / total.rows as f64
    );
    assert!(total.failures.is_empty(), "{:#?}", total.failures);
    assert!(total.files > 100, "too few binaries to prove anything");
    assert!(total.rows > 1_000_000, "too few rows to prove anything");
    assert!(total.unsupported * 10_000 < total.rows, "the rules express too little");
}

fn add(total: &mut Tally, part: Tally) {
    total.files += part.files;
    total.fdes += part.fdes;
    total.rows += part.rows;
    total.unsupported += part.unsupported;
    let room = 20_usize.saturating_sub(total.failures.len());
    total.failures.extend(part.failures.into_iter().take(room));
}

fn check_file(path: &Path, tally: &mut Tally) {
    let Ok(file) = File::open(path) else { return };
    let cache = ReadCache::new(file);
    let Ok(image) = Image::parse(&cache) else { return };
    if image.architecture() != object::Architecture::X86_64 {
        return;
    }
    let table = match build(&cache, &Options::default()) {
        Ok(table) => table,
        Err(error) => {
            tally.failures.push(format!("{}: {error}", path.display()));
            return;
        }
    };
    tally.files += 1;
    let go_text = table.go.as_ref().map_or(0..0, |go| go.text.clone());
    let code = code_of(&image);
    let mut subject = Subject { path, table, code, go_text, covered: Vec::new() };
    let data = |name| {
        let section = image.section_by_name(name)?;
        Some((section.address(), section.uncompressed_data().ok()?))
    };
    if let Some((address, data)) = data(".eh_frame") {
        let bases = BaseAddresses::default().set_eh_frame(address);
        let mut section = EhFrame::new(&data, LittleEndian);
        section.set_address_size(8);
        check_section(&mut subject, &section, &bases, tally);
    }
    if let Some((_, data)) = data(".debug_frame") {
        let mut section = DebugFrame::new(&data, LittleEndian);
        section.set_address_size(8);
        check_section(&mut subject, &section, &BaseAddresses::default(), tally);
    }
}

fn code_of(image: &Image<'_>) -> Vec<Range<u64>> {
    image
        .segments()
        .filter(|segment| match segment.flags() {
            SegmentFlags::Elf { p_flags } => p_flags & object::elf::PF_X != 0,
            _ => false,
        })
        .map(|segment| segment.address()..segment.address() + segment.file_range().1)
        .collect()
}

fn check_section<'d, S: UnwindSection<Bytes<'d>>>(
    subject: &mut Subject<'_>,
    section: &S,
    bases: &BaseAddresses,
    tally: &mut Tally,
) {
    let mut context = UnwindContext::new();
    let mut entries = section.entries(bases);
    let mut ranges = Vec::new();
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let Ok(fde) = partial.parse(S::cie_from_offset) else { continue };
        let range = fde.initial_address()..fde.initial_address().wrapping_add(fde.len());
        let in_code =
            subject.code.iter().any(|code| code.start <= range.start && range.end <= code.end);
        if range.is_empty() || !in_code || subject.go_text.contains(&range.start) {
            continue;
        }
        let first = subject.covered.partition_point(|covered| covered.end <= range.start);
        if subject.covered.get(first).is_some_and(|covered| covered.start < range.end) {
            continue;
        }
        ranges.push(range);
        check_fde(subject, section, bases, &fde, &mut context, tally);
    }
    subject.covered.append(&mut ranges);
    subject.covered.sort_by_key(|range| range.start);
}

fn check_fde<'d, S: UnwindSection<Bytes<'d>>>(
    subject: &Subject<'_>,
    section: &S,
    bases: &BaseAddresses,
    fde: &gimli::FrameDescriptionEntry<Bytes<'d>>,
    context: &mut UnwindContext<usize>,
    tally: &mut Tally,
) {
    tally.fdes += 1;
    let mut done_to = fde.initial_address();
    let mut rows = fde.rows(section, bases, context).unwrap();
    loop {
        let (range, expected) = match rows.next_row() {
            Ok(None) => return,
            Ok(Some(row)) => {
                let range = row.start_address()..row.end_address().min(fde.end_address());
                let signal = fde.is_signal_trampoline();
                (range, translator::rule(row, section, signal))
            }
            // What gimli does not evaluate the table must not claim to know.
            Err(_) => (done_to..fde.end_address(), Rule::UNSUPPORTED),
        };
        if range.is_empty() {
            if range.start >= fde.end_address() {
                return;
            }
            continue;
        }
        tally.rows += 1;
        tally.unsupported += u64::from(expected.kind == RuleKind::Unsupported);
        done_to = range.end;
        for pc in [range.start, range.start + (range.end - range.start) / 2, range.end - 1] {
            let found = lookup(&subject.table, pc);
            if found != Some(&expected) && tally.failures.len() < 5 {
                let path = subject.path.display();
                tally.failures.push(format!("{path} {pc:#x}: {found:?}, gimli {expected:?}"));
            }
        }
        if range.end >= fde.end_address() {
            return;
        }
    }
}
