//! The sink that sends windows to a server over OTLP.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use infrared_profile::Profile;

use super::{
    ProfileSink, SinkError,
    client::{self, EndpointError},
    queue::Queue,
    sender, split,
    spool::{Spool, SpoolError},
};

/// Where to send, and what may wait.
#[derive(Clone, Debug)]
pub struct OtlpConfig {
    /// `http://host:port`, or `host:port`.
    pub url: String,
    /// Holds the bearer token; read anew for every request.
    pub token_file: Option<PathBuf>,
    /// Where requests wait while the server is away.
    pub spool_directory: PathBuf,
    /// Bytes that may wait there.
    pub spool_bytes: u64,
}

/// The sink cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("cannot start the sending thread: {0}")]
    Thread(#[from] io::Error),
}

/// How delivery stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// Requests that the server has taken since the start.
    pub sent: u64,
    /// Profiles in them that it rejected.
    pub rejected_profiles: u64,
    /// Requests that wait, and their bytes.
    pub waiting: usize,
    pub waiting_bytes: u64,
    /// Requests that are lost, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Why the server does not take anything now.
    pub trouble: Option<String>,
}

/// What the naming thread and the sending thread share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) sent: u64,
    pub(super) rejected_profiles: u64,
    pub(super) trouble: Option<String>,
    pub(super) is_stopping: bool,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changed(&self) -> &Condvar {
        &self.changed
    }
}

/// Sends in the background. When dropped, it tries for a moment to send what waits; the rest stays on disk.
#[derive(Debug)]
pub struct OtlpSink {
    shared: Arc<Shared>,
    sender: Option<JoinHandle<()>>,
}

/// Reads how delivery stands.
#[derive(Clone, Debug)]
pub struct DeliveryReader(Arc<Shared>);

impl OtlpSink {
    /// Checks the address, the token and the spool, and begins to send what waits. The server need not be there.
    pub fn start(config: &OtlpConfig) -> Result<Self, OtlpError> {
        let endpoint = client::endpoint(&config.url)?;
        if let Some(path) = &config.token_file {
            client::read_token(path)?;
        }
        let (spool, waiting) = Spool::open(&config.spool_directory)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: Queue::new(spool, &waiting, config.spool_bytes),
                sent: 0,
                rejected_profiles: 0,
                trouble: None,
                is_stopping: false,
            }),
            changed: Condvar::new(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (of_sender, token_file) = (Arc::clone(&shared), config.token_file.clone());
        let sender = thread::Builder::new()
            .name("ir-export".into())
            .spawn(move || sender::run(&of_sender, &runtime, &endpoint, token_file))?;
        Ok(Self { shared, sender: Some(sender) })
    }

    /// For whoever wants to know while the agent has the sink.
    pub fn reader(&self) -> DeliveryReader {
        DeliveryReader(Arc::clone(&self.shared))
    }
}

impl DeliveryReader {
    pub fn read(&self) -> DeliveryStatus {
        let state = self.0.lock();
        DeliveryStatus {
            sent: state.sent,
            rejected_profiles: state.rejected_profiles,
            waiting: state.queue.len(),
            waiting_bytes: state.queue.bytes(true) + state.queue.bytes(false),
            dropped: state.queue.dropped().clone(),
            trouble: state.trouble.clone(),
        }
    }
}

impl ProfileSink for OtlpSink {
    fn deliver(&mut self, window: Vec<Profile>) -> Result<(), SinkError> {
        let requests = split::requests(&window);
        let mut state = self.shared.lock();
        for request in requests {
            state.queue.push(request);
        }
        // The last window is not sent yet, or cannot be.
        if (state.trouble.is_some() || state.queue.len() > 8)
            && let Err(error) = state.queue.spill()
        {
            tracing::warn!(%error, "cannot write to the spool: profiles wait in memory");
        }
        drop(state);
        self.shared.changed().notify_all();
        Ok(())
    }
}

impl Drop for OtlpSink {
    fn drop(&mut self) {
        self.shared.lock().is_stopping = true;
        self.shared.changed().notify_all();
        if let Some(sender) = self.sender.take()
            && sender.join().is_err()
        {
            tracing::error!("the sending thread panicked");
        }
        let mut state = self.shared.lock();
        if state.queue.len() > 0
            && let Err(error) = state.queue.spill()
        {
            tracing::error!(%error, waiting = state.queue.len(), "requests are lost: cannot write to the spool");
        }
    }
}
