//! Connections: how many, how slow, and under which host names.

pub(crate) mod accept;
pub(crate) mod hosts;
pub(crate) mod http;
mod patient;

pub(crate) use patient::Connection;
