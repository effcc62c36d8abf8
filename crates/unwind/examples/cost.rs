//! What a plan and its pages cost: `cost FILE…` opens a plan of each file, then makes pages spread over it, one at a time.

use std::fs::File;
use std::time::{Duration, Instant};

use infrared_unwind::{Options, Plan};
use object::ReadCache;

/// Pages that are made of each file.
const PAGES: usize = 64;

fn main() {
    for path in std::env::args().skip(1) {
        match cost(&path) {
            Ok(line) => println!("{path}: {line}"),
            Err(error) => println!("{path}: {error}"),
        }
    }
}

fn cost(path: &str) -> Result<String, Box<dyn std::error::Error>> {
    let started = Instant::now();
    let mut plan = Plan::open(&ReadCache::new(File::open(path)?), &Options::default())?;
    let opened = started.elapsed();
    let all: Vec<u32> = plan.pages().collect();
    let wanted: Vec<u32> = all.iter().step_by(all.len().div_ceil(PAGES).max(1)).copied().collect();
    let (mut longest, mut rows) = (Duration::ZERO, 0);
    let started = Instant::now();
    for page in &wanted {
        let started = Instant::now();
        let made = plan.make(&ReadCache::new(File::open(path)?), &[*page])?;
        longest = longest.max(started.elapsed());
        rows += made.iter().map(|(_, table)| table.rows.len()).sum::<usize>();
    }
    let each = started.elapsed() / wanted.len().max(1) as u32;
    Ok(format!(
        "plan {opened:?}, {} KiB; {} of {} pages one by one: {each:?} each, {longest:?} the longest, {rows} rows",
        plan.bytes() >> 10,
        wanted.len(),
        all.len(),
    ))
}
