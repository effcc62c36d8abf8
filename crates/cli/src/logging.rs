//! Log lines on standard error: warnings, or what `INFRARED_LOG` or `-v` ask for.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use tracing_subscriber::EnvFilter;

use crate::terminal;

/// The environment variable that says what is logged, in the syntax of `tracing_subscriber`'s `EnvFilter`.
const VARIABLE: &str = "INFRARED_LOG";

/// Whether a view has the terminal to itself.
static IS_MUTED: AtomicBool = AtomicBool::new(false);

/// While this lives, nothing is logged.
#[derive(Debug)]
pub(crate) struct Muted(());

/// Keeps log lines off a terminal that a view fills.
pub(crate) fn mute() -> Muted {
    IS_MUTED.store(true, Ordering::Relaxed);
    Muted(())
}

impl Drop for Muted {
    fn drop(&mut self) {
        IS_MUTED.store(false, Ordering::Relaxed);
    }
}

fn writer() -> Box<dyn Write> {
    if IS_MUTED.load(Ordering::Relaxed) { Box::new(io::sink()) } else { Box::new(io::stderr()) }
}

pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_target(false)
        .without_time()
        .with_ansi(terminal::colours(&io::stderr()))
        .init();
}
