//! The server over loopback, with a real store in a temporary directory.

mod answers;
mod connections;
mod ingest;
mod openapi;
mod schema;
mod support;
