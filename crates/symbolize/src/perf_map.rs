//! `/tmp/perf-PID.map`, the files in which JIT compilers list their code: `START SIZE name`, start and
//! size in hexadecimal (`tools/perf/Documentation/jit-interface.txt` in the kernel's source). The file
//! belongs to the profiled process, so its content is taken as hostile.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::debug_file::open_below;
use crate::input::Sequential;
use crate::text_lines;

/// Longer lines are cut; Scala and JavaScript names reach a few KiB.
const MAX_LINE: usize = 4096;

/// Lines that were replaced are remembered so long, in nanoseconds: longer than a sample waits to be named.
const REMEMBERED_NS: i64 = 60_000_000_000;
const MAX_REPLACED: usize = 1024;
/// A file's time is as coarse as the kernel's tick, at most 10 ms.
const TICK_NS: i64 = 10_000_000;

/// Bounds for one process's map.
#[derive(Debug, Clone, Copy)]
pub struct PerfMapLimits {
    /// Ranges held, some 48 bytes each.
    pub entries: usize,
    /// Bytes of names held.
    pub name_bytes: usize,
    /// Bytes of the file read at one refresh; the rest is read at the next.
    pub read_bytes: u64,
}

impl Default for PerfMapLimits {
    fn default() -> Self {
        Self { entries: 200_000, name_bytes: 8 << 20, read_bytes: 64 << 20 }
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    end: u64,
    name: u32,
    name_len: u32,
    /// Before this time (Unix time, nanoseconds) other code may have been there.
    since: i64,
}

/// Code that was at `start..end` from `since` to `from`, and made room for other code until `until` (Unix time,
/// nanoseconds): `from` is when the map was read last before that was known, `until` when it was last written to.
#[derive(Debug)]
struct Replaced {
    start: u64,
    end: u64,
    name: Box<str>,
    since: i64,
    from: i64,
    until: i64,
}

/// The ranges of one process's map. Where ranges overlap the later line is right: the memory was used
/// again. Lines have no time; when the map was read tells about when that was.
#[derive(Debug)]
pub struct PerfMap {
    limits: PerfMapLimits,
    ranges: BTreeMap<u64, Entry>,
    names: String,
    /// In the order in which they were replaced.
    replaced: VecDeque<Replaced>,
    /// Between which times the lines that are being read were written.
    written: (i64, i64),
    /// The latest of the times since when entries are sure.
    sure_since: i64,
    is_settled: bool,
    /// When the map was read to its end last.
    read: Option<i64>,
    /// Bytes of the file that have been taken in.
    consumed: u64,
    /// (device, inode) of the file they were in.
    file: Option<(u64, u64)>,
    dropped: u64,
    malformed: u64,
}

impl PerfMap {
    pub fn new(limits: PerfMapLimits) -> Self {
        Self {
            limits,
            ranges: BTreeMap::new(),
            names: String::new(),
            replaced: VecDeque::new(),
            written: (i64::MIN, i64::MIN),
            sure_since: i64::MIN,
            is_settled: true,
            read: None,
            consumed: 0,
            file: None,
            dropped: 0,
            malformed: 0,
        }
    }

    /// Where a process's map is, below its root. `namespace_pid` is its pid as it sees it itself.
    pub fn path(namespace_pid: u32) -> PathBuf {
        PathBuf::from(format!("/tmp/perf-{namespace_pid}.map"))
    }

    /// Reads what was added to the process's map since the last call, all of it when the file was
    /// replaced. `root` is the process's root as we see it. See [`PerfMap::refresh_file`].
    pub fn refresh(&mut self, root: &Path, namespace_pid: u32, since: i64) -> io::Result<bool> {
        self.refresh_file(&open_below(root, &Self::path(namespace_pid))?, since)
    }

