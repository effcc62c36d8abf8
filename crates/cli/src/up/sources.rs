//! What the agent tells the server about itself.

use infrared_agent::{AgentStats, SharedStats};
use infrared_server::{AgentStatus, MetricsSource, StatusSource};

/// Reads the agent's counters when the server is asked for them.
#[derive(Debug)]
pub(super) struct AgentSource {
    stats: SharedStats,
    frequency_hz: u32,
    /// Known since the start.
    warnings: Vec<String>,
}

impl AgentSource {
    pub(super) fn new(stats: SharedStats, frequency_hz: u32, warnings: Vec<String>) -> Self {
        Self { stats, frequency_hz, warnings }
    }

    pub(super) fn stats(&self) -> AgentStats {
        self.stats.read()
    }

    /// Of the machine, and of what has happened since.
    pub(super) fn warnings(&self) -> Vec<String> {
        let stats = self.stats.read();
        let failed = stats.sampler.iter().flat_map(|sampler| &sampler.failed);
        let failed = failed.map(|(cpu, error)| format!("CPU {cpu} is not sampled: {error}"));
        let undelivered = stats.undelivered.iter();
        let undelivered =
            undelivered.map(|(reason, samples)| format!("{samples} samples are lost: {reason}"));
        let own = self.warnings.iter().cloned();
        own.chain(failed).chain(undelivered).chain(stats.warnings.iter().cloned()).collect()
    }
}

impl StatusSource for AgentSource {
    fn agent(&self) -> AgentStatus {
        let sampler = self.stats.read().sampler;
        AgentStatus {
            hz: self.frequency_hz,
            event: sampler.map_or("unknown", |sampler| sampler.clock.name()).into(),
            warnings: self.warnings(),
        }
    }
}

impl MetricsSource for AgentSource {
    fn render(&self, out: &mut String) {
        self.stats.read().render(out);
    }
}
