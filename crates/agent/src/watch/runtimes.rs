//! The language runtimes of an address space. Of some only its memory tells: they are asked for until it does.

use std::sync::Arc;

use infrared_bpf::abi::ir_runtime_states;
use infrared_runtimes::{Attached, Found, Mapped, Namer};

/// What is known of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runtimes {
    /// What the kernel side has to know of those in its images; `None`: they have none that is followed.
    pub(crate) states: Option<Box<ir_runtime_states>>,
    /// How what their frames run is read.
    pub(crate) namers: Vec<Namer>,
    pub(crate) attachments: Attachments,
}

/// Until the first answer of nothing is doubted; doubled up to the last, as a machine may be started later or never.
const FIRST_DELAY_NS: u64 = 50_000_000;
const LAST_DELAY_NS: u64 = 2_000_000_000;

/// A runtime that is to be found in the memory of a process.
#[derive(Clone, Debug)]
pub(crate) struct AttachWanted {
    pub(crate) runtime: Found,
    pub(crate) mapped: Mapped,
}

impl PartialEq for AttachWanted {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.runtime, &other.runtime) && self.mapped == other.mapped
    }
}

impl Eq for AttachWanted {}

/// Those that only memory tells of, and what is to be asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attachments {
    pub(crate) found: Vec<Attached>,
    wanted: Vec<AttachWanted>,
    due_ns: u64,
    delay_ns: u64,
}

impl Attachments {
    /// These are in its images. Those that were found stay found: no machine leaves its process.
    pub(crate) fn want(&mut self, wanted: Vec<AttachWanted>) {
        if self.found.is_empty() && self.wanted != wanted {
            (self.wanted, self.due_ns, self.delay_ns) = (wanted, 0, 0);
        }
    }

    /// What is to be asked now.
    pub(crate) fn due(&self, now_ns: u64) -> &[AttachWanted] {
        if now_ns < self.due_ns { &[] } else { &self.wanted }
    }

    /// The memory was looked at. Returns whether it told anything.
    pub(crate) fn take(&mut self, found: Vec<Attached>, now_ns: u64) -> bool {
        let has_news = !found.is_empty();
        if has_news {
            self.found = found;
            self.wanted.clear();
        } else {
            self.delay_ns = (self.delay_ns * 2).clamp(FIRST_DELAY_NS, LAST_DELAY_NS);
            self.due_ns = now_ns + self.delay_ns;
        }
        has_news
    }
}

#[cfg(test)]
mod tests {
    use infrared_profile::FrameKind;
    use infrared_runtimes::{About, Runtime};

    use super::*;

    #[derive(Debug)]
    struct Machine;

    impl Runtime for Machine {
        fn about(&self) -> About {
            About { name: "a machine".to_owned(), is_followed: true }
        }

        fn frame_kind(&self, _: u64) -> Option<FrameKind> {
            None
        }

        fn state(&self, _: Mapped, _: &mut ir_runtime_states) {}
    }

    #[test]
    fn a_machine_that_is_not_there_yet_is_looked_for_again_and_ever_less_often() {
        let mut attachments = Attachments::default();
        assert!(attachments.due(1).is_empty(), "there is none");
        let runtime: Found = Arc::new(Machine);
        let wanted =
            |bias| vec![AttachWanted { runtime: Arc::clone(&runtime), mapped: Mapped { bias } }];
        attachments.want(wanted(1));
        let mut now_ns = 1;
        let mut delays = Vec::new();
        for _ in 0..8 {
            assert_eq!(attachments.due(now_ns), wanted(1));
            assert!(!attachments.take(Vec::new(), now_ns));
            // What is in its images is told anew whenever they change.
            attachments.want(wanted(1));
            let asked_ns = now_ns;
            while attachments.due(now_ns).is_empty() {
                now_ns += 10_000_000;
            }
            delays.push((now_ns - asked_ns) / 1_000_000);
        }
        assert_eq!(delays, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        attachments.take(Vec::new(), now_ns);
        attachments.want(wanted(2));
        assert_eq!(attachments.due(now_ns), wanted(2), "it is another");
    }
}
