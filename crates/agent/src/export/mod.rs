//! Where finished windows go: to a sink of the caller's, or over OTLP to a server, with a spool on disk for the time
//! that it is away.

mod backoff;
mod client;
mod otlp;
mod queue;
mod sender;
mod split;
mod spool;
#[cfg(test)]
mod tests;

use infrared_profile::Profile;

pub use client::EndpointError;
pub use otlp::{DeliveryReader, DeliveryStatus, OtlpConfig, OtlpError, OtlpSink};
pub use spool::SpoolError;

/// A window could not be delivered. What it held is lost unless the sink kept it.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error("the receiver refused the profiles: {0}")]
    Refused(String),
    #[error("the receiver cannot be reached: {0}")]
    Unreachable(String),
}

/// Takes the profiles of a window: one of CPU samples, one of the agent's own counters. Called from one thread, in
/// order of time; may block for as long as a window lasts.
pub trait ProfileSink: Send {
    fn deliver(&mut self, window: Vec<Profile>) -> Result<(), SinkError>;
}

impl<F: FnMut(Vec<Profile>) -> Result<(), SinkError> + Send> ProfileSink for F {
    fn deliver(&mut self, window: Vec<Profile>) -> Result<(), SinkError> {
        self(window)
    }
}
