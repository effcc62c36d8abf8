//! `/proc/PID/maps`: what a process has mapped where.
//!
//! Lines are parsed in place; only executable mappings become owned values. What is mapped is
//! the business of [`crate::image`]. The format is that of `proc_pid_maps(5)` and of
//! `show_map_vma` in the kernel: of all the characters of a file name only the newline is escaped,
//! as `\012`, so a name that contains that very text reads as one with a newline.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::records::Records;
use crate::{Error, ProcessDir};

/// Longest line that is read whole; the name of a longer one is cut.
const LONGEST_LINE: usize = 32 * 1024;
const DELETED_SUFFIX: &[u8] = b" (deleted)";

/// A device number as `maps` shows it. On overlayfs and btrfs it is not the `st_dev` that stat(2)
/// gives for the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Device {
    pub major: u32,
    pub minor: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    pub flags: [u8; 4],
}

impl Permissions {
    pub fn is_readable(self) -> bool {
        self.flags[0] == b'r'
    }

    pub fn is_writable(self) -> bool {
        self.flags[1] == b'w'
    }

    pub fn is_executable(self) -> bool {
        self.flags[2] == b'x'
    }
}

/// What stands behind a mapping, told from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappingKind {
    /// A file that had this path when it was mapped.
    File,
    /// A file that was unlinked or replaced since.
    DeletedFile,
    /// A `memfd_create(2)` file.
    Memfd,
    /// No file: heap, stack, `[anon:name]`, shared anonymous memory. JIT code lives here.
    Anonymous,
    Vdso,
    Vsyscall,
    /// Anything else that the kernel made: `[vvar]`, `[uprobes]`, `anon_inode:…`.
    Special,
}

/// A line of `maps`, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappingRef<'a> {
    /// First runtime address.
    pub start: u64,
    /// Runtime address behind the last.
    pub end: u64,
    pub permissions: Permissions,
    /// Byte of the file that stands at `start`.
    pub file_offset: u64,
    pub device: Device,
    /// 0 without a file.
    pub inode: u64,
    /// As it stands in the line: escaped, with its ` (deleted)`.
    pub raw_name: &'a [u8],
}

/// An executable mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// First runtime address.
    pub start: u64,
    /// Runtime address behind the last.
    pub end: u64,
    pub permissions: Permissions,
    /// Byte of the file that stands at `start`.
    pub file_offset: u64,
    pub device: Device,
    /// 0 without a file.
    pub inode: u64,
    pub kind: MappingKind,
    /// Path or other name, unescaped and without ` (deleted)`. Empty when there is none.
    pub name: Box<[u8]>,
}

impl Mapping {
    pub fn contains(&self, avma: u64) -> bool {
        (self.start..self.end).contains(&avma)
    }

    /// Whether there may be an ELF file behind it.
    pub fn is_file(&self) -> bool {
        matches!(self.kind, MappingKind::File | MappingKind::DeletedFile | MappingKind::Memfd)
    }

    /// The path of the file, as the kernel shows it: relative to our own root directory if it can
    /// be reached from there, otherwise to the root of the mount namespace of the process.
    pub fn path(&self) -> Option<&Path> {
        self.is_file().then(|| Path::new(OsStr::from_bytes(&self.name)))
    }

    /// The name to show, such as `libc.so.6`, `memfd:jit` or `[vdso]`.
    pub fn display_name(&self) -> String {
        let base = match self.kind {
            MappingKind::File | MappingKind::DeletedFile | MappingKind::Memfd => {
                self.name.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
            }
            MappingKind::Anonymous if self.name.is_empty() => b"[anon]",
            _ => &self.name[..],
        };
        String::from_utf8_lossy(base).into_owned()
    }
}

/// How much of a `maps` file is read.
#[derive(Debug, Clone, Copy)]
pub struct MapLimits {
    /// Executable mappings that are kept.
    pub executable: usize,
    /// Lines that are looked at, executable or not.
    pub scanned: usize,
}

