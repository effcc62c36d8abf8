//! `infrared up` as it runs on a machine, and what it costs there by the kernel's own accounts.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{infrared_binary, process_cpu_ns, scratch_dir};

const PATIENCE: Duration = Duration::from_secs(30);

/// Agent, server, page and store in one process. Killed when dropped.
#[derive(Debug)]
pub struct Up {
    child: Child,
    address: SocketAddr,
    _data: TempDir,
}

impl Up {
    /// Starts it and waits until its page answers.
    pub fn start() -> Result<Self> {
        let data = scratch_dir()?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(infrared_binary()?);
        command
            .args(["up", "-F", "99", "--listen", &address.to_string(), "--data"])
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

    /// Resident memory now and at its highest, in MiB (`VmRSS`, `VmHWM` of proc(5)).
    pub fn resident_mib(&self) -> Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
            kib.map(|kib| kib / 1024.0).with_context(|| format!("no {name} in status"))
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
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
            std::thread::sleep(Duration::from_millis(50));
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
