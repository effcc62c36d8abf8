//! Which CPUs have a ring: they come and go, and an event may be refused on one of them.
//!
//! What happened on a CPU while it had no ring is never told. It is a loss since when the CPUs were last looked at.

use std::collections::BTreeMap;

use super::{SidebandEvent, SidebandRecord};
use crate::{cpus::OnlineCpu, error::KernelError};

/// The ring of a CPU.
#[derive(Debug)]
pub(super) struct CpuRing<R> {
    /// And the life of it in which the ring was opened: in a later one nothing comes into it.
    cpu: OnlineCpu,
    pub(super) ring: R,
    /// Time of its last record.
    pub(super) last_ns: u64,
    /// Its CPU has left: what it holds is still to be read, once.
    is_departed: bool,
}

/// All rings.
#[derive(Debug)]
pub(super) struct Rings<R> {
    pub(super) each: Vec<CpuRing<R>>,
    failed: BTreeMap<u32, KernelError>,
    /// When the CPUs were last looked at; 0 before the first time.
    followed_ns: u64,
}

impl<R> Default for Rings<R> {
    fn default() -> Self {
        Self { each: Vec::new(), failed: BTreeMap::new(), followed_ns: 0 }
    }
}

impl<R> Rings<R> {
    /// Opens rings on those of `online` that have none, and marks those of the others as departed, and of those that were away and
    /// are back. Returns whether any CPU is heard otherwise than before, and the losses.
    pub(super) fn follow(
        &mut self,
        online: &[OnlineCpu],
        now_ns: u64,
        mut open: impl FnMut(u32) -> Result<R, KernelError>,
    ) -> (bool, Vec<SidebandRecord>) {
        let mut is_changed = false;
        for ring in self.each.iter_mut().filter(|ring| !ring.is_departed) {
            ring.is_departed = !online.contains(&ring.cpu);
            is_changed |= ring.is_departed;
        }
        self.failed.retain(|cpu, _| online.iter().any(|online| online.number == *cpu));
        let mut losses = Vec::new();
        for &cpu in online {
            if self.each.iter().any(|ring| ring.cpu == cpu && !ring.is_departed) {
                continue;
            }
            let number = cpu.number;
            match open(number) {
                Ok(ring) => {
                    self.failed.remove(&number);
                    let last_ns = self.followed_ns;
                    self.each.push(CpuRing { cpu, ring, last_ns, is_departed: false });
                    is_changed = true;
                }
                Err(error) => {
                    if !self.failed.contains_key(&number) {
                        tracing::warn!(cpu = number, %error, "process events of this CPU are not heard");
                    }
                    self.failed.insert(number, error);
                }
            }
            if self.followed_ns > 0 {
                let event = SidebandEvent::Lost { count: 0, since_ns: self.followed_ns };
                losses.push(SidebandRecord { time_ns: now_ns, event });
            }
        }
        self.followed_ns = now_ns;
        (is_changed, losses)
    }

    /// Lets go of the rings of departed CPUs, all rings having been read.
    pub(super) fn forget_departed(&mut self) {
        self.each.retain(|ring| !ring.is_departed);
    }

    pub(super) fn failed(&self) -> &BTreeMap<u32, KernelError> {
        &self.failed
    }

    /// An error of a CPU, if none has a ring.
    pub(super) fn refusal(&mut self) -> Option<KernelError> {
        if self.each.is_empty() { self.failed.pop_first().map(|(_, error)| error) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(_: u32) -> Result<u32, KernelError> {
        Err(KernelError::Perf { source: std::io::Error::other("refused") })
    }

    /// In their first life.
    fn cpus<const N: usize>(numbers: [u32; N]) -> [OnlineCpu; N] {
        numbers.map(|number| OnlineCpu { number, life: 1 })
    }

    fn heard(rings: &Rings<u32>) -> Vec<u32> {
        rings.each.iter().map(|ring| ring.ring).collect()
    }

    fn lost(time_ns: u64, since_ns: u64) -> SidebandRecord {
        SidebandRecord { time_ns, event: SidebandEvent::Lost { count: 0, since_ns } }
    }

    #[test]
    fn a_cpu_that_comes_later_is_heard_and_what_it_did_before_is_a_loss() {
        let mut rings = Rings::default();
        assert_eq!(rings.follow(&cpus([0, 1]), 100, Ok), (true, vec![]));
        assert_eq!(rings.follow(&cpus([0, 1]), 200, Ok), (false, vec![]));
        assert_eq!(rings.follow(&cpus([0, 1, 4]), 300, Ok), (true, vec![lost(300, 200)]));
        assert_eq!(heard(&rings), [0, 1, 4]);
        assert_eq!(rings.each[2].last_ns, 200);
    }

    #[test]
    fn the_ring_of_a_departed_cpu_is_read_once_more() {
        let mut rings = Rings::default();
        rings.follow(&cpus([0, 1]), 100, Ok);
        assert_eq!(rings.follow(&cpus([0]), 200, Ok), (true, vec![]));
        assert_eq!(heard(&rings), [0, 1]);
        // it comes back before the old ring was read
        assert_eq!(rings.follow(&cpus([0, 1]), 300, Ok), (true, vec![lost(300, 200)]));
        assert_eq!(heard(&rings), [0, 1, 1]);
        rings.forget_departed();
        assert_eq!(heard(&rings), [0, 1]);
    }

    #[test]
    fn a_cpu_that_went_and_came_back_unseen_has_a_new_ring_and_its_silence_is_a_loss() {
        let mut rings = Rings::default();
        rings.follow(&cpus([0, 1]), 100, Ok);
        let mut back = cpus([0, 1]);
        back[1].life = 2;
        assert_eq!(rings.follow(&back, 200, Ok), (true, vec![lost(200, 100)]));
        assert_eq!(heard(&rings), [0, 1, 1], "what the old one has is read once more");
        rings.forget_departed();
        assert_eq!(heard(&rings), [0, 1]);
        assert_eq!(rings.follow(&back, 300, Ok), (false, vec![]));
    }

    #[test]
    fn one_cpu_that_is_refused_is_told_and_a_loss_until_it_works() {
        let mut rings = Rings::default();
        let but_one = |cpu| if cpu == 1 { refuse(cpu) } else { Ok(cpu) };
        assert_eq!(rings.follow(&cpus([0, 1]), 100, but_one), (true, vec![]));
        assert!(rings.refusal().is_none());
        assert_eq!(rings.failed().keys().collect::<Vec<_>>(), [&1]);
        assert_eq!(rings.follow(&cpus([0, 1]), 200, but_one), (false, vec![lost(200, 100)]));
        assert_eq!(rings.follow(&cpus([0, 1]), 300, Ok), (true, vec![lost(300, 200)]));
        assert!(rings.failed().is_empty());
        assert_eq!(rings.follow(&cpus([0, 1]), 400, Ok), (false, vec![]));
    }

    #[test]
    fn if_all_are_refused_there_is_an_error_to_tell() {
        let mut rings = Rings::default();
        rings.follow(&cpus([0, 1]), 100, refuse);
        assert!(rings.refusal().is_some());
    }
}
