//! Our names for addresses of an ELF file against those of `llvm-symbolizer`, inlined frames included.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, ensure};
use infrared_symbolize::{DebugSearch, Image, ImageId, ReadAt, Symbolized, Symbolizer, open_below};

/// A frame of `llvm-symbolizer`'s; `??` and 0 are unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LlvmFrame {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// How the two agree, in addresses.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// The same linker names on all the frames, or unnamed on both sides.
    pub(crate) equal: usize,
    /// Of these, the same file and line on all the frames too.
    pub(crate) lines_equal: usize,
    /// Named by us and not by LLVM: PLT stubs, `.gnu_debugdata`.
    pub(crate) ours_only: Vec<(u64, Vec<String>, Vec<String>)>,
    /// Other names, or more or fewer frames.
    pub(crate) different: Vec<(u64, Vec<String>, Vec<String>)>,
    /// Equal names on other lines, as `file:line` of both.
    pub(crate) other_lines: Vec<(u64, Vec<String>, Vec<String>)>,
    /// Addresses with inlined frames.
    pub(crate) inlined: usize,
}

impl Comparison {
    pub(crate) fn total(&self) -> usize {
        self.equal + self.ours_only.len() + self.different.len()
    }

    /// The share of the addresses named by LLVM that have equal names, in percent.
    pub(crate) fn names_percent(&self) -> f64 {
        percent(self.equal, self.equal + self.different.len())
    }

    /// The share of those with equal names that have equal lines, in percent.
    pub(crate) fn lines_percent(&self) -> f64 {
        percent(self.lines_equal, self.equal)
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// Compares both on the stated virtual addresses `svmas` of `elf`.
pub(crate) fn compare(
    symbolizer: &mut Symbolizer,
    elf: &Path,
    svmas: &[u64],
) -> anyhow::Result<Comparison> {
    let theirs = llvm(elf, svmas)?;
    let ours = ours(symbolizer, elf, svmas)?;
    let mut result = Comparison::default();
    for ((&svma, ours), theirs) in svmas.iter().zip(&ours).zip(&theirs) {
        result.add(svma, ours, theirs);
    }
    Ok(result)
}

impl Comparison {
    fn add(&mut self, svma: u64, ours: &Symbolized, theirs: &[LlvmFrame]) {
        self.inlined += usize::from(theirs.len() > 1);
        let unnamed = theirs.last().is_none_or(|f| f.name == "??");
        let last = ours.lines.len() - 1;
        let name = |(i, line): (usize, &infrared_symbolize::Line)| {
            if ours.unnamed && i == last { "??".to_owned() } else { line.system_name.to_string() }
        };
        let our_names: Vec<String> = ours.lines.iter().enumerate().map(name).collect();
        let their_names: Vec<String> = theirs.iter().map(|f| f.name.clone()).collect();
        if our_names != their_names {
            if unnamed {
                self.ours_only.push((svma, our_names, their_names));
            } else {
                self.different.push((svma, our_names, their_names));
            }
            return;
        }
        self.equal += 1;
        // Without a line LLVM may show the symbol table's file name, which is no path.
        let place = |file: &str, line: u32| match line {
            0 => "??:0".to_owned(),
            _ => format!("{file}:{line}"),
        };
        let our_lines: Vec<String> = ours.lines.iter().map(|l| place(&l.file, l.line)).collect();
        let their_lines: Vec<String> = theirs.iter().map(|f| place(&f.file, f.line)).collect();
        if our_lines == their_lines {
            self.lines_equal += 1;
        } else {
            self.other_lines.push((svma, our_lines, their_lines));
        }
    }
}

pub(crate) fn ours(
    symbolizer: &mut Symbolizer,
    elf: &Path,
    svmas: &[u64],
) -> anyhow::Result<Vec<Symbolized>> {
    let elf = elf.canonicalize()?;
    let search = DebugSearch {
        binary: elf.clone(),
        root: PathBuf::from("/"),
        global: vec![PathBuf::from("/usr/lib/debug")],
        open: open_below,
    };
    let id = ImageId::BuildId(Arc::from(elf.to_string_lossy()));
    let open = || Ok(Box::new(File::open(&elf)?) as Box<dyn ReadAt>);
    Ok(symbolizer.symbolize(&Image { id: &id, open: &open, search: &search }, svmas))
}

/// Runs `llvm-symbolizer` (Debian's package `llvm`).
pub(crate) fn llvm(elf: &Path, svmas: &[u64]) -> anyhow::Result<Vec<Vec<LlvmFrame>>> {
    let mut child = Command::new("llvm-symbolizer")
        .args(["--inlines", "--functions=linkage", "--no-demangle", "--output-style=LLVM"])
        .arg(format!("--obj={}", elf.canonicalize()?.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("llvm-symbolizer is needed: install llvm")?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    let svmas_sent = svmas.to_vec();
    let writer = std::thread::Builder::new()
        .name("addresses".into())
        .spawn(move || svmas_sent.iter().try_for_each(|a| writeln!(stdin, "{a:#x}")))?;
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| anyhow::anyhow!("the writing thread panicked"))??;
    ensure!(output.status.success(), "llvm-symbolizer failed: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answers: Vec<Vec<LlvmFrame>> =
        text.trim_end_matches('\n').split("\n\n").map(frames).collect();
    ensure!(answers.len() == svmas.len(), "{} answers for {}", answers.len(), svmas.len());
    Ok(answers)
}

/// Pairs of lines: name, and `file:line:column`.
fn frames(answer: &str) -> Vec<LlvmFrame> {
    let lines: Vec<&str> = answer.lines().collect();
    let pair = |pair: &[&str]| {
        let mut place = pair.get(1).copied().unwrap_or_default().rsplitn(3, ':');
        let _column = place.next();
        let line = place.next().and_then(|l| l.parse().ok()).unwrap_or(0);
        let file = place.next().unwrap_or("??").to_owned();
        LlvmFrame { name: pair[0].to_owned(), file, line }
    };
    lines.chunks(2).map(pair).collect()
}

/// `count` addresses spread evenly over the executable sections, by `readelf` (binutils). Without PLT
/// sections, for whose stubs LLVM 14 gives the name of whatever precedes them.
pub(crate) fn spread(elf: &Path, count: usize) -> anyhow::Result<Vec<u64>> {
    let output = Command::new("readelf").args(["-SW"]).arg(elf).output()?;
    ensure!(output.status.success(), "readelf failed: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut ranges = Vec::new();
    for line in text.lines().filter_map(|l| l.split_once(']').map(|(_, rest)| rest)) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, _, address, _, size, _, flags, ..] = words[..] else { continue };
        if flags.contains('X') && !name.starts_with(".plt") {
            ranges.push((u64::from_str_radix(address, 16)?, u64::from_str_radix(size, 16)?));
        }
    }
    let total: u64 = ranges.iter().map(|r| r.1).sum();
    ensure!(total > 0, "no executable section");
    let step = (total / count as u64).max(1) | 1;
    let mut svmas = Vec::new();
    let mut offset = 0;
    for (start, size) in ranges {
        while offset < size {
            svmas.push(start + offset);
            offset += step;
        }
        offset -= size;
    }
    Ok(svmas)
}
