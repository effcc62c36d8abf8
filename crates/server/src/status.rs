//! What the agent in the same process says of itself.

/// Shown in `/api/v1/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct AgentStatus {
    /// Samples per second and CPU.
    pub hz: u32,
    /// What drives the samples: `cpu-clock` of our own agent.
    pub event: String,
    /// What the profiler cannot see here, in whole sentences.
    pub warnings: Vec<String>,
    /// What the profiler had to give up since its start.
    pub losses: Vec<AgentLoss>,
    /// Its threads.
    pub threads: Vec<AgentThread>,
}

/// A kind of loss, and how often it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct AgentLoss {
    pub name: String,
    pub count: u64,
    /// What was lost, in words.
    pub help: String,
}

/// A thread of the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct AgentThread {
    pub name: String,
    /// `running`, `stuck`, `ended` or `panicked`.
    pub state: String,
    /// Panics that were caught: pieces of work that were given up.
    pub caught_panics: u64,
}

/// The agent, seen from the server. Must not block.
pub trait StatusSource: Send + Sync {
    fn agent(&self) -> AgentStatus;
    /// What keeps it from working, a sentence each; empty if it is well.
    fn complaints(&self) -> Vec<String>;
}
