//! One OTLP receiver over gRPC, and what its answers mean.

use std::{path::PathBuf, time::Duration};

use infrared_wire::proto::collector::{
    ExportProfilesServiceRequest, profiles_service_client::ProfilesServiceClient,
};
use prost::Message;
use tonic::{
    Code, Request, Status,
    codec::CompressionEncoding,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// A token file of more bytes is none.
const LONGEST_TOKEN: usize = 16 << 10;

/// The address of the receiver cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("{url} is not the URL of a server: {reason}")]
    Url { url: String, reason: String },
    #[error("{0}: TLS is not built in: use http:// and a proxy that adds it")]
    Tls(String),
    #[error("cannot read the token {path}: {reason}")]
    Token { path: PathBuf, reason: String },
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Taken; some profiles of it may have been rejected, with a reason.
    Taken { rejected: i64, reason: String },
    /// Not now: the same request may be taken later.
    Later(String),
    /// Never.
    Refused(String),
}

/// See the module's documentation. Connects when it is first used.
#[derive(Debug)]
pub(super) struct Client {
    client: ProfilesServiceClient<Channel>,
    token_file: Option<PathBuf>,
}

/// A URL with its scheme; gRPC's own form `host:port` means no TLS.
fn with_scheme(url: &str) -> Result<String, EndpointError> {
    match url.split_once("://") {
        Some(("http", _)) => Ok(url.to_owned()),
        Some(("https", _)) => Err(EndpointError::Tls(url.to_owned())),
        Some((scheme, _)) => {
            let reason = format!("{scheme} is not http");
            Err(EndpointError::Url { url: url.to_owned(), reason })
        }
        None => Ok(format!("http://{url}")),
    }
}

/// The endpoint at `url`, which must name a host.
pub(super) fn endpoint(url: &str) -> Result<Endpoint, EndpointError> {
    let failed = |reason: String| EndpointError::Url { url: url.to_owned(), reason };
    let endpoint = Endpoint::from_shared(with_scheme(url)?).map_err(|e| failed(e.to_string()))?;
    if endpoint.uri().host().is_none_or(str::is_empty) {
        return Err(failed("it names no host".into()));
    }
    Ok(endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(REQUEST_TIMEOUT))
}

impl Client {
    /// Must be called inside of a tokio runtime.
    pub(super) fn new(endpoint: &Endpoint, token_file: Option<PathBuf>) -> Self {
        let client = ProfilesServiceClient::new(endpoint.connect_lazy())
            .send_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Gzip);
        Self { client, token_file }
    }

    pub(super) async fn send(&mut self, request: &[u8]) -> Answer {
        let message = match ExportProfilesServiceRequest::decode(request) {
            Ok(message) => message,
            Err(error) => return Answer::Refused(format!("damaged in the spool: {error}")),
        };
        let mut request = Request::new(message);
        if let Some(path) = &self.token_file {
            match read_token(path) {
                Ok(token) => drop(request.metadata_mut().insert("authorization", token)),
                Err(error) => return Answer::Later(error.to_string()),
            }
        }
        match self.client.export(request).await {
            Ok(response) => {
                let partial = response.into_inner().partial_success.unwrap_or_default();
                Answer::Taken { rejected: partial.rejected_profiles, reason: partial.error_message }
            }
            Err(status) => meaning(&status),
        }
    }
}

/// Read anew for every request: tokens are renewed.
pub(super) fn read_token(path: &PathBuf) -> Result<MetadataValue<Ascii>, EndpointError> {
    let failed = |reason: String| EndpointError::Token { path: path.clone(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    if text.len() > LONGEST_TOKEN {
        return Err(failed(format!("it has more than {LONGEST_TOKEN} bytes")));
    }
    let mut token: MetadataValue<Ascii> = format!("Bearer {}", text.trim())
        .parse()
        .map_err(|_| failed("it has characters that no token has".into()))?;
    token.set_sensitive(true);
    Ok(token)
}

/// The codes that OTLP lets a client try again, opentelemetry.io/docs/specs/otlp, "Failures"; and those for which a
/// person can do something on the other side.
fn meaning(status: &Status) -> Answer {
    // An error of ours, not an answer, has its cause at the end of a chain.
    let text = match (status.message(), std::error::Error::source(status)) {
        (_, Some(source)) => innermost(source),
        ("", None) => status.code().to_string(),
        (message, None) => message.to_owned(),
    };
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Unavailable
        | Code::Unknown
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::Unimplemented => Answer::Later(text),
        _ => Answer::Refused(text),
    }
}

fn innermost(mut error: &(dyn std::error::Error + 'static)) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_anything_is_sent() {
        for (url, expected) in [
            ("http://127.0.0.1:4317", Ok(())),
            ("profiles.internal:4317", Ok(())),
            ("http://[::1]:4317", Ok(())),
            ("https://profiles.internal", Err("TLS is not built in")),
            ("ftp://x", Err("ftp is not http")),
            ("http://", Err("http:// is not the URL of a server")),
            ("not a url", Err("not a url is not the URL")),
        ] {
            match (endpoint(url), expected) {
                (Ok(_), Ok(())) => {}
                (Err(error), Err(reason)) => {
                    assert!(error.to_string().contains(reason), "{url}: {error}");
                }
                (endpoint, expected) => panic!("{url}: {endpoint:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn answers_tell_whether_to_try_again() {
        for (code, again) in [
            (Code::Unavailable, true),
            (Code::DeadlineExceeded, true),
            (Code::ResourceExhausted, true),
            (Code::Unauthenticated, true),
            (Code::InvalidArgument, false),
            (Code::OutOfRange, false),
            (Code::Internal, false),
        ] {
            let answer = meaning(&Status::new(code, "why"));
            let expected = if again { Answer::Later } else { Answer::Refused };
            assert_eq!(answer, expected("why".into()), "{code:?}");
        }
    }

    #[test]
    fn a_token_is_trimmed_and_checked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for (content, token) in [("abc\n", Some("Bearer abc")), ("a\u{1}b", None)] {
            std::fs::write(&path, content).unwrap();
            let read = read_token(&path).ok();
            assert_eq!(read.as_ref().map(|token| token.to_str().unwrap()), token, "{content:?}");
        }
        assert!(read_token(&dir.path().join("absent")).is_err());
    }
}
