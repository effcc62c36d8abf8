//! What the agent is told.

use std::time::Duration;

use infrared_processes::service::Rules;

/// Whom to sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Every process of the machine.
    #[default]
    Machine,
    /// These processes and the children that they will have.
    Processes(Vec<u32>),
    /// This process from its next exec on, and the children that it will have then.
    Command(u32),
    /// Processes in these cgroups (v2 ids).
    Cgroups(Vec<u64>),
}

/// When windows close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// For a live view: a second each for the first ten, then `window`.
    Continuous { window: Duration },
    /// For a recording: every `window`, from the start.
    Recording { window: Duration },
}

impl Pace {
    /// How long the window number `index`, counted from 0, lasts.
    pub(crate) fn window(self, index: u64) -> Duration {
        match self {
            Self::Continuous { .. } if index < 10 => Duration::from_secs(1),
            Self::Continuous { window } | Self::Recording { window } => window,
        }
    }
}

/// Settings of an agent.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Samples a second and CPU, 1 to 10,000.
    pub frequency_hz: u32,
    pub target: Target,
    pub exclude_self: bool,
    pub pace: Pace,
    /// Bytes of unwind rows that the kernel holds at most.
    pub table_budget_bytes: usize,
    /// Bytes that naming may use for caches.
    pub symbol_budget_bytes: usize,
    /// Rules that name services otherwise than by default.
    pub services: Rules,
    /// Shown as `host.name`; the node name if absent.
    pub host_name: Option<String>,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            frequency_hz: 99,
            target: Target::Machine,
            exclude_self: false,
            pace: Pace::Continuous { window: Duration::from_secs(10) },
            table_budget_bytes: 64 << 20,
            symbol_budget_bytes: 24 << 20,
            services: Rules::default(),
            host_name: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ten_windows_of_a_live_view_are_short() {
        let pace = Pace::Continuous { window: Duration::from_secs(10) };
        assert_eq!(pace.window(0), Duration::from_secs(1));
        assert_eq!(pace.window(9), Duration::from_secs(1));
        assert_eq!(pace.window(10), Duration::from_secs(10));
        assert_eq!(
            Pace::Recording { window: Duration::from_secs(2) }.window(0),
            Duration::from_secs(2)
        );
    }
}
