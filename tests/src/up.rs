//! `infrared up` as it runs on a machine, and what it costs there by the kernel's own accounts.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Folded, Stack, infrared_binary, process_cpu_ns, scratch_dir};

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Agent, server, page and store in one process. Killed when dropped.
#[derive(Debug)]
pub struct Up {
    child: Child,
    address: SocketAddr,
    _data: TempDir,
}

impl Up {
    /// Starts it at the rate that it has by default and waits until its page answers.
    pub fn start() -> Result<Self> {
        Self::start_at(99)
    }

    /// The same with `hz` samples per second of CPU time.
    pub fn start_at(hz: u32) -> Result<Self> {
        let data = scratch_dir()?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(infrared_binary()?);
        command
            .args(["up", "-F", &hz.to_string(), "--listen", &address.to_string(), "--data"])
            .arg(data.path());
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut up = Self { child: child.context("cannot run infrared up")?, address, _data: data };
        up.await_page()?;
        Ok(up)
    }

    /// Where its page is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU time of the process until now, nanoseconds.
    pub fn cpu_ns(&self) -> Result<u64> {
        process_cpu_ns(self.child.id())
    }

    /// CPU time over `duration` from now, as a share of one core.
    pub fn cpu_share(&self, duration: Duration) -> Result<f64> {
        let (begun, before_ns) = (Instant::now(), self.cpu_ns()?);
        std::thread::sleep(duration);
        Ok((self.cpu_ns()? - before_ns) as f64 / begun.elapsed().as_nanos() as f64)
    }

    /// What a GET of `path` answers: status and body.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // HTTP/1.0: the end of the connection is that of the answer, which comes in one piece.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).with_context(|| format!("GET {path}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.with_context(|| format!("no status in {head:?}"))?, body.to_owned()))
    }

    /// Waits until the page has a stack of `service` that `which` picks. Its first samples may be of what comes before: the
    /// loader, a start.
    pub fn await_stack(
        &self,
        service: &str,
        patience: Duration,
        which: impl Fn(&Stack) -> bool,
    ) -> Result<Stack> {
        let deadline = Instant::now() + patience;
        let mut latest = Folded::default();
        loop {
            // As long as there is no sample of it, the page knows no such service.
            let query = format!("/api/v1/export?format=folded&service={service}");
            if let (200, text) = self.get(&query)? {
                latest = text.parse()?;
                if let Some(found) = latest.stacks.iter().find(|stack| which(stack)) {
                    return Ok(found.clone());
                }
            }
            if Instant::now() > deadline {
                let seen = latest.stacks.iter().map(ToString::to_string).collect::<Vec<_>>();
                bail!("no such stack of {service} in {patience:?}, but\n{}", seen.join("\n"));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Asks for its end as a service manager does; an error if it has not come after `patience`.
    pub fn terminate(mut self, patience: Duration) -> Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a child has a pid")?, Signal::TERM)?;
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("infrared up ended with {status}"),
                None if Instant::now() > deadline => bail!("infrared up does not end"),
                None => std::thread::sleep(POLL),
            }
        }
    }

    fn await_page(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("infrared up ended with {status}");
            }
            if Instant::now() > deadline {
                bail!("infrared up does not listen at {}", self.address);
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
