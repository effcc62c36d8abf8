//! The program as a person meets it: its words, its exit codes, its files. Needs root, as sampling does.

#![expect(clippy::unwrap_used, reason = "all of this is tests")]

mod record;
mod services;
mod support;
mod words;
