//! Servers as their packages ship them, on free ports, with all they write in a scratch directory, and their load.

mod go_http;
mod nginx;
mod postgres;
mod redis;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

pub use go_http::GoHttp;
pub use nginx::Nginx;
pub use postgres::Postgres;
pub use redis::Redis;

/// A server that answers. Dropping it stops it.
pub trait Server: std::fmt::Debug + Send {
    /// The service names that its samples may carry.
    fn services(&self) -> &'static [&'static str];

    /// Its first process; the others are its descendants.
    fn pid(&self) -> u32;

    /// Starts what keeps it busy until the load is dropped.
    fn load(&self) -> Result<Load>;
}

/// Which servers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    Nginx,
    Postgres,
    Redis,
    GoHttp,
}

impl ServerKind {
    pub const ALL: [Self; 4] = [Self::Nginx, Self::Postgres, Self::Redis, Self::GoHttp];

    /// Starts it and waits until it accepts connections.
    pub fn start(self) -> Result<Box<dyn Server>> {
        Ok(match self {
            Self::Nginx => Box::new(Nginx::start()?),
            Self::Postgres => Box::new(Postgres::start()?),
            Self::Redis => Box::new(Redis::start()?),
            Self::GoHttp => Box::new(GoHttp::start()?),
        })
    }
}

/// Processes that keep a server busy. Dropping it ends them.
#[derive(Debug)]
pub struct Load {
    processes: Vec<Daemon>,
}

impl Load {
    pub fn start(commands: impl IntoIterator<Item = Command>) -> Result<Self> {
        let processes = commands.into_iter().map(Daemon::start).collect::<Result<_>>()?;
        Ok(Self { processes })
    }

    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().map(|process| process.child.id())
    }

    /// Waits until something listens at `address`.
    pub fn await_listener(&mut self, address: SocketAddr) -> Result<()> {
        self.processes.iter_mut().try_for_each(|process| process.await_listener(address))
    }

    /// An error if a generator has ended: then there is no load.
    pub fn check(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Daemon::check)
    }
}

/// A process in the background and all that it starts in its process group, killed when dropped.
#[derive(Debug)]
struct Daemon {
    child: Child,
    command: String,
}

impl Daemon {
    fn start(mut command: Command) -> Result<Self> {
        let text = format!("{command:?}");
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot run {text}"))?;
        Ok(Self { child, command: text })
    }

    fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}", self.command),
        }
    }

    /// Waits until something listens at `address`.
    fn await_listener(&mut self, address: SocketAddr) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
            self.check()?;
            if Instant::now() > deadline {
                bail!("{} does not listen at {address}", self.command);
            }
            std::thread::yield_now();
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // An error means that it has ended already.
            kill_process_group(group, Signal::KILL).unwrap_or_default();
        }
        drop(self.child.wait());
    }
}

/// A loopback address that nobody listens at.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

fn wrk(url: &str) -> Command {
    let mut command = Command::new("wrk");
    command.args(["-t", "1", "-c", "16", "-d", "3600s", url]);
    command
}
