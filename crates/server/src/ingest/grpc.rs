//! OTLP over gRPC. The message is taken as bytes, so that its memory is known before it is decoded.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use infrared_store::StoreError;
use infrared_wire::proto::collector::ExportProfilesServiceResponse;
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

use super::{Ingest, IngestError};
use crate::bind::ServeError;
use crate::net::Connection;
use crate::net::http::stop;

const METHOD: &str = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
const STREAMS: u32 = 32;
const KEEP_ALIVE: Duration = Duration::from_secs(30);

pub(crate) async fn serve(
    connections: mpsc::Receiver<Connection>,
    ingest: Ingest,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let incoming = ReceiverStream::new(connections).map(Ok::<_, std::io::Error>);
    let stop = async move { stop(&mut stopped).await };
    tonic::transport::Server::builder()
        .timeout(ingest.limits.ingest_timeout)
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .add_service(Profiles(ingest))
        .serve_with_incoming_shutdown(incoming, stop)
        .await
        .map_err(|error| ServeError::Stopped(error.to_string()))
}

/// The `ProfilesService`.
#[derive(Clone)]
struct Profiles(Ingest);

impl NamedService for Profiles {
    const NAME: &'static str =
        "opentelemetry.proto.collector.profiles.v1development.ProfilesService";
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type HttpRequest = axum::http::Request<tonic::body::Body>;
type HttpResponse = axum::http::Response<tonic::body::Body>;

impl tower::Service<HttpRequest> for Profiles {
    type Response = HttpResponse;
    type Error = Infallible;
    type Future = Boxed<Result<HttpResponse, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != METHOD {
                return Ok(Status::unimplemented("there is only Export").into_http());
            }
            let limits = service.0.limits;
            let mut grpc = Grpc::new(RawCodec)
                .accept_compressed(CompressionEncoding::Gzip)
                .send_compressed(CompressionEncoding::Gzip)
                .apply_max_message_size_config(Some(limits.expanded_bytes), None);
            Ok(grpc.unary(service, request).await)
        })
    }
}

impl UnaryService<Bytes> for Profiles {
    type Response = ExportProfilesServiceResponse;
    type Future = Boxed<Result<Response<ExportProfilesServiceResponse>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let ingest = self.0.clone();
        Box::pin(async move {
            let exported = ingest.export(request.into_inner(), None).await;
            exported.map(Response::new).map_err(|error| status(&error))
        })
    }
}

/// The codes that OTLP lets a client try again are `unavailable` and `deadline exceeded`.
fn status(error: &IngestError) -> Status {
    let message = error.to_string();
    match error {
        IngestError::Malformed(_) | IngestError::UnsupportedMedia(_) => {
            Status::invalid_argument(message)
        }
        // `resource exhausted` would ask for another try.
        IngestError::TooLarge(_) | IngestError::Store(StoreError::BatchTooLarge { .. }) => {
            Status::out_of_range(message)
        }
        IngestError::Timeout => Status::deadline_exceeded(message),
        IngestError::Busy | IngestError::Store(_) => Status::unavailable(message),
    }
}

/// Messages in as bytes, responses out as protobuf.
#[derive(Clone, Copy, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = ExportProfilesServiceResponse;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for RawCodec {
    type Item = ExportProfilesServiceResponse;
    type Error = Status;

    fn encode(&mut self, item: Self::Item, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
