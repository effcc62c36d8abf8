//! The per-host agent: samples in, named profiles out.
//!
//! One driver thread owns the kernel side. What it does the pipeline decides, which is pure: it follows processes, feeds
//! mappings and unwind tables, and gathers samples into windows. Other threads read processes, read executables, and name
//! frames and deliver profiles to a [`ProfileSink`]. Nothing slow happens on the driver.

mod config;
mod copies;
mod driver;
mod export;
mod foreign;
mod health;
mod images;
mod inspect;
mod losses;
mod naming;
mod pipeline;
mod priority;
mod reader;
mod self_metrics;
mod start;
mod watch;
mod window;

pub use config::{AgentConfig, Pace, Target};
pub use export::{
    DeliveryReader, DeliveryStatus, EndpointError, OtlpConfig, OtlpError, OtlpSink, ProfileSink,
    SinkError, SpoolError,
};
pub use health::{Health, ThreadHealth, ThreadState};
pub use images::ImageCounts;
pub use infrared_bpf::{KernelError, SAMPLING_EVENT, SamplerReport};
pub use inspect::{RuntimeSeen, runtimes_of};
pub use losses::{Loss, Losses};
pub use self_metrics::{AgentStats, SharedStats};
pub use start::{Agent, AgentError};
