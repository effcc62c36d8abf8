//! Starts and stops the agent's threads.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::{self, JoinHandle},
};

use infrared_bpf::{Filter, Kernel, KernelConfig, KernelError};
use infrared_processes::{ProcFs, host::Host};

use crate::{
    config::{AgentConfig, Target},
    driver::Driver,
    export::ProfileSink,
    identity::Identifier,
    images::ImageRegistry,
    naming::{self, NamingConfig},
    self_metrics::SharedStats,
};

/// Why the agent does not run.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("the sampling frequency must be 1 to 10,000 Hz, not {0}")]
    Frequency(u32),
    #[error("there is no process {0}")]
    NoProcess(u32),
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    #[error("the thread {0} has ended unexpectedly")]
    Ended(&'static str),
}

/// A running agent. Stops when dropped; [`Agent::stop`] also delivers what it holds and tells of errors.
#[derive(Debug)]
pub struct Agent {
    stop: Arc<AtomicBool>,
    driver: Option<JoinHandle<Result<(), KernelError>>>,
    naming: Option<JoinHandle<()>>,
    stats: SharedStats,
}

impl Agent {
    /// Loads the kernel side and begins to sample. Returns once samples are being taken.
    pub fn start(config: AgentConfig, sink: Box<dyn ProfileSink>) -> Result<Self, AgentError> {
        check(&config)?;
        raise_file_limit();
        infrared_processes::memory::hold_little_memory();
        let (stop, stats) = (Arc::new(AtomicBool::new(false)), SharedStats::default());
        let (task_sender, tasks) = naming::queue();
        let naming_config = NamingConfig {
            period_ns: 1_000_000_000 / u64::from(config.frequency_hz),
            host_name: config.host_name.clone().unwrap_or_else(|| Host::read().name),
            symbol_budget_bytes: config.symbol_budget_bytes,
        };
        let naming_stats = stats.clone();
        let naming = thread::Builder::new()
            .name("ir-naming".into())
            .spawn(move || naming::run(&naming_config, &tasks, sink, &naming_stats))?;
        let (ready, is_ready) = mpsc::sync_channel(1);
        let (driver_stop, driver_stats) = (Arc::clone(&stop), stats.clone());
        let driver = thread::Builder::new().name("ir-driver".into()).spawn(move || {
            let kernel = match load(&config) {
                Ok(kernel) => kernel,
                Err(error) => {
                    answer(&ready, Err(error));
                    return Ok(());
                }
            };
            let images = match ImageRegistry::start() {
                Ok(images) => images,
                Err(error) => {
                    answer(&ready, Err(AgentError::Thread(error)));
                    return Ok(());
                }
            };
            driver_stats.update(|stats| stats.sampler = Some(kernel.report()));
            answer(&ready, Ok(()));
            Driver {
                kernel,
                pace: config.pace,
                procfs: ProcFs::system(),
                identifier: Identifier::new(config),
                images,
                naming: task_sender,
                stats: driver_stats,
                stop: driver_stop,
            }
            .run()
        })?;
        let agent = Self { stop, driver: Some(driver), naming: Some(naming), stats };
        is_ready.recv().map_err(|_| AgentError::Ended("ir-driver"))??;
        Ok(agent)
    }

    /// Counters, now.
    pub fn stats(&self) -> SharedStats {
        self.stats.clone()
    }

    /// Stops sampling, delivers the last window and waits for all threads.
    pub fn stop(mut self) -> Result<(), AgentError> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Result<(), AgentError> {
        self.stop.store(true, Ordering::Release);
        if let Some(driver) = self.driver.take() {
            driver.join().map_err(|_| AgentError::Ended("ir-driver"))??;
        }
        if let Some(naming) = self.naming.take() {
            naming.join().map_err(|_| AgentError::Ended("ir-naming"))?;
        }
        Ok(())
    }

    /// Whether the agent's threads are still at work.
    pub fn is_running(&self) -> bool {
        self.driver.as_ref().is_some_and(|driver| !driver.is_finished())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            tracing::error!(%error, "the agent did not stop cleanly");
        }
    }
}

/// Tells `start` how loading went. It waits for this; if it is gone there is nobody to tell.
fn answer(ready: &SyncSender<Result<(), AgentError>>, result: Result<(), AgentError>) {
    if ready.send(result).is_err() {
        tracing::debug!("nobody waits for the agent's start");
    }
}

fn check(config: &AgentConfig) -> Result<(), AgentError> {
    if !(1..=10_000).contains(&config.frequency_hz) {
        return Err(AgentError::Frequency(config.frequency_hz));
    }
    if let Target::Processes(pids) = &config.target {
        let procfs = ProcFs::system();
        for pid in pids {
            let alive = procfs
                .process(infrared_processes::Pid(*pid))
                .is_ok_and(|process| process.is_alive());
            if !alive {
                return Err(AgentError::NoProcess(*pid));
            }
        }
    }
    Ok(())
}

fn load(config: &AgentConfig) -> Result<Kernel, AgentError> {
    let kernel = Kernel::load(&KernelConfig {
        frequency_hz: config.frequency_hz.into(),
        filter: match config.target {
            Target::Machine => Filter::Everything,
            Target::Processes(_) => Filter::Pids,
            Target::Cgroups(_) => Filter::Cgroups,
        },
        exclude_self: config.exclude_self,
        table_budget_bytes: config.table_budget_bytes,
        ..KernelConfig::default()
    })?;
    match &config.target {
        Target::Machine => {}
        Target::Processes(pids) => {
            for pid in pids {
                kernel.processes.select_pid(*pid)?;
            }
        }
        Target::Cgroups(ids) => {
            for id in ids {
                kernel.processes.select_cgroup(*id)?;
            }
        }
    }
    Ok(kernel)
}

/// Every image holds a file open: as many as the hard limit lets us.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) =
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::debug!(%error, "cannot raise the limit of open files");
    }
}

/// Puts the calling thread ahead of the programs that it watches: it has little to do, but a sample that waits for it
/// costs a copied stack. Where we may not, it goes without.
pub(crate) fn hurry() {
    const NICE: i32 = -15;
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "cannot raise the priority of a thread");
    }
}
