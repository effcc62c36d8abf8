//! `record --stats`: what was counted during the recording, as JSON.

use std::collections::BTreeMap;

use infrared_agent::AgentStats;
use serde::Serialize;

use super::wholeness::{COMPLETE, GUESSED};

/// The document.
#[derive(Debug, Serialize)]
pub(super) struct Counters {
    samples_taken: u64,
    pub(super) samples_lost: BTreeMap<String, u64>,
    samples_filtered: u64,
    samples_delivered: u64,
    /// User frames unwound in the kernel.
    frames: u64,
    kernel_frames: u64,
    unnamed_frames: u64,
    /// Run time of the sampler in the kernel in nanoseconds, and its runs; 0 without `kernel.bpf_stats_enabled`.
    bpf_run_ns: u64,
    bpf_runs: u64,
    table_rows: u64,
    table_bytes: u64,
    table_slab_bytes: u64,
    table_pages: u64,
    table_rules: u64,
    evicted_pages: u64,
    evicted_images: u64,
    mapping_bytes: u64,
    images: u64,
    processes: u64,
    /// What the agent had to give up, by kind; nothing that did not happen.
    losses: BTreeMap<&'static str, u64>,
    damaged_records: u64,
    /// Samples by why their user stack ended, those left out that reached their thread's entry.
    truncated: BTreeMap<String, u64>,
    /// The same, with `complete`, and `guessed`: as complete, but for a guess on the way.
    stacks: BTreeMap<String, u64>,
    /// Stacks that were finished outside the kernel.
    deferred: u64,
    /// All counters of the kernel side.
    kernel: BTreeMap<String, u64>,
    warnings: Vec<String>,
}

impl Counters {
    pub(super) fn of(stats: &AgentStats) -> Self {
        let kernel = |name: &str| stats.kernel.get(name).copied().unwrap_or(0);
        let lost = [
            ("ring buffer full", kernel("samples_lost_ring_full")),
            ("records damaged", stats.damaged_records),
        ];
        let undelivered = stats.undelivered.iter().map(|(reason, count)| (*reason, *count));
        let lost = lost.into_iter().chain(undelivered).filter(|(_, count)| *count > 0);
        Self {
            samples_taken: kernel("samples_taken"),
            samples_lost: lost.map(|(reason, count)| (reason.to_owned(), count)).collect(),
            samples_filtered: kernel("samples_filtered"),
            samples_delivered: stats.samples,
            frames: kernel("user_frames"),
            kernel_frames: kernel("kernel_frames"),
            unnamed_frames: stats.unnamed_frames,
            bpf_run_ns: stats.bpf_run_ns,
            bpf_runs: stats.bpf_runs,
            table_rows: stats.tables.rows as u64,
            table_bytes: stats.tables.bytes as u64,
            table_slab_bytes: stats.tables.slab_bytes as u64,
            table_pages: stats.tables.pages as u64,
            table_rules: stats.tables.rules as u64,
            evicted_pages: stats.tables.evicted_pages,
            evicted_images: stats.image_counts.evicted,
            mapping_bytes: stats.mapping_bytes as u64,
            images: stats.images as u64,
            processes: stats.processes as u64,
            losses: stats.losses.iter().map(|(loss, count)| (loss.name(), count)).collect(),
            damaged_records: stats.damaged_records,
            truncated: stats
                .stacks
                .iter()
                .filter(|(reason, _)| ![COMPLETE, GUESSED].contains(&reason.as_str()))
                .map(|(reason, count)| (reason.clone(), *count))
                .collect(),
            stacks: stats.stacks.clone(),
            deferred: kernel("samples_deferred"),
            kernel: stats.kernel.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect(),
            warnings: stats.warnings.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_truncations_are_told_by_reason() {
        let stats = AgentStats {
            kernel: BTreeMap::from([("samples_taken", 9), ("samples_lost_ring_full", 2)]),
            stacks: BTreeMap::from([
                ("complete".into(), 5),
                ("guessed".into(), 2),
                ("no mapping".into(), 1),
            ]),
            undelivered: BTreeMap::from([("naming too slow", 3)]),
            ..AgentStats::default()
        };
        let json = serde_json::to_value(Counters::of(&stats)).unwrap();
        assert_eq!(json["samples_taken"], 9);
        let lost = serde_json::json!({"ring buffer full": 2, "naming too slow": 3});
        assert_eq!(json["samples_lost"], lost);
        assert_eq!(json["truncated"], serde_json::json!({"no mapping": 1}));
        assert_eq!(json["stacks"]["complete"], 5);
    }
}
