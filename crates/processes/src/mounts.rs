//! `/proc/PID/mountinfo`: which file systems are served by a process (`proc_pid_mountinfo(5)`).
//!
//! Asking a file system in user space (FUSE) anything, `statfs(2)` included, can wait for ever: its daemon need not answer, and
//! who waits for it cannot even be killed. The kernel's list of mounts is read without asking it.

use crate::maps::{Device, Mapping, MappingKind};
use crate::records::Records;
use crate::{Error, Pid, ProcFs, ProcessDir};

const LONGEST_LINE: usize = 16 * 1024;
/// `fs.mount-max` is 100,000 by default.
const MOST_LINES: usize = 100_000;

/// Who answers for a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// The kernel, or a machine that it talks to.
    Kernel,
    /// A process, which need not answer.
    Process,
}

/// The mounts that a process sees.
#[derive(Debug, Default)]
pub(crate) struct Mounts(Vec<Mount>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mount {
    id: u64,
    device: Device,
    file_system: FileSystem,
}

impl Mounts {
    pub(crate) fn read(process: &ProcessDir) -> Result<Self, Error> {
        let mut lines = Records::new(process.open("mountinfo")?, b'\n', LONGEST_LINE);
        let mut mounts = Vec::new();
        for _ in 0..MOST_LINES {
            let line = lines.next().map_err(|error| process.failed("mountinfo", error))?;
            let Some(line) = line else { break };
            mounts.extend(Mount::parse(line.bytes));
        }
        Ok(Self(mounts))
    }

    fn of_device(&self, device: Device) -> Option<FileSystem> {
        self.0.iter().find(|mount| mount.device == device).map(|mount| mount.file_system)
    }

    /// By the number of a mount, as statx(2) tells it.
    fn of_mount(&self, id: u64) -> Option<FileSystem> {
        self.0.iter().find(|mount| mount.id == id).map(|mount| mount.file_system)
    }

    /// Of a file that was found: by its mount, which may be one that others see, or by its device. `None` if nobody sees it.
    pub(crate) fn of_found(&self, mount: u64, device: Device) -> Option<FileSystem> {
        self.of_mount(mount).or_else(|| {
            of_others(|mounts| mounts.of_mount(mount).or_else(|| mounts.of_device(device)))
        })
    }
}

impl Mount {
    /// `36 35 98:0 /root /mount/point options optional... - type source options`; spaces within a field are escaped.
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b' ');
        let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let number = std::str::from_utf8(fields.nth(1)?).ok()?;
        let (major, minor) = number.split_once(':')?;
        let device = Device { major: major.parse().ok()?, minor: minor.parse().ok()? };
        // mount point and root come before, and are never a lone dash: they begin with a slash
        fields.find(|field| *field == b"-")?;
        let file_system =
            if is_in_user_space(fields.next()?) { FileSystem::Process } else { FileSystem::Kernel };
        Some(Self { id, device, file_system })
    }
}

/// The kinds of which a process may be the server: FUSE, and automounters, who decide when a lookup goes on.
fn is_in_user_space(kind: &[u8]) -> bool {
    let base = kind.split(|&byte| byte == b'.').next().unwrap_or(kind);
    matches!(base, b"fuse" | b"fuseblk" | b"autofs")
}

impl ProcessDir {
    /// Who answers for the file of a mapping: found without asking it. A device that nobody has mounted may be anyone's: of a
    /// mount that was taken away, or was never seen.
    pub fn file_system_of(&self, mapping: &Mapping) -> FileSystem {
        if mapping.kind == MappingKind::Memfd {
            return FileSystem::Kernel;
        }
        let device = mapping.device;
        let known = self
            .mounts()
            .of_device(device)
            .or_else(|| of_others(|mounts| mounts.of_device(device)));
        let is_anonymous = device.major == 0;
        known.unwrap_or(if is_anonymous { FileSystem::Process } else { FileSystem::Kernel })
    }
}

/// As we have it mounted, or the first process: a process that changed its root does not see what is above, and overlayfs tells of
/// files below it (before Linux 6.8).
fn of_others(find: impl Fn(&Mounts) -> Option<FileSystem>) -> Option<FileSystem> {
    [std::process::id(), 1].into_iter().find_map(|pid| {
        let process = ProcFs::system().process(Pid(pid)).ok()?;
        find(process.mounts())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::{MapLimits, MappingRef};

    #[test]
    fn the_type_stands_behind_the_dash() {
        for (line, expected) in [
            (
                "36 35 0:47 / /home/a/b\\040c rw,nosuid shared:5 master:1 - fuse.sshfs host: rw",
                Some((36, 0, 47, FileSystem::Process)),
            ),
            ("7 35 0:47 /- /- rw - fuse x rw", Some((7, 0, 47, FileSystem::Process))),
            ("7 35 8:1 / / rw - fuseblk /dev/sda1 rw", Some((7, 8, 1, FileSystem::Process))),
            ("7 35 0:40 / /h rw - autofs auto rw", Some((7, 0, 40, FileSystem::Process))),
            ("7 35 0:40 / /c rw - fusectl none rw", Some((7, 0, 40, FileSystem::Kernel))),
            ("7 35 8:1 / / rw - ext4 /dev/sda rw", Some((7, 8, 1, FileSystem::Kernel))),
            ("36 35 0:47 / / rw ext4 /dev/sda rw", None),
            ("36 35 x:47 / / rw - ext4", None),
            ("", None),
        ] {
            let found = Mount::parse(line.as_bytes())
                .map(|m| (m.id, m.device.major, m.device.minor, m.file_system));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn files_of_the_kernel_are_told_from_those_that_may_be_anyone_s() {
        let process = ProcFs::system().process(Pid(std::process::id())).unwrap();
        let of = |line: &str| {
            process.file_system_of(&MappingRef::parse(line.as_bytes()).unwrap().to_mapping())
        };
        let own = process.executable_mappings(MapLimits::default()).unwrap().mappings;
        for mapping in own.iter().filter(|mapping| mapping.is_file()) {
            assert_eq!(process.file_system_of(mapping), FileSystem::Kernel, "{mapping:?}");
        }
        assert_eq!(of("1000-2000 r-xp 00000000 00:fffff 7 /gone"), FileSystem::Process);
        let memfd = "1000-2000 r-xp 00000000 00:01 7 /memfd:jit (deleted)";
        assert_eq!(of(memfd), FileSystem::Kernel);
    }
}
