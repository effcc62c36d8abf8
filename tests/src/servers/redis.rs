//! Redis without persistence.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use super::{Daemon, Load, Server, free_address};
use crate::scratch_dir;

#[derive(Debug)]
pub struct Redis {
    daemon: Daemon,
    address: SocketAddr,
    _dir: TempDir,
}

impl Redis {
    pub fn start() -> Result<Self> {
        let dir = scratch_dir()?;
        let address = free_address()?;
        let mut command = Command::new("redis-server");
        command.env("OTEL_SERVICE_NAME", "e2e-redis").args(["--bind", "127.0.0.1", "--save", ""]);
        command.args(["--port", &address.port().to_string(), "--appendonly", "no"]);
        command.arg("--dir").arg(dir.path());
        let mut daemon = Daemon::start(command)?;
        daemon.await_listener(address)?;
        Ok(Self { daemon, address, _dir: dir })
    }
}

impl Server for Redis {
    fn services(&self) -> &'static [&'static str] {
        &["e2e-redis", "redis", "redis-server", "redis-check-rdb"]
    }

    fn pid(&self) -> u32 {
        self.daemon.child.id()
    }

    fn load(&self) -> Result<Load> {
        let mut command = Command::new("redis-benchmark");
        command.args([
            "-p",
            &self.address.port().to_string(),
            "-q",
            "-l",
            "-n",
            "100000",
            "-c",
            "20",
        ]);
        command.args(["-t", "set,get,incr,lpush,lpop,hset,zadd,lrange_100,mset", "-r", "10000"]);
        Load::start([command])
    }
}
