//! How our threads stand against the programs that they watch.

/// Puts the calling thread ahead of the programs that it watches: it has little to do, but a sample that waits for it
/// costs a copied stack. Where we may not, it goes without.
pub(crate) fn hurry() {
    const NICE: i32 = -15;
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "cannot raise the priority of a thread");
    }
}
