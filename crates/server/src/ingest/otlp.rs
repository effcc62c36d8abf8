//! What both OTLP transports share: a body becomes profiles, on a thread that may block.

use bytes::Bytes;
use infrared_wire::WireError;
use infrared_wire::proto::collector::{
    ExportProfilesPartialSuccess, ExportProfilesServiceResponse,
};

use super::expand::expand;
use super::{Ingest, IngestError, Ingested};

impl From<WireError> for IngestError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Limit { .. } => Self::TooLarge(error.to_string()),
            other => Self::Malformed(other.to_string()),
        }
    }
}

impl Ingest {
    /// Takes a request's body when it is its turn.
    pub(super) async fn export(
        &self,
        body: Bytes,
        encoding: Option<String>,
    ) -> Result<ExportProfilesServiceResponse, IngestError> {
        self.counters.requests.add(1);
        let result = self.export_in_turn(body, encoding).await;
        if let Err(error) = &result {
            match error {
                IngestError::Malformed(_) | IngestError::UnsupportedMedia(_) => {
                    self.counters.requests_malformed.add(1);
                }
                IngestError::TooLarge(_) => self.counters.requests_too_large.add(1),
                IngestError::Busy | IngestError::Timeout => self.counters.requests_busy.add(1),
                IngestError::Store(_) => {}
            }
        }
        Ok(response(result?))
    }

    async fn export_in_turn(
        &self,
        body: Bytes,
        encoding: Option<String>,
    ) -> Result<Ingested, IngestError> {
        let turn = self.decoding.clone().acquire_owned();
        let turn = tokio::time::timeout(self.limits.queue_timeout, turn).await;
        let Ok(Ok(permit)) = turn else { return Err(IngestError::Busy) };
        let ingest = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            // Held by the work, not by the request: a client that goes away frees no slot while its body is decoded.
            let _permit = permit;
            ingest.decode_and_write(body, encoding.as_deref())
        });
        match work.await {
            Ok(result) => result,
            Err(error) => Err(IngestError::Malformed(format!("decoding failed: {error}"))),
        }
    }

    fn decode_and_write(
        &self,
        body: Bytes,
        encoding: Option<&str>,
    ) -> Result<Ingested, IngestError> {
        let body = expand(body, encoding, self.limits.expanded_bytes)?;
        let limits = infrared_wire::Limits {
            decoded_bytes: self.limits.decoded_bytes,
            profile_bytes: self.limits.decoded_bytes,
            ..infrared_wire::Limits::default()
        };
        let request = infrared_wire::decode_request(&body, &limits)?;
        drop(body);
        let profiles = infrared_wire::from_otlp(&request, &limits)?;
        drop(request);
        self.write(profiles)
    }
}

fn response(ingested: Ingested) -> ExportProfilesServiceResponse {
    let partial_success = (ingested.rejected > 0).then_some(ExportProfilesPartialSuccess {
        rejected_profiles: ingested.rejected as i64,
        error_message: ingested.reason,
    });
    ExportProfilesServiceResponse { partial_success }
}
