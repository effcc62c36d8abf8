//! `PostgreSQL` with a pgbench database, as the user that its package made: it refuses to run as root.

use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::{Daemon, Load, Server, free_address};
use crate::scratch_dir;

/// It recovers and makes its shared memory meanwhile.
const START_UP: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Postgres {
    daemon: Daemon,
    address: SocketAddr,
    _dir: TempDir,
}

impl Postgres {
    pub fn start() -> Result<Self> {
        let (bin, user) = (binaries()?, User::find("postgres")?);
        let dir = scratch_dir()?;
        chown(dir.path(), Some(user.id), Some(user.group))?;
        let data = dir.path().join("data");
        let mut initdb = user.command(&bin.join("initdb"), dir.path());
        run(initdb.args(["-A", "trust", "--no-sync", "-D"]).arg(&data))?;
        let address = free_address()?;
        let mut command = user.command(&bin.join("postgres"), dir.path());
        command.env("OTEL_SERVICE_NAME", "e2e-postgres").arg("-D").arg(&data);
        command.args(["-p", &address.port().to_string(), "-h", "127.0.0.1", "-F"]);
        command.arg("-k").arg(dir.path());
        let mut daemon = Daemon::start(command)?;
        daemon.await_listener(address)?;
        let server = Self { daemon, address, _dir: dir };
        server.await_queries(&bin)?;
        run(server.client(&bin.join("pgbench")).args(["-i", "-q", "-s", "2", "postgres"]))?;
        Ok(server)
    }

    fn client(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-U", "postgres"]);
        command.args(["-p", &self.address.port().to_string()]);
        command
    }

    /// It listens before it takes queries, and refuses them until it has started up.
    fn await_queries(&self, bin: &Path) -> Result<()> {
        let deadline = Instant::now() + START_UP;
        loop {
            let answer = run(self.client(&bin.join("pg_isready")).args(["-t", "20"]));
            if answer.is_ok() || Instant::now() > deadline {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Server for Postgres {
    fn services(&self) -> &'static [&'static str] {
        &["e2e-postgres", "postgres", "postgresql"]
    }

    fn pid(&self) -> u32 {
        self.daemon.child.id()
    }

    fn load(&self) -> Result<Load> {
        let bin = binaries()?;
        let pgbench = |mode: &[&str]| {
            let mut command = self.client(&bin.join("pgbench"));
            command.args(["-n", "-c", "2", "-T", "3600"]).args(mode).arg("postgres");
            command
        };
        Load::start([pgbench(&["-S"]), pgbench(&["-b", "tpcb-like"])])
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its children and its shared memory go only if it is asked.
        let pid = self.daemon.child.id().to_string();
        if Command::new("kill").args(["-INT", &pid]).status().is_ok_and(|status| status.success()) {
            drop(self.daemon.child.wait());
        }
    }
}

/// Debian keeps the server's programs out of the path, one folder per version.
fn binaries() -> Result<PathBuf> {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
    let mut folders: Vec<PathBuf> =
        versions.filter_map(Result::ok).map(|entry| entry.path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").is_file());
    folders.sort();
    folders.pop().context("PostgreSQL's server is not installed")
}

#[derive(Clone, Copy, Debug)]
struct User {
    id: u32,
    group: u32,
}

impl User {
    fn find(name: &str) -> Result<Self> {
        let users = std::fs::read_to_string("/etc/passwd")?;
        let mut entries = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let entry = entries.find(|fields| fields.first() == Some(&name));
        match entry.as_deref() {
            Some([_, _, id, group, ..]) => Ok(Self { id: id.parse()?, group: group.parse()? }),
            _ => bail!("there is no user {name}"),
        }
    }

    fn command(self, program: &Path, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.uid(self.id).gid(self.group).current_dir(dir).env("LC_ALL", "C");
        command
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
