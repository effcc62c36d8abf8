//! Pages that are made one by one against the table that is made at one stroke: of every executable and library of this
//! machine, every row.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod machine;

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use infrared_unwind::{CompactTable, Options, Page, Plan, Rule, build};
use object::ReadCache;

/// Pages that are wanted at once: never all of an image.
const BATCH: usize = 7;
/// Neighbours are in different batches, so that what one page needs is not read for another.
const STRIDE: usize = 13;

#[test]
fn every_page_of_every_binary_of_this_machine_equals_that_of_the_whole_table() {
    let paths = machine::elf_files();
    let (next, pages) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..threads {
            let work = || {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match compare(path) {
                        Ok(compared) => drop(pages.fetch_add(compared, Ordering::Relaxed)),
                        Err(failure) => failures.lock().unwrap().push(failure),
                    }
                }
            };
            let builder = std::thread::Builder::new().name(format!("pages {worker}"));
            builder.spawn_scoped(scope, work).unwrap();
        }
    });
    let (pages, failures) = (pages.into_inner(), failures.into_inner().unwrap());
    println!("{} files, {pages} pages", paths.len());
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(pages > 10_000, "too few pages to prove anything");
}

/// The number of pages compared, or where they differ.
fn compare(path: &Path) -> Result<usize, String> {
    let name = path.display();
    let Ok(file) = File::open(path) else { return Ok(0) };
    let Ok(whole) = build(&ReadCache::new(file), &Options::default()) else { return Ok(0) };
    let open = || ReadCache::new(File::open(path).unwrap());
    let mut plan = Plan::open(&open(), &Options::default()).map_err(|e| e.to_string())?;
    assert_eq!(plan.go(), whole.go.as_ref());
    let pages: Vec<u32> = plan.pages().collect();
    assert!(pages.is_sorted_by(|left, right| left < right));
    let with_rows = |page: &Page| pages.binary_search(&page.index).is_ok();
    assert!(whole.pages.iter().all(with_rows), "a page with rows is none with code: {name}");
    let shuffled: Vec<u32> =
        (0..STRIDE).flat_map(|from| pages.iter().skip(from).step_by(STRIDE)).copied().collect();
    for batch in shuffled.chunks(BATCH) {
        for (page, made) in plan.make(&open(), batch).map_err(|e| e.to_string())? {
            let (made, expected) = (rows_of(&made, page), rows_of(&whole, page));
            if made != expected {
                let at = made.iter().zip(&expected).position(|(made, expected)| made != expected);
                let at = at.unwrap_or(made.len().min(expected.len()));
                let (made, expected) = (made.get(at), expected.get(at));
                return Err(format!("{name} page {page:#x}: {made:x?}, not {expected:x?}"));
            }
        }
    }
    Ok(pages.len())
}

/// The rows of a page with their rules; that nothing covers it, where it has none.
fn rows_of(table: &CompactTable, page: u32) -> Vec<(u16, Rule)> {
    let Some(found) = table.pages.iter().find(|found| found.index == page) else {
        return vec![(0, Rule::NONE)];
    };
    let rows = table.rows_of(found).iter();
    rows.map(|row| (row.address_low, table.rules[usize::from(row.rule)])).collect()
}
