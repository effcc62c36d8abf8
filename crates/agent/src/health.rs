//! Who notices if a thread stops: each of ours has a pulse, and all pulses are looked at from outside.
//!
//! A thread says when it takes something up and when it is done. It is stuck if it is busy with one thing for longer than
//! that may take, and dead if it has ended or panicked. What follows from that is for others to decide.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use infrared_bpf::monotonic_ns;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadState {
    /// At work, or waiting for some.
    Running,
    /// Busy with one thing for longer than it may take, in seconds.
    Stuck(u64),
    /// It has ended as it should.
    Ended,
    Panicked,
}

/// A thread of the agent, looked at from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadHealth {
    pub name: &'static str,
    pub state: ThreadState,
    /// Panics that were caught, in pieces of work that were given up.
    pub caught_panics: u64,
}

impl ThreadHealth {
    /// What is wrong with it, as a sentence; `None` if nothing is.
    pub fn complaint(&self) -> Option<String> {
        let name = self.name;
        match self.state {
            ThreadState::Running | ThreadState::Ended => None,
            ThreadState::Stuck(seconds) => {
                Some(format!("the thread {name} has been busy with one thing for {seconds} s"))
            }
            ThreadState::Panicked => Some(format!("the thread {name} has panicked")),
        }
    }
}

const RUNNING: u8 = 0;
const ENDED: u8 = 1;
const PANICKED: u8 = 2;

#[derive(Debug)]
struct Signs {
    name: &'static str,
    patience: Duration,
    /// `CLOCK_MONOTONIC`; 0: it waits for work.
    busy_since_ns: AtomicU64,
    caught_panics: AtomicU64,
    state: AtomicU8,
}

/// A thread's own side: it tells that it is alive.
#[derive(Clone, Debug)]
pub(crate) struct Pulse(Arc<Signs>);

impl Pulse {
    /// It takes something up.
    pub(crate) fn begin(&self) {
        self.0.busy_since_ns.store(monotonic_ns().max(1), Ordering::Relaxed);
    }

    /// It is done with that.
    pub(crate) fn rest(&self) {
        self.0.busy_since_ns.store(0, Ordering::Relaxed);
    }

    /// Busy with one thing for so long.
    pub(crate) fn busy_for(&self) -> Duration {
        match self.0.busy_since_ns.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since_ns => Duration::from_nanos(monotonic_ns().saturating_sub(since_ns)),
        }
    }

    /// Does a piece of work that foreign input decides about. `None` if it panics: that is counted, and only this piece is
    /// lost.
    pub(crate) fn guard<T>(&self, what: &str, work: impl FnOnce() -> T) -> Option<T> {
        self.begin();
        let result = catch_unwind(AssertUnwindSafe(work));
        self.rest();
        result
            .map_err(|panic| {
                self.0.caught_panics.fetch_add(1, Ordering::Relaxed);
                tracing::error!(thread = self.0.name, panic = text(&*panic), "{what} was given up");
            })
            .ok()
    }

    fn health(&self) -> ThreadHealth {
        let state = match self.0.state.load(Ordering::Acquire) {
            ENDED => ThreadState::Ended,
            PANICKED => ThreadState::Panicked,
            _ if self.busy_for() > self.0.patience => ThreadState::Stuck(self.busy_for().as_secs()),
            _ => ThreadState::Running,
        };
        let caught_panics = self.0.caught_panics.load(Ordering::Relaxed);
        ThreadHealth { name: self.0.name, state, caught_panics }
    }
}

/// The pulses of all threads of an agent. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Vec<Pulse>>>);

impl Health {
    /// Starts a thread that is looked after. `patience`: how long it may be busy with one thing.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        name: &'static str,
        patience: Duration,
        work: impl FnOnce(&Pulse) -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let pulse = Pulse(Arc::new(Signs {
            name,
            patience,
            busy_since_ns: AtomicU64::new(0),
            caught_panics: AtomicU64::new(0),
            state: AtomicU8::new(RUNNING),
        }));
        let own = pulse.clone();
        let handle = thread::Builder::new().name(name.into()).spawn(move || {
            // Says so even if the work panics.
            let end = End(own);
            let result = work(&end.0);
            end.0.0.state.store(ENDED, Ordering::Release);
            result
        })?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(pulse);
        Ok(handle)
    }

    /// All threads that were ever started.
    pub fn threads(&self) -> Vec<ThreadHealth> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Pulse::health).collect()
    }

    /// What is wrong, a sentence each; empty if nothing is.
    pub fn complaints(&self) -> Vec<String> {
        self.threads().iter().filter_map(ThreadHealth::complaint).collect()
    }
}

struct End(Pulse);

impl Drop for End {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.0.state.store(PANICKED, Ordering::Release);
        }
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Instant};

    use super::*;

    #[test]
    fn a_thread_that_panics_or_is_busy_for_too_long_is_noticed() {
        let health = Health::default();
        let (go, wait) = mpsc::sync_channel::<()>(1);
        let (is_busy, busy) = mpsc::sync_channel(1);
        let stuck = health
            .spawn("ir-stuck", Duration::ZERO, move |pulse| {
                pulse.begin();
                is_busy.send(()).unwrap();
                wait.recv().unwrap();
            })
            .unwrap();
        let broken = health.spawn("ir-broken", Duration::ZERO, |_| panic!("on purpose")).unwrap();
        assert!(broken.join().is_err());
        busy.recv().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while health.complaints().len() < 2 {
            assert!(Instant::now() < until, "not all is noticed: {:?}", health.complaints());
            thread::yield_now();
        }
        let states: Vec<_> = health.threads().iter().map(|thread| thread.state).collect();
        assert_eq!(states, [ThreadState::Stuck(0), ThreadState::Panicked]);
        go.send(()).unwrap();
        stuck.join().unwrap();
        assert_eq!(health.threads()[0].state, ThreadState::Ended);
    }

    #[test]
    fn a_panic_in_a_piece_of_work_is_counted_and_the_thread_goes_on() {
        let health = Health::default();
        let thread = health
            .spawn("ir-guarded", Duration::from_mins(1), |pulse| {
                let lost = pulse.guard("a broken thing", || panic!("on purpose"));
                (lost, pulse.guard("a whole thing", || 7))
            })
            .unwrap();
        assert_eq!(thread.join().unwrap(), (None::<()>, Some(7)));
        assert_eq!(health.threads()[0].caught_panics, 1);
        assert!(health.complaints().is_empty());
    }
}
