//! `/proc/PID/mountinfo`: which file system a device number stands for (`proc_pid_mountinfo(5)`).
//!
//! Asking a file system in user space (FUSE) anything, `statfs(2)` included, can wait for ever: its daemon need not answer. The kernel's
//! list of mounts is read without asking it.

use crate::maps::Device;
use crate::records::Records;
use crate::{Error, ProcessDir};

const LONGEST_LINE: usize = 16 * 1024;
/// `fs.mount-max` is 100,000 by default.
const MOST_LINES: usize = 100_000;

impl ProcessDir {
    /// The type of the file system with this device number, as the process has it mounted: `ext4`, `fuse.sshfs`. `None` if it is not
    /// mounted there, or has another number in `maps` (overlayfs, btrfs).
    pub fn file_system(&self, device: Device) -> Result<Option<String>, Error> {
        let mut lines = Records::new(self.open("mountinfo")?, b'\n', LONGEST_LINE);
        for _ in 0..MOST_LINES {
            let line = lines.next().map_err(|error| self.failed("mountinfo", error))?;
            let Some(line) = line else { break };
            if let Some(kind) = type_of(line.bytes, device) {
                return Ok(Some(String::from_utf8_lossy(kind).into_owned()));
            }
        }
        Ok(None)
    }

    /// Whether reading a file of this device may never return, for a process serves it.
    pub fn is_served_by_a_process(&self, device: Device) -> Result<bool, Error> {
        Ok(self.file_system(device)?.is_some_and(|kind| is_in_user_space(&kind)))
    }
}

fn is_in_user_space(kind: &str) -> bool {
    matches!(kind, "fuse" | "fuseblk") || kind.starts_with("fuse.") || kind.starts_with("fuseblk.")
}

/// `36 35 98:0 /root /mount/point options optional... - type source options`; spaces within a field are escaped.
fn type_of(line: &[u8], device: Device) -> Option<&[u8]> {
    let mut fields = line.split(|&byte| byte == b' ');
    let number = std::str::from_utf8(fields.nth(2)?).ok()?;
    let (major, minor) = number.split_once(':')?;
    if (major.parse(), minor.parse()) != (Ok(device.major), Ok(device.minor)) {
        return None;
    }
    // mount point and root come before, and are never a lone dash: they begin with a slash
    fields.find(|field| *field == b"-")?;
    fields.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pid, ProcFs};

    #[test]
    fn the_type_stands_behind_the_dash() {
        let wanted = Device { major: 0, minor: 47 };
        for (line, kind) in [
            (
                "36 35 0:47 / /home/a/b\\040c rw,nosuid shared:5 master:1 - fuse.sshfs host: rw",
                Some("fuse.sshfs"),
            ),
            ("36 35 0:47 /- /- rw - fuse x rw", Some("fuse")),
            ("36 35 0:48 / / rw - ext4 /dev/sda rw", None),
            ("36 35 0:47 / / rw ext4 /dev/sda rw", None),
            ("36 35 x:47 / / rw - ext4", None),
            ("", None),
        ] {
            let found = type_of(line.as_bytes(), wanted).map(|kind| str::from_utf8(kind).unwrap());
            assert_eq!(found, kind, "{line}");
        }
        for (kind, expected) in [
            ("fuse", true),
            ("fuse.bindfs", true),
            ("fuseblk", true),
            ("fusectl", false),
            ("ext4", false),
        ] {
            assert_eq!(is_in_user_space(kind), expected, "{kind}");
        }
    }

    #[test]
    fn proc_itself_is_found_by_its_device() {
        let process = ProcFs::system().process(Pid(std::process::id())).unwrap();
        let number = rustix::fs::stat("/proc/stat").unwrap().st_dev;
        let device = Device { major: rustix::fs::major(number), minor: rustix::fs::minor(number) };
        assert_eq!(process.file_system(device).unwrap().as_deref(), Some("proc"));
        assert!(!process.is_served_by_a_process(device).unwrap());
    }
}
