//! Profiles as OTLP, and back: `opentelemetry.proto.profiles.v1development` as of opentelemetry-proto 1.10.
//!
//! The only wire format between agent and server, and what both speak to the rest of the world. No transport: the server
//! and the agent bring gRPC and HTTP. What comes in is hostile: every index is checked, and memory is bounded before
//! anything is decoded.

mod attributes;
mod budget;
mod decode;
mod encode;
mod error;
mod frame_type;
mod fuzz;
mod limits;
mod validate;

/// The generated messages and services that callers need.
pub mod proto {
    pub use opentelemetry_proto::tonic::collector::profiles::v1development as collector;
    pub use opentelemetry_proto::tonic::common::v1 as common;
    pub use opentelemetry_proto::tonic::profiles::v1development as profiles;
    pub use opentelemetry_proto::tonic::resource::v1 as resource;
}

pub use budget::decode_request;
pub use decode::from_otlp;
pub use encode::to_otlp;
pub use error::WireError;
#[doc(hidden)]
pub use fuzz::{fuzz_otlp, fuzz_otlp_validate};
pub use limits::Limits;
pub use validate::{Rule, Violation, validate};
