//! OTLP over HTTP: binary protobuf, gzip or not. Errors are `google.rpc.Status` messages, as OTLP asks for.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use infrared_store::StoreError;
use prost::Message;

use super::IngestError;
use crate::config::Limits;
use crate::state::App;

pub(crate) const HTTP_PATH: &str = "/v1development/profiles";
const PROTOBUF: &str = "application/x-protobuf";

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

pub(crate) async fn http(State(app): State<App>, request: Request) -> Response {
    let limits = app.limits;
    let answered = tokio::time::timeout(limits.ingest_timeout, async {
        let (body, encoding) = read(request, &limits).await?;
        app.ingest.export(body, encoding).await
    });
    match answered.await.unwrap_or(Err(IngestError::Timeout)) {
        Ok(response) => protobuf(StatusCode::OK, response.encode_to_vec()),
        Err(error) => refusal(&error),
    }
}

async fn read(request: Request, limits: &Limits) -> Result<(Bytes, Option<String>), IngestError> {
    let encoding = header_text(request.headers(), &header::CONTENT_ENCODING);
    let kind = header_text(request.headers(), &header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or("").trim();
    if kind != PROTOBUF && kind != "application/protobuf" {
        let message = format!("the content type is {kind:?}; use {PROTOBUF}");
        return Err(IngestError::UnsupportedMedia(message));
    }
    let limited = Limited::new(request.into_body(), limits.body_bytes);
    let body = limited.collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            IngestError::TooLarge(format!("the body exceeds {} bytes", limits.body_bytes))
        } else {
            IngestError::Malformed(format!("the body broke off: {error}"))
        }
    })?;
    Ok((body.to_bytes(), encoding))
}

fn header_text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_ascii_lowercase)
}

/// The status, and the code of `google.rpc.Code`. 429 and 503 ask for another try; the others do not.
fn refusal(error: &IngestError) -> Response {
    let (status, code) = match error {
        IngestError::Malformed(_) => (StatusCode::BAD_REQUEST, 3),
        IngestError::TooLarge(_) | IngestError::Store(StoreError::BatchTooLarge { .. }) => {
            (StatusCode::PAYLOAD_TOO_LARGE, 8)
        }
        IngestError::UnsupportedMedia(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, 3),
        IngestError::Timeout => (StatusCode::REQUEST_TIMEOUT, 4),
        IngestError::Busy | IngestError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, 14),
    };
    let message = RpcStatus { code, message: error.to_string() };
    let mut response = protobuf(status, message.encode_to_vec());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn protobuf(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, PROTOBUF)], body).into_response()
}
