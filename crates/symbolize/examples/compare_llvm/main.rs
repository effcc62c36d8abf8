//! `compare_llvm ELF [COUNT | -]`: how many of our names equal `llvm-symbolizer`'s, over COUNT addresses
//! spread over the code (default 5000), or those on standard input, in hexadecimal, one a line.

mod compare;

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use infrared_symbolize::{Limits, Symbolizer};

/// Differences of a kind that are shown.
const SHOWN: usize = 10;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let elf = PathBuf::from(arguments.next().context("usage: compare_llvm ELF [COUNT | -]")?);
    let svmas = match arguments.next() {
        Some(dash) if dash == "-" => read_addresses()?,
        Some(count) => compare::spread(&elf, count.to_string_lossy().parse()?)?,
        None => compare::spread(&elf, 5000)?,
    };
    let mut symbolizer = Symbolizer::new(Limits::default());
    let start = Instant::now();
    compare::ours(&mut symbolizer, &elf, &svmas)?;
    let ours = start.elapsed();
    let result = compare::compare(&mut symbolizer, &elf, &svmas)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "addresses          {}", result.total())?;
    writeln!(out, "with inlined       {}", result.inlined)?;
    writeln!(out, "equal names        {} ({:.3} %)", result.equal, result.names_percent())?;
    writeln!(out, "of these, lines    {} ({:.3} %)", result.lines_equal, result.lines_percent())?;
    writeln!(out, "named by us only   {}", result.ours_only.len())?;
    writeln!(out, "our time           {} ms", ours.as_millis())?;
    writeln!(out, "our memory peak    {} KiB", peak_kib()?)?;
    writeln!(out, "{:?}", symbolizer.stats())?;
    for list in [&result.different, &result.ours_only, &result.other_lines] {
        for (svma, ours, theirs) in list.iter().take(SHOWN) {
            writeln!(out, "{svma:#x}\n  ours {ours:?}\n  llvm {theirs:?}")?;
        }
    }
    Ok(())
}

fn read_addresses() -> anyhow::Result<Vec<u64>> {
    let lines = std::io::stdin().lock().lines();
    let parse = |line: String| Ok(u64::from_str_radix(line.trim().trim_start_matches("0x"), 16)?);
    lines.map(|line| parse(line?)).collect()
}

/// The most memory that the process had resident (`VmHWM`, proc(5)).
fn peak_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
