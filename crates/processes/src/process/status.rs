//! `/proc/PID/status`: `proc_pid_status(5)`.

use crate::{Error, Pid, ProcessDir};

/// The lists of groups and CPUs can be long; with everything else they fit.
const LONGEST: u64 = 256 * 1024;

/// The fields that we use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    pub real_uid: u32,
    pub effective_uid: u32,
    /// The process' ids, from the namespace of the `/proc` tree to its own.
    pub namespace_pids: Vec<Pid>,
    /// `CapEff`: a bit per capability.
    pub effective_capabilities: u64,
}

impl Status {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut status = Self::default();
        let (mut has_uid, mut has_capabilities) = (false, false);
        // newlines in the name are escaped by the kernel, so every line is a field
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let mut values = value.split_ascii_whitespace();
            match key {
                "Uid" => {
                    status.real_uid = values.next()?.parse().ok()?;
                    status.effective_uid = values.next()?.parse().ok()?;
                    has_uid = true;
                }
                "NSpid" => {
                    status.namespace_pids =
                        values.map(|id| id.parse().map(Pid)).collect::<Result<_, _>>().ok()?;
                }
                "CapEff" => {
                    status.effective_capabilities = u64::from_str_radix(values.next()?, 16).ok()?;
                    has_capabilities = true;
                }
                _ => {}
            }
        }
        (has_uid && has_capabilities).then_some(status)
    }
}

impl ProcessDir {
    pub fn status(&self) -> Result<Status, Error> {
        Status::parse(&self.read("status", LONGEST)?)
            .ok_or_else(|| self.malformed("status", "fields are missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_a_field() {
        let text = b"Name:\tx\\nUid:\\t0\nUmask:\t0022\nUid:\t1000\t1001\t0\t0\n\
            NSpid:\t4711\t12\t1\nCapEff:\t000001c000000000\n";
        let status = Status::parse(text).unwrap();
        assert_eq!((status.real_uid, status.effective_uid), (1000, 1001));
        assert_eq!(status.namespace_pids, [Pid(4711), Pid(12), Pid(1)]);
        assert_eq!(status.effective_capabilities, 0x1c0_0000_0000);
    }

    #[test]
    fn a_status_without_its_fields_is_refused() {
        for text in
            ["", "Uid:\t0\t0\t0\t0\n", "CapEff:\t0\n", "Uid:\tx\t0\nCapEff:\t0\n", "Uid:\t0\n"]
        {
            assert_eq!(Status::parse(text.as_bytes()), None, "{text}");
        }
    }
}
