//! What the agent tells the server about itself.

use infrared_agent::{
    Agent, AgentStats, Health, SAMPLING_EVENT, SharedStats, ThreadHealth, ThreadState,
};
use infrared_server::{AgentLoss, AgentStatus, AgentThread, MetricsSource, StatusSource};

/// Reads the agent's counters when the server is asked for them.
#[derive(Debug)]
pub(super) struct AgentSource {
    stats: SharedStats,
    health: Health,
    frequency_hz: u32,
    /// Known since the start.
    warnings: Vec<String>,
}

impl AgentSource {
    pub(super) fn new(agent: &Agent, frequency_hz: u32, warnings: Vec<String>) -> Self {
        Self { stats: agent.stats(), health: agent.health(), frequency_hz, warnings }
    }

    pub(super) fn stats(&self) -> AgentStats {
        self.stats.read()
    }

    /// Of the machine, and of what has happened since.
    pub(super) fn warnings(&self) -> Vec<String> {
        let stats = self.stats.read();
        let failed = stats.sampler.iter().flat_map(|sampler| &sampler.failed);
        let failed = failed.map(|(cpu, error)| format!("CPU {cpu} is not sampled: {error}"));
        let unheard = stats.sampler.iter().flat_map(|sampler| &sampler.unheard);
        let unheard = unheard.map(|(cpu, error)| {
            format!("CPU {cpu} tells no process events, its processes are found late: {error}")
        });
        let undelivered = stats.undelivered.iter();
        let undelivered =
            undelivered.map(|(reason, samples)| format!("{samples} samples are lost: {reason}"));
        let losses = stats.losses.iter().map(|(loss, count)| format!("{count} {}", loss.help()));
        let own = self.warnings.iter().cloned();
        own.chain(failed)
            .chain(unheard)
            .chain(undelivered)
            .chain(losses)
            .chain(stats.warnings.iter().cloned())
            .chain(self.health.complaints())
            .collect()
    }
}

impl StatusSource for AgentSource {
    fn agent(&self) -> AgentStatus {
        let stats = self.stats.read();
        let losses = stats.losses.iter().map(|(loss, count)| AgentLoss {
            name: loss.name().to_owned(),
            count,
            help: loss.help().to_owned(),
        });
        AgentStatus {
            hz: self.frequency_hz,
            event: SAMPLING_EVENT.into(),
            warnings: self.warnings(),
            losses: losses.collect(),
            threads: self.health.threads().iter().map(thread).collect(),
        }
    }

    fn complaints(&self) -> Vec<String> {
        self.health.complaints()
    }
}

impl MetricsSource for AgentSource {
    fn render(&self, out: &mut String) {
        self.stats.read().render(out);
    }
}

fn thread(thread: &ThreadHealth) -> AgentThread {
    let state = match thread.state {
        ThreadState::Running => "running",
        ThreadState::Stuck(_) => "stuck",
        ThreadState::Ended => "ended",
        ThreadState::Panicked => "panicked",
    };
    AgentThread {
        name: thread.name.to_owned(),
        state: state.to_owned(),
        caught_panics: thread.caught_panics,
    }
}
