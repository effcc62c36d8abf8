//! Starts and stops the agent's threads.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use infrared_bpf::{Filter, HostUnwinder, Kernel, KernelConfig, KernelError, monotonic_ns};
use infrared_processes::{ProcFs, host::Host};

use crate::{
    config::{AgentConfig, Target},
    copies::Copier,
    driver::Driver,
    export::ProfileSink,
    health::Health,
    images::ImageRegistry,
    naming::{self, NamingConfig, TaskSender},
    pipeline::{Pipeline, PipelineConfig},
    reader::{Identifier, Reader},
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
    #[error("the thread {0} does not end")]
    Stuck(&'static str),
}

/// A running agent. Stops when dropped; [`Agent::stop`] also delivers what it holds and tells of errors.
#[derive(Debug)]
pub struct Agent {
    stop: Arc<AtomicBool>,
    driver: Option<JoinHandle<Result<(), KernelError>>>,
    naming: Option<JoinHandle<()>>,
    stats: SharedStats,
    health: Health,
}

impl Agent {
    /// Loads the kernel side and begins to sample. Returns once samples are being taken.
    pub fn start(config: AgentConfig, sink: Box<dyn ProfileSink>) -> Result<Self, AgentError> {
        check(&config)?;
        raise_file_limit();
        infrared_processes::memory::hold_little_memory();
        let (stop, stats) = (Arc::new(AtomicBool::new(false)), SharedStats::default());
        let health = Health::default();
        let (task_sender, tasks) = naming::queue();
        let host_name = config.host_name.clone().unwrap_or_else(|| Host::read().name);
        let naming_config = NamingConfig {
            period_ns: 1_000_000_000 / u64::from(config.frequency_hz),
            host_name: host_name.clone(),
            symbol_budget_bytes: config.symbol_budget_bytes,
        };
        let naming_stats = stats.clone();
        let naming = health.spawn("ir-naming", NAMING_PATIENCE, move |pulse| {
            naming::run(&naming_config, &tasks, sink, &naming_stats, pulse);
        })?;
        let (ready, is_ready) = mpsc::sync_channel(1);
        let (driver_stop, driver_stats, driver_health) =
            (Arc::clone(&stop), stats.clone(), health.clone());
        let driver = health.spawn("ir-driver", DRIVER_PATIENCE, move |pulse| {
            let chosen = chosen(&config.target).to_vec();
            let made = make_driver(
                config,
                host_name,
                task_sender,
                &driver_health,
                (driver_stats, driver_stop),
            );
            let begun = made.and_then(|mut driver| {
                driver.begin(&chosen)?;
                Ok(driver)
            });
            match begun {
                Ok(driver) => {
                    answer(&ready, Ok(()));
                    driver.run(pulse)
                }
                Err(error) => {
                    answer(&ready, Err(error));
                    Ok(())
                }
            }
        })?;
        let agent = Self { stop, driver: Some(driver), naming: Some(naming), stats, health };
        is_ready.recv().map_err(|_| AgentError::Ended("ir-driver"))??;
        Ok(agent)
    }

    /// Counters, now.
    pub fn stats(&self) -> SharedStats {
        self.stats.clone()
    }

    /// How its threads are.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Stops sampling, delivers the last window and waits for all threads; for one that does not end, not for ever.
    pub fn stop(mut self) -> Result<(), AgentError> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Result<(), AgentError> {
        self.stop.store(true, Ordering::Release);
        if let Some(driver) = self.driver.take() {
            join("ir-driver", driver, STOP_PATIENCE)??;
        }
        if let Some(naming) = self.naming.take() {
            join("ir-naming", naming, NAMING_PATIENCE)?;
        }
        Ok(())
    }

    /// Whether the agent's threads are still at work.
    pub fn is_running(&self) -> bool {
        let is_at_work = |done: Option<bool>| done == Some(false);
        is_at_work(self.driver.as_ref().map(JoinHandle::is_finished))
            && is_at_work(self.naming.as_ref().map(JoinHandle::is_finished))
    }
}

/// A turn of the driver takes milliseconds.
const DRIVER_PATIENCE: Duration = Duration::from_secs(10);
/// A window with much debug information may take long to name.
const NAMING_PATIENCE: Duration = Duration::from_mins(2);
/// For the driver's last turn, which waits for what is being read.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// Waits for the end of a thread, but not for ever.
fn join<T>(name: &'static str, thread: JoinHandle<T>, patience: Duration) -> Result<T, AgentError> {
    let until = Instant::now() + patience;
    while !thread.is_finished() {
        if Instant::now() > until {
            return Err(AgentError::Stuck(name));
        }
        thread::sleep(Duration::from_millis(5));
    }
    thread.join().map_err(|_| AgentError::Ended(name))
}

fn make_driver(
    config: AgentConfig,
    host_name: String,
    naming: TaskSender,
    health: &Health,
    (stats, stop): (SharedStats, Arc<AtomicBool>),
) -> Result<Driver, AgentError> {
    let mut kernel = load(&config)?;
    if !chosen(&config.target).is_empty() {
        kernel.pause()?;
    }
    let (copier, vdso) = (Copier::default(), crate::reader::read_own_vdso());
    let images = ImageRegistry::start(health, config.table_budget_bytes, vdso, copier.clone())?;
    let identifier = Identifier::new(&host_name, config.services.clone());
    let reader = Reader::start(health, identifier, copier)?;
    let declaring = Identifier::new(&host_name, config.services);
    let pipeline_config = PipelineConfig {
        pace: config.pace,
        host_name,
        declared_service: Box::new(move |environment| declaring.declared_service(environment)),
    };
    let running = crate::driver::running()?;
    stats.update(|stats| stats.sampler = Some(kernel.report()));
    Ok(Driver {
        at_window_start: kernel.stats(),
        host: HostUnwinder::new(kernel.hash_key()),
        reader,
        pipeline: Pipeline::new(pipeline_config, images, running, monotonic_ns()),
        naming,
        stats,
        stop,
        last_house: Instant::now(),
        kernel,
    })
}

/// The processes that run already and were chosen by their numbers.
fn chosen(target: &Target) -> &[u32] {
    match target {
        Target::Processes(pids) => pids,
        Target::Machine | Target::Command(_) | Target::Cgroups(_) => &[],
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
    let pids = match &config.target {
        Target::Processes(pids) => pids.as_slice(),
        Target::Command(pid) => std::slice::from_ref(pid),
        Target::Machine | Target::Cgroups(_) => &[],
    };
    let procfs = ProcFs::system();
    for pid in pids {
        let alive =
            procfs.process(infrared_processes::Pid(*pid)).is_ok_and(|process| process.is_alive());
        if !alive {
            return Err(AgentError::NoProcess(*pid));
        }
    }
    Ok(())
}

fn load(config: &AgentConfig) -> Result<Kernel, AgentError> {
    let kernel = Kernel::load(&KernelConfig {
        frequency_hz: config.frequency_hz.into(),
        filter: match config.target {
            Target::Machine => Filter::Everything,
            Target::Processes(_) | Target::Command(_) => Filter::Pids,
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
        Target::Command(pid) => kernel.processes.select_pid_from_exec(*pid)?,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_does_not_end_is_left_behind_and_named() {
        let (release, held) = std::sync::mpsc::sync_channel::<()>(0);
        let stuck = thread::Builder::new().spawn(move || held.recv()).unwrap();
        let patience = Duration::from_millis(20);
        let left = join("ir-stuck", stuck, patience);
        assert!(matches!(left, Err(AgentError::Stuck("ir-stuck"))), "{left:?}");
        drop(release);
        let ended = thread::Builder::new().spawn(|| panic!("on purpose")).unwrap();
        let broken = join("ir-broken", ended, Duration::from_mins(1));
        assert!(matches!(broken, Err(AgentError::Ended("ir-broken"))));
        let whole = thread::Builder::new().spawn(|| 7).unwrap();
        let whole = join("ir-whole", whole, Duration::from_mins(1));
        assert!(matches!(whole, Ok(7)));
    }
}
