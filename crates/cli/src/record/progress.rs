//! What a person sees on standard error while a recording runs.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use crate::terminal::{self, grouped};

/// The line that tells how far a recording is. On a terminal it is renewed in place; elsewhere it is written once.
#[derive(Debug)]
pub(super) struct Progress {
    started: Instant,
    duration: Option<Duration>,
    is_live: bool,
}

impl Progress {
    /// Says that the recording has begun.
    pub(super) fn start(subject: &str, frequency_hz: u32, duration: Option<Duration>) -> Self {
        let length = match duration {
            Some(duration) => format!(" for {}", humantime::format_duration(duration)),
            None => String::new(),
        };
        eprintln!("recording {subject} at {frequency_hz} Hz{length} (Ctrl-C ends it)");
        Self { started: Instant::now(), duration, is_live: terminal::can_rewrite() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How much longer, if that is known.
    pub(super) fn left(&self) -> Option<Duration> {
        self.duration.map(|duration| duration.saturating_sub(self.elapsed()))
    }

    pub(super) fn show(&self, samples: u64) {
        if !self.is_live {
            return;
        }
        let elapsed = self.elapsed().as_secs_f64();
        let left = self.left().map(|left| format!(", {:.0} s left", left.as_secs_f64().ceil()));
        let left = left.unwrap_or_default();
        Self::rewrite(&format!("{elapsed:.0} s{left}, {} samples", grouped(samples)));
    }

    /// Takes the line away: what comes next stands in its place.
    pub(super) fn clear(&self) {
        if self.is_live {
            Self::rewrite("");
        }
    }

    fn rewrite(text: &str) {
        let mut out = io::stderr().lock();
        // A terminal that is gone needs no progress.
        drop(write!(out, "\r\u{1b}[K{text}").and_then(|()| out.flush()));
    }
}