impl Default for MapLimits {
    /// The default of `vm.max_map_count` is 65,530; a database or JVM host often raises it fourfold.
    fn default() -> Self {
        Self { executable: 16_384, scanned: 300_000 }
    }
}

/// The executable mappings of a process, ascending by address.
#[derive(Debug, Clone, Default)]
pub struct ExecutableMappings {
    pub mappings: Vec<Mapping>,
    /// A limit was met: there may be more mappings than these.
    pub is_cut: bool,
    /// Lines that were no mapping: 0 unless the kernel changed its format.
    pub malformed_lines: usize,
}

impl ExecutableMappings {
    /// The mapping that contains the runtime address `avma`.
    pub fn find(&self, avma: u64) -> Option<&Mapping> {
        let behind = self.mappings.partition_point(|mapping| mapping.start <= avma);
        let candidate = &self.mappings[behind.checked_sub(1)?];
        candidate.contains(avma).then_some(candidate)
    }
}

/// The mappings of files, code or not, that are nearest to an address range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbours {
    pub before: Option<Mapping>,
    pub after: Option<Mapping>,
}

impl ProcessDir {
    /// The executable mappings. Empty for kernel threads and zombies.
    pub fn executable_mappings(&self, limits: MapLimits) -> Result<ExecutableMappings, Error> {
        let mut found = ExecutableMappings::default();
        let is_whole = self.scan_maps(limits.scanned, |line| {
            match permissions_of(line) {
                Some(permissions) if !permissions.is_executable() => return true,
                _ => {}
            }
            let Some(mapping) = MappingRef::parse(line) else {
                found.malformed_lines += 1;
                return true;
            };
            let has_room = found.mappings.len() < limits.executable;
            if has_room {
                found.mappings.push(mapping.to_mapping());
            }
            has_room
        })?;
        found.is_cut = !is_whole;
        Ok(found)
    }

    /// The neighbours of each of `mappings`, which ascend; these themselves are nobody's neighbours.
    pub(crate) fn neighbours(
        &self,
        mappings: &[Mapping],
        limits: MapLimits,
    ) -> Result<Vec<Neighbours>, Error> {
        let mut all = vec![Neighbours::default(); mappings.len()];
        // how many of them are behind us, and how many of these know what follows
        let (mut passed, mut answered) = (0, 0);
        let mut last: Option<Mapping> = None;
        self.scan_maps(limits.scanned, |line| {
            let Some(line) = MappingRef::parse(line) else { return true };
            while mappings.get(passed).is_some_and(|mapping| mapping.end <= line.start) {
                all[passed].before.clone_from(&last);
                passed += 1;
            }
            let is_one_of_them = mappings.get(passed).is_some_and(|m| m.start <= line.start);
            if line.inode == 0 || is_one_of_them {
                return true;
            }
            for neighbours in &mut all[answered..passed] {
                neighbours.after = Some(line.to_mapping());
            }
            answered = passed;
            last = Some(line.to_mapping());
            answered < mappings.len()
        })?;
        for neighbours in &mut all[passed..] {
            neighbours.before.clone_from(&last);
        }
        Ok(all)
    }

    /// At most `most` mappings of the file of `mapping` that are readable and not writable.
    pub(crate) fn mappings_of(
        &self,
        mapping: &Mapping,
        most: usize,
    ) -> Result<Vec<Mapping>, Error> {
        let mut found = Vec::new();
        self.scan_maps(MapLimits::default().scanned, |line| {
            let Some(line) = MappingRef::parse(line) else { return true };
            let is_wanted = line.inode != 0
                && (line.device, line.inode) == (mapping.device, mapping.inode)
                && line.permissions.is_readable()
                && !line.permissions.is_writable();
            if is_wanted {
                found.push(line.to_mapping());
            }
            found.len() < most
        })?;
        Ok(found)
    }

