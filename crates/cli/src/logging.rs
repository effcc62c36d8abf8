//! Log lines on standard error: warnings, or what `INFRARED_LOG` or `-v` ask for.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::terminal;

/// The environment variable that says what is logged, in the syntax of `tracing_subscriber`'s `EnvFilter`.
const VARIABLE: &str = "INFRARED_LOG";

pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .with_ansi(terminal::colours(&io::stderr()))
        .init();
}
