//! SIGINT and SIGTERM as messages.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool, mpsc::SyncSender},
    thread,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
    iterator::{SignalsInfo, exfiltrator::WithOrigin},
    low_level::siginfo::{Cause, Origin},
};

/// A request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) number: i32,
    /// From Ctrl-C: every process in the foreground of the terminal has got it too.
    pub(crate) from_terminal: bool,
}

/// Sends every SIGINT and SIGTERM from now on to `to`, which is never waited for. Once the flag that is returned is set,
/// a signal ends the process at once, with the exit code 128 + N.
pub(crate) fn forward<T: Send + 'static>(
    to: SyncSender<T>,
    message: fn(Signal) -> T,
) -> io::Result<Arc<AtomicBool>> {
    let at_once = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&at_once))?;
    }
    let mut signals = SignalsInfo::<WithOrigin>::new([SIGINT, SIGTERM])?;
    let run = move || {
        for Origin { signal, cause, .. } in &mut signals {
            let signal = Signal { number: signal, from_terminal: matches!(cause, Cause::Kernel) };
            // A full channel holds a request to end already.
            drop(to.try_send(message(signal)));
        }
    };
    thread::Builder::new().name("ir-signals".into()).spawn(run)?;
    Ok(at_once)
}
