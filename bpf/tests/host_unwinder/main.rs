//! The unwinder's C on the host, under sanitizers: stacks of real programs, made-up ones, and hostile tables.
#![allow(unsafe_code, clippy::unwrap_used, reason = "ptrace; a test fails by panicking")]
#![cfg(target_arch = "x86_64")]

mod arm64;
mod captured;
mod driver;
mod hostile;
mod hotspot;
mod layout;
mod python;
mod searched;
mod shadow;
mod stops;
#[path = "../support/mod.rs"]
mod support;
mod tracee;
mod v8;
