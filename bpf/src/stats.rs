//! The counters of the kernel side, summed over CPUs.

use infrared_abi::{IR_STAT_COUNT, STATS};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

/// A reading of all counters since loading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats([u64; IR_STAT_COUNT as usize]);

impl Stats {
    pub(crate) fn read(map: &MapHandle) -> Self {
        let mut stats = Self::default();
        for (index, total) in stats.0.iter_mut().enumerate() {
            let values = map.lookup_percpu(&(index as u32).to_ne_bytes(), MapFlags::ANY);
            for value in values.ok().flatten().unwrap_or_default() {
                *total += infrared_abi::read::<u64>(&value).unwrap_or(0);
            }
        }
        stats
    }

    /// The value of one counter, by its `IR_STAT_*` number.
    pub fn get(&self, stat: u32) -> u64 {
        self.0.get(stat as usize).copied().unwrap_or(0)
    }

    /// (name, help, value) of every counter.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        STATS.iter().zip(self.0).map(|((name, help), value)| (*name, *help, value))
    }
}