    /// The same of a map that is open. One that was last changed before `since` (Unix time, nanoseconds) is another process's.
    /// Returns whether there was anything new.
    pub fn refresh_file(&mut self, file: &File, since: i64) -> io::Result<bool> {
        if changed(&file.metadata()?) < since {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the map is an earlier process's"));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.refresh_from(file, i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
    }

    fn refresh_from(&mut self, file: &File, now: i64) -> io::Result<bool> {
        let meta = file.metadata()?;
        let identity = Some((meta.dev(), meta.ino()));
        if self.file != identity || meta.len() < self.consumed {
            *self = Self { file: identity, ..Self::new(self.limits) };
        }
        let oldest = now.saturating_sub(REMEMBERED_NS);
        self.replaced.retain(|replaced| replaced.until > oldest);
        self.is_settled = self.sure_since <= oldest;
        if meta.len() == self.consumed {
            self.read = Some(now);
            return Ok(false);
        }
        let until = changed(&meta).saturating_add(TICK_NS);
        self.written = (self.read.unwrap_or(i64::MIN), until);
        let before = self.consumed;
        let window = Sequential::new(file, before);
        let reader = BufReader::with_capacity(64 << 10, window.take(self.limits.read_bytes));
        let complete = self.read(reader)?;
        // A line longer than a whole refresh is passed over, or it would be read again for ever.
        let stuck = complete == 0 && meta.len() - before >= self.limits.read_bytes;
        self.consumed += if stuck { self.limits.read_bytes } else { complete };
        if self.consumed >= meta.len() {
            self.read = Some(now);
        }
        Ok(self.consumed > before)
    }

    /// Takes in the lines of `reader` and returns the bytes of complete lines.
    pub fn read(&mut self, reader: impl io::BufRead) -> io::Result<u64> {
        text_lines::for_each(reader, MAX_LINE, |line| {
            match parse(line) {
                Some((start, size, name)) => self.insert(start, size, name),
                None => self.malformed += 1,
            }
            true
        })
    }

    fn insert(&mut self, start: u64, size: u64, name: &str) {
        let Some(end) = start.checked_add(size).filter(|_| size > 0) else {
            self.malformed += 1;
            return;
        };
        let since = self.remember(start, end, name);
        self.clear(start, end);
        let full = self.ranges.len() >= self.limits.entries
            || self.names.len() + name.len() > self.limits.name_bytes;
        if full && !self.compact(name.len()) {
            self.dropped += 1;
            return;
        }
        let at = self.names.len() as u32;
        let entry = Entry { end, name: at, name_len: name.len() as u32, since };
        if since != i64::MIN {
            self.sure_since = self.sure_since.max(since);
            self.is_settled = false;
        }
        self.names.push_str(name);
        self.ranges.insert(start, entry);
    }

    /// Keeps what `start..end` was until now, for samples of then; returns since when it is `name` for sure.
    fn remember(&mut self, start: u64, end: u64, name: &str) -> i64 {
        let (from, until) = self.written;
        let mut sure_since = i64::MIN;
        let before = self.ranges.range(..start).next_back();
        for (&at, entry) in before.into_iter().chain(self.ranges.range(start..end)) {
            let (start, end) = (start.max(at), end.min(entry.end));
            let was = name_of(&self.names, entry).unwrap_or_default();
            if start >= end {
                continue;
            }
            if was == name {
                sure_since = sure_since.max(entry.since);
                continue;
            }
            sure_since = sure_since.max(until);
            if from > entry.since {
                if self.replaced.len() >= MAX_REPLACED {
                    self.replaced.pop_front();
                }
                let since = entry.since;
                self.replaced.push_back(Replaced {
                    start,
                    end,
                    name: was.into(),
                    since,
                    from,
                    until,
                });
            }
        }
        sure_since
    }

    /// Cuts `start..end` out of the ranges that are there.
    fn clear(&mut self, start: u64, end: u64) {
        if let Some((&before, entry)) = self.ranges.range_mut(..start).next_back()
            && entry.end > start
        {
            let rest = Entry { end: entry.end, ..*entry };
            entry.end = start;
            debug_assert!(before < start);
            if rest.end > end {
                self.ranges.insert(end, rest);
            }
        }
        while let Some((&within, &entry)) = self.ranges.range(start..end).next() {
            self.ranges.remove(&within);
            if entry.end > end {
                self.ranges.insert(end, entry);
            }
        }
    }

    /// Drops the names that no range has any more; whether there is room then for one of `name_len`.
    fn compact(&mut self, name_len: usize) -> bool {
        let live: usize = self.ranges.values().map(|e| e.name_len as usize).sum();
        if self.ranges.len() >= self.limits.entries || live + name_len > self.limits.name_bytes / 2
        {
            return false;
        }
        let mut names = String::with_capacity(live);
        for entry in self.ranges.values_mut() {
            let from = entry.name as usize;
            let name = self.names.get(from..from + entry.name_len as usize).unwrap_or_default();
            entry.name = names.len() as u32;
            names.push_str(name);
        }
        self.names = names;
        true
    }

    /// The name at a run-time address, as the map is now.
    pub fn lookup(&self, address: u64) -> Option<&str> {
        let (_, entry) =
            self.ranges.range(..=address).next_back().filter(|(_, e)| address < e.end)?;
        name_of(&self.names, entry)
    }

    /// The name at a run-time address at a time (Unix time, nanoseconds); none if it was about then that
    /// other code took its place, as nobody can tell which of the two it was. After the last reading it is as it was then.
    pub fn lookup_at(&self, address: u64, time: i64) -> Option<&str> {
        let (_, entry) =
            self.ranges.range(..=address).next_back().filter(|(_, e)| address < e.end)?;
        if time >= entry.since {
            return name_of(&self.names, entry);
        }
        let was = self.replaced.iter().find(|replaced| {
            (replaced.start..replaced.end).contains(&address)
                && (replaced.since..=replaced.from).contains(&time)
        });
        was.map(|replaced| &*replaced.name)
    }

    /// Whether an address has one name at all times that are remembered.
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Ranges held.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Lines dropped because a limit was reached, and those that are not `START SIZE name`, since this was asked last.
    pub fn take_losses(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.dropped), std::mem::take(&mut self.malformed))
    }

