//! The sending thread: the oldest request first, again and again until it is taken or refused.

use std::{
    path::PathBuf,
    pin::pin,
    sync::PoisonError,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;
use tonic::transport::Endpoint;

use super::{
    backoff::Backoff,
    client::{Answer, Client},
    otlp::Shared,
    queue::dropped,
};

/// How long to go on sending when the agent stops.
const FAREWELL: Duration = Duration::from_secs(3);
/// How often a request under way looks whether to stop.
const TICK: Duration = Duration::from_millis(250);

/// Sends until told to stop, and then until nothing waits, a request fails, or the farewell is over.
pub(super) fn run(
    shared: &Shared,
    runtime: &Runtime,
    endpoint: &Endpoint,
    token_file: Option<PathBuf>,
) {
    let mut client = {
        let _entered = runtime.enter();
        Client::new(endpoint, token_file)
    };
    let mut backoff = Backoff::new();
    let mut last_moment = None;
    while let Some((sequence, request)) = next(shared) {
        let answer = runtime.block_on(async {
            let mut sending = pin!(client.send(&request));
            loop {
                if let Ok(answer) = tokio::time::timeout(TICK, &mut sending).await {
                    return answer;
                }
                if remaining(shared, &mut last_moment).is_some_and(|left| left.is_zero()) {
                    return Answer::Later("the agent stops".into());
                }
            }
        });
        let goes_on = take(shared, sequence, answer, &mut backoff);
        let is_over = remaining(shared, &mut last_moment).is_some_and(|left| left.is_zero());
        if !goes_on || is_over {
            return;
        }
    }
}

/// The oldest request, once there is one; `None` when told to stop and nothing waits.
fn next(shared: &Shared) -> Option<(u64, Vec<u8>)> {
    let mut state = shared.lock();
    loop {
        if let Some(front) = state.queue.front() {
            return Some(front);
        }
        if state.is_stopping {
            return None;
        }
        state = shared.changed().wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// How much of the farewell is left; `None` while nobody wants to stop.
fn remaining(shared: &Shared, last_moment: &mut Option<Instant>) -> Option<Duration> {
    if !shared.lock().is_stopping {
        return None;
    }
    let moment = *last_moment.get_or_insert_with(|| Instant::now() + FAREWELL);
    Some(moment.saturating_duration_since(Instant::now()))
}

/// Does what the answer means. Returns whether to go on.
fn take(shared: &Shared, sequence: u64, answer: Answer, backoff: &mut Backoff) -> bool {
    let mut state = shared.lock();
    match answer {
        Answer::Taken { rejected, reason } => {
            if rejected > 0 {
                tracing::warn!(rejected, reason, "the server rejected profiles");
                state.rejected_profiles += rejected.unsigned_abs();
            }
            if state.trouble.take().is_some() {
                let waiting = state.queue.len().saturating_sub(1);
                tracing::warn!(waiting, "the server takes profiles again");
            }
            state.sent += 1;
            state.queue.pop(sequence);
            backoff.reset();
            true
        }
        Answer::Refused(reason) => {
            tracing::error!(reason, "the server refused a request: its profiles are lost");
            state.queue.pop(sequence);
            state.queue.count(dropped::REFUSED);
            true
        }
        Answer::Later(reason) => {
            if state.trouble.is_none() {
                tracing::warn!(reason, "the server takes no profiles: they wait in the spool");
            }
            state.trouble = Some(reason);
            if let Err(error) = state.queue.spill() {
                tracing::warn!(%error, "cannot write to the spool: profiles wait in memory");
            }
            let until = Instant::now() + backoff.next();
            while !state.is_stopping {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return true;
                }
                let waited = shared.changed().wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            false
        }
    }
}
