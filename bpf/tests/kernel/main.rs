//! The kernel side in the real kernel, with real processes. Needs root, and fails without.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_arch = "x86_64")]

mod budgets;
mod copies;
mod frameless;
mod pages;
mod probes;
mod process_events;
mod runs;
mod runtimes;
mod sampling;
mod selection;
mod session;
mod stacks;
mod subject;
#[path = "../support/mod.rs"]
mod support;
