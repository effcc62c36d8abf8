//! What the agent counts about itself, for `/metrics`, `record --stats` and the tests.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use infrared_bpf::{SamplerReport, TableUsage};
use rustix::time::{ClockId, clock_gettime};

use crate::{
    images::ImageCounts,
    losses::{Loss, Losses},
};

/// A reading of everything that is counted.
#[derive(Clone, Debug, Default)]
pub struct AgentStats {
    /// The kernel's counters since the start, by name.
    pub kernel: BTreeMap<&'static str, u64>,
    /// User stacks by why they ended, `complete` included; in samples.
    pub stacks: BTreeMap<String, u64>,
    pub tables: TableUsage,
    /// Bytes of kernel memory that mapping slabs take.
    pub mapping_bytes: usize,
    pub images: usize,
    /// What became of images and of pages of their tables.
    pub image_counts: ImageCounts,
    pub processes: usize,
    /// What the agent had to give up, by kind.
    pub losses: Losses,
    /// Records that could not be decoded: a defect if not 0.
    pub damaged_records: u64,
    /// Samples of windows that could not be delivered, by reason.
    pub undelivered: BTreeMap<&'static str, u64>,
    pub windows: u64,
    /// Samples, frames and nameless frames in delivered windows.
    pub samples: u64,
    pub frames: u64,
    pub unnamed_frames: u64,
    /// Run time of the sampler in the kernel in nanoseconds, and its runs; 0 without `kernel.bpf_stats_enabled`.
    pub bpf_run_ns: u64,
    pub bpf_runs: u64,
    pub warnings: Vec<String>,
    pub sampler: Option<SamplerReport>,
}

impl AgentStats {
    /// One line a counter, in the text format of `OpenMetrics`.
    pub fn render(&self, out: &mut String) {
        let written = self.render_counters(out).and_then(|()| self.render_gauges(out));
        let written = written.and_then(|()| render_process(out));
        debug_assert!(written.is_ok(), "a string takes all text");
    }

    fn render_counters(&self, out: &mut String) -> fmt::Result {
        let mut line = |name: &str, value: u64| {
            writeln!(out, "# TYPE infrared_agent_{name} counter")?;
            writeln!(out, "infrared_agent_{name}_total {value}")
        };
        for (name, value) in &self.kernel {
            line(name, *value)?;
        }
        for (name, value) in [
            ("windows", self.windows),
            ("damaged_records", self.damaged_records),
            ("samples_delivered", self.samples),
            ("frames_delivered", self.frames),
            ("unnamed_frames", self.unnamed_frames),
            ("evicted_pages", self.tables.evicted_pages),
            ("rows_over_rule_limit", self.tables.rows_over_rule_limit),
            ("evicted_images", self.image_counts.evicted),
            ("refused_images", self.image_counts.refused),
            ("reopened_files", self.image_counts.reopened),
            ("unreachable_files", self.image_counts.unreachable),
            ("copied_files", self.image_counts.copied),
            ("table_pages_made", self.image_counts.pages_made),
            ("table_pages_unreadable", self.image_counts.pages_unreadable),
            ("table_pages_refused", self.image_counts.pages_refused),
            ("image_reader_panics", self.image_counts.reader_panics),
            ("bpf_run_nanoseconds", self.bpf_run_ns),
            ("bpf_runs", self.bpf_runs),
        ] {
            line(name, value)?;
        }
        for loss in Loss::ALL {
            line(&format!("lost_{}", loss.name()), self.losses.get(*loss))?;
        }
        Ok(())
    }

    fn render_gauges(&self, out: &mut String) -> fmt::Result {
        for (name, value) in [
            ("table_rows", self.tables.rows),
            ("table_bytes", self.tables.bytes),
            ("table_slab_bytes", self.tables.slab_bytes),
            ("table_pages", self.tables.pages),
            ("table_rules", self.tables.rules),
            ("mapping_slab_bytes", self.mapping_bytes),
            ("images", self.images),
            ("open_files", self.image_counts.open_files),
            ("copied_bytes", self.image_counts.copied_bytes as usize),
            ("processes", self.processes),
        ] {
            writeln!(out, "# TYPE infrared_agent_{name} gauge")?;
            writeln!(out, "infrared_agent_{name} {value}")?;
        }
        out.push_str("# TYPE infrared_agent_user_stacks_by_end counter\n");
        for (reason, count) in &self.stacks {
            writeln!(
                out,
                "infrared_agent_user_stacks_by_end_total{{reason=\"{reason}\"}} {count}"
            )?;
        }
        Ok(())
    }
}

/// What this process costs by the kernel's own account, by Prometheus's name for it. Our own samples tell less: a sample wakes the
/// driver, which has mostly gone back to sleep when the next one is taken.
fn render_process(out: &mut String) -> fmt::Result {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    out.push_str("# TYPE process_cpu_seconds counter\n# UNIT process_cpu_seconds seconds\n");
    writeln!(out, "process_cpu_seconds_total {}.{:09}", used.tv_sec, used.tv_nsec)
}

/// The counters as the agent's threads share them.
#[derive(Clone, Debug, Default)]
pub struct SharedStats(Arc<Mutex<AgentStats>>);

impl SharedStats {
    /// A copy of what is counted now.
    pub fn read(&self) -> AgentStats {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut AgentStats)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_seconds() -> f64 {
        let mut text = String::new();
        AgentStats::default().render(&mut text);
        let line = text.lines().find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
        line.unwrap().parse().unwrap()
    }

    #[test]
    fn our_own_time_is_that_of_the_kernel_s_account() {
        let before = clock_gettime(ClockId::ProcessCPUTime);
        let told = own_seconds();
        assert!(told >= before.tv_sec as f64 + before.tv_nsec as f64 / 1e9);
        while own_seconds() < told + 0.02 {
            std::hint::spin_loop();
        }
    }
}
