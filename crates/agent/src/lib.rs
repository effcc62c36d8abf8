//! The per-host agent: samples in, named profiles out.
//!
//! One driver thread owns the kernel side. It follows processes, feeds mappings and unwind tables, gathers samples
//! into windows and hands each closed window to a second thread, which names the frames and delivers profiles to a
//! [`ProfileSink`]. A third thread reads executables. Nothing slow happens on the driver.

mod config;
mod driver;
mod export;
mod identity;
mod images;
mod naming;
mod publish;
mod self_metrics;
mod start;
mod watch;
mod window;

pub use config::{AgentConfig, Pace, Target};
pub use export::{
    DeliveryReader, DeliveryStatus, EndpointError, OtlpConfig, OtlpError, OtlpSink, ProfileSink,
    SinkError, SpoolError,
};
pub use infrared_bpf::{Clock, KernelError, SamplerReport};
pub use self_metrics::{AgentStats, SharedStats};
pub use start::{Agent, AgentError};
