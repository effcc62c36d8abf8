//! From the agent into the store of the same process.

use infrared_agent::{ProfileSink, SinkError};
use infrared_profile::Profile;
use infrared_server::Ingest;

/// Writes windows. One that the store refuses, as when the disk is full, is lost and counted by the agent.
#[derive(Debug)]
pub(super) struct IngestSink(pub(super) Ingest);

impl ProfileSink for IngestSink {
    fn deliver(&mut self, window: Vec<Profile>) -> Result<(), SinkError> {
        let written =
            self.0.write(window).map_err(|error| SinkError::Refused(error.to_string()))?;
        if written.rejected > 0 {
            return Err(SinkError::Refused(written.reason));
        }
        Ok(())
    }
}
