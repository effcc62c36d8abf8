//! What the agent in the same process says of itself.

/// Shown in `/api/v1/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct AgentStatus {
    /// Samples per second and CPU.
    pub hz: u32,
    /// What drives the samples: `cycles`, `cpu-clock` ...
    pub event: String,
    /// What the profiler cannot see here, in whole sentences.
    pub warnings: Vec<String>,
}

/// The agent, seen from the server. Must not block.
pub trait StatusSource: Send + Sync {
    fn agent(&self) -> AgentStatus;
}