    /// Bytes held, about.
    pub fn size(&self) -> usize {
        let replaced = self.replaced.iter().map(|it| size_of::<Replaced>() + it.name.len());
        self.ranges.len() * 48 + self.names.capacity() + replaced.sum::<usize>()
    }
}

fn name_of<'n>(names: &'n str, entry: &Entry) -> Option<&'n str> {
    let from = entry.name as usize;
    names.get(from..from + entry.name_len as usize)
}

/// Unix time of a file's last change, in nanoseconds.
fn changed(meta: &Metadata) -> i64 {
    meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec())
}

fn parse(line: &[u8]) -> Option<(u64, u64, &str)> {
    let line = match std::str::from_utf8(line) {
        Ok(line) => line,
        // a name that was cut within a character
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&line[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let (start, rest) = line.trim_start().split_once(' ')?;
    let (size, name) = rest.trim_start().split_once(' ')?;
    let name = name.trim();
    let hex = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
    (!name.is_empty()).then_some((hex(start)?, hex(size)?, name))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn map(text: &str) -> PerfMap {
        let mut map = PerfMap::new(PerfMapLimits::default());
        map.read(text.as_bytes()).unwrap();
        map
    }

    #[test]
    fn the_later_of_overlapping_lines_is_right() {
        let map = map("1000 100 old\n1040 20 inner\n10f0 20 tail\n2000 10 a\n1ff0 100 over\n");
        let cases = [
            (0xfff, None),
            (0x1000, Some("old")),
            (0x1040, Some("inner")),
            (0x1060, Some("old")),
            (0x10ef, Some("old")),
            (0x10f0, Some("tail")),
            (0x110f, Some("tail")),
            (0x1110, None),
            (0x2005, Some("over")),
        ];
        for (address, want) in cases {
            assert_eq!(map.lookup(address), want, "{address:#x}");
        }
    }

    #[test]
    fn garbage_is_counted_and_passed_over() {
        let long = format!("3000 10 {}", "x".repeat(MAX_LINE * 3));
        let text = format!(
            "\n\0\0\0\nzz 10 name\n1000 0 empty\nffffffffffffffff 10 wraps\n1000 10\n{long}\n0x4000 0x10 LazyCompile:~f a.js:1 ok\n5000 10 no end"
        );
        let mut map = map(&text);
        assert_eq!(map.take_losses(), (0, 6));
        assert_eq!(map.lookup(0x3000).map(str::len), Some(MAX_LINE - "3000 10 ".len()));
        assert_eq!(map.lookup(0x4000), Some("LazyCompile:~f a.js:1 ok"));
        assert_eq!(map.lookup(0x5000), Some("no end"));
    }

    #[test]
    fn limits_hold_and_names_of_replaced_code_are_given_back() {
        let limits = PerfMapLimits { entries: 100, name_bytes: 2000, read_bytes: 1 << 20 };
        let mut map = PerfMap::new(limits);
        // the same ten ranges over and over
        for round in 0..1000u32 {
            let line = format!("{:x} 10 round{round}\n", 0x1000 + u64::from(round % 10) * 0x10);
            map.read(line.as_bytes()).unwrap();
        }
        assert_eq!((map.len(), map.take_losses()), (10, (0, 0)));
        assert_eq!(map.lookup(0x1095), Some("round999"));
        for i in 0..1000u32 {
            map.read(format!("{:x} 8 n\n", 0x10_0000 + u64::from(i) * 0x10).as_bytes()).unwrap();
        }
        assert_eq!(map.len(), 100);
        assert_eq!(map.take_losses(), (910, 0));
        assert!(map.size() < 100 * 48 + 8192);
    }

    #[test]
    fn a_file_that_grows_is_read_on_and_one_that_is_replaced_is_read_anew() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("tmp")).unwrap();
        let path = root.path().join("tmp/perf-7.map");
        let mut file = File::create(&path).unwrap();
        write!(file, "1000 10 one\n2000 10 tw").unwrap();
        let mut map = PerfMap::new(PerfMapLimits::default());
        assert!(map.refresh(root.path(), 7, 0).unwrap());
        assert_eq!(map.lookup(0x1000), Some("one"));
        writeln!(file, "o").unwrap();
        assert!(map.refresh(root.path(), 7, 0).unwrap());
        assert_eq!(map.lookup(0x2000), Some("two"));
        assert!(!map.refresh(root.path(), 7, 0).unwrap());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "3000 10 three\n").unwrap();
        assert!(map.refresh(root.path(), 7, 0).unwrap());
        assert_eq!((map.lookup(0x1000), map.lookup(0x3000)), (None, Some("three")));
    }

    #[test]
    fn a_name_is_that_of_the_time_and_none_while_it_is_not_known_when_it_changed() {
        let mut file = tempfile::tempfile().unwrap();
        let mut map = PerfMap::new(PerfMapLimits::default());
        let mut write = |text: &str, written: u64, read: i64| {
            write!(file, "{text}").unwrap();
            let written = std::time::Duration::from_secs(written);
            file.set_modified(UNIX_EPOCH + written).unwrap();
            map.refresh_from(&file, read * 1_000_000_000).unwrap();
        };
        write("1000 10 oldest\n1000 10 old\n2000 10 stays\n", 5, 10);
        write("1008 10 new\n2000 10 stays\n", 15, 20);
        write("1000 20 newest\n", 28, 30);
        write("1000 20 newest\n", 38, 40);
        for (address, seconds, expected) in [
            (0x1008, 1, None),
            (0x1008, 6, Some("old")),
            (0x1008, 10, Some("old")),
            (0x1008, 12, None),
            (0x1008, 16, Some("new")),
            (0x1010, 12, None),
            (0x1010, 16, Some("new")),
            (0x1000, 16, Some("old")),
            (0x1000, 25, None),
            (0x1008, 25, None),
            (0x1008, 29, Some("newest")),
            (0x2000, 12, Some("stays")),
        ] {
            let found = map.lookup_at(address, seconds * 1_000_000_000);
            assert_eq!(found, expected, "{address:x} at {seconds} s");
        }
        assert!(!map.is_settled());
        map.refresh_from(&file, 100_000_000_000).unwrap();
        assert!(map.is_settled(), "no sample waits so long");
    }

    #[test]
    fn the_map_of_an_earlier_process_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("tmp")).unwrap();
        let file = File::create(root.path().join("tmp/perf-7.map")).unwrap();
        (&file).write_all(b"1000 10 one\n").unwrap();
        let changed = std::time::Duration::from_secs(1_000_000);
        file.set_modified(std::time::UNIX_EPOCH + changed).unwrap();
        let since = changed.as_nanos() as i64;
        let mut map = PerfMap::new(PerfMapLimits::default());
        assert!(map.refresh(root.path(), 7, since + 1).is_err() && map.is_empty());
        assert!(map.refresh(root.path(), 7, since).unwrap());
    }

    #[test]
    fn a_map_that_is_no_file_or_leaves_the_root_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::fs::create_dir(root.path().join("tmp")).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("tmp/perf-8.map")).unwrap();
        std::fs::create_dir(root.path().join("tmp/perf-9.map")).unwrap();
        let mut map = PerfMap::new(PerfMapLimits::default());
        assert!(map.refresh(root.path(), 8, 0).is_err());
        assert!(map.refresh(root.path(), 9, 0).is_err());
    }
}