    /// Hands the lines of `maps` to `each` until that has enough of them, or `most` were read. Returns whether all were taken.
    fn scan_maps(&self, most: usize, mut each: impl FnMut(&[u8]) -> bool) -> Result<bool, Error> {
        let mut lines = Records::new(self.open("maps")?, b'\n', LONGEST_LINE);
        let mut scanned = 0;
        while let Some(line) = lines.next().map_err(|error| self.failed("maps", error))? {
            if scanned == most || !each(line.bytes) {
                return Ok(false);
            }
            scanned += 1;
        }
        Ok(true)
    }
}

/// The permissions stand behind the first space: enough to skip a line.
fn permissions_of(line: &[u8]) -> Option<Permissions> {
    let space = line.iter().take(64).position(|&byte| byte == b' ')?;
    let flags = line.get(space + 1..space + 5)?.try_into().ok()?;
    Some(Permissions { flags })
}

impl<'a> MappingRef<'a> {
    /// Parses one line without its newline: `start-end perms offset major:minor inode   name`.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let (range, rest) = split_once(line, b' ')?;
        let (start, end) = split_once(range, b'-')?;
        let (start, end) = (hex(start)?, hex(end)?);
        let (permissions, rest) = split_once(rest, b' ')?;
        let (file_offset, rest) = split_once(rest, b' ')?;
        let (device, rest) = split_once(rest, b' ')?;
        let (major, minor) = split_once(device, b':')?;
        let (inode, name) = split_once(rest, b' ').unwrap_or((rest, b""));
        if start >= end {
            return None;
        }
        Some(Self {
            start,
            end,
            permissions: Permissions { flags: permissions.try_into().ok()? },
            file_offset: hex(file_offset)?,
            device: Device {
                major: u32::try_from(hex(major)?).ok()?,
                minor: u32::try_from(hex(minor)?).ok()?,
            },
            inode: std::str::from_utf8(inode).ok()?.parse().ok()?,
            raw_name: name.trim_ascii_start(),
        })
    }

    /// What stands behind the mapping.
    pub fn kind(&self) -> MappingKind {
        let name = self.raw_name;
        match name {
            b"[vdso]" => MappingKind::Vdso,
            b"[vsyscall]" => MappingKind::Vsyscall,
            b"" | b"[heap]" | b"//anon" | b"/dev/zero (deleted)" | b"/anon_hugepage (deleted)" => {
                MappingKind::Anonymous
            }
            _ if name.starts_with(b"[anon:")
                || name.starts_with(b"[anon_shmem:")
                || name.starts_with(b"[stack")
                || (name.starts_with(b"/SYSV") && name.ends_with(DELETED_SUFFIX)) =>
            {
                MappingKind::Anonymous
            }
            _ if !name.starts_with(b"/") => MappingKind::Special,
            _ if !name.ends_with(DELETED_SUFFIX) => MappingKind::File,
            _ if name.starts_with(b"/memfd:") => MappingKind::Memfd,
            _ => MappingKind::DeletedFile,
        }
    }

    /// The owned form.
    pub fn to_mapping(self) -> Mapping {
        let kind = self.kind();
        let name = match kind {
            MappingKind::DeletedFile | MappingKind::Memfd => {
                self.raw_name.strip_suffix(DELETED_SUFFIX).unwrap_or(self.raw_name)
            }
            _ => self.raw_name,
        };
        Mapping {
            start: self.start,
            end: self.end,
            permissions: self.permissions,
            file_offset: self.file_offset,
            device: self.device,
            inode: self.inode,
            kind,
            name: unescape(name).into_boxed_slice(),
        }
    }
}

fn split_once(bytes: &[u8], delimiter: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == delimiter)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

fn hex(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(value << 4 | u64::from(digit))
    })
}

fn unescape(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(b"\\012") {
            plain.push(b'\n');
            rest = behind;
        } else {
            plain.push(first);
            rest = behind;
        }
    }
    plain
}

#[cfg(test)]
#[path = "maps_tests.rs"]
mod tests;
