//! The ways in which a program can be started so that its file is hard to find.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::{Target, built, scratch_dir};

/// A user without any rights.
const NOBODY: u32 = 65534;

/// How a program comes to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launch {
    Plain,
    /// With one argument that switches the program's second mode on.
    SecondMode,
    /// Gets the path of a library to load once it is sampled.
    Plugin,
    /// Every call through the PLT goes through the resolver: `LD_BIND_NOT`, ld.so(8).
    ResolveEachCall,
    /// The file is gone once the program runs.
    Deleted,
    /// Another program has taken the file's path.
    Replaced,
    Chroot,
    /// The path leads to another program for everyone outside.
    MountNamespace,
    /// From a memfd.
    Memory,
    /// From a file of 1 TiB, nearly all of it a hole.
    Sparse,
    /// By an ordinary user, in a folder of theirs.
    Nobody,
    /// The same, and it runs on one processor alone.
    NobodyOn(u32),
    /// By an ordinary user, from a file system that a child of the program serves, and that root may not read.
    Served,
    /// The same, and everybody may read there: whoever does may wait for the child.
    ServedToAll,
}

/// A program that waits for its release, and what it needs to stay there.
#[derive(Debug)]
pub struct Actor {
    pub target: Target,
    _dir: TempDir,
}

impl Actor {
    /// Starts `program` under the service name `service`.
    pub fn start(service: &str, program: &str, launch: Launch) -> Result<Self> {
        let dir = scratch_dir()?;
        let original = built(program)?;
        let file = dir.path().join(program);
        let mut command = match launch {
            Launch::Plain => Command::new(&original),
            Launch::SecondMode => with_argument(&original, "second"),
            Launch::Plugin => with_argument(&original, built("libplugin.so")?),
            Launch::ResolveEachCall => {
                let mut command = Command::new(&original);
                command.env("LD_BIND_NOT", "1");
                command
            }
            Launch::Deleted | Launch::Replaced => {
                copy_program(&original, &file)?;
                Command::new(&file)
            }
            Launch::Chroot => {
                copy_program(&original, &file)?;
                let mut command = with_argument(Path::new("chroot"), dir.path());
                command.arg(format!("/{program}"));
                command
            }
            Launch::MountNamespace => in_mount_namespace(dir.path(), program, &original)?,
            Launch::Memory => with_argument(&built("memfd")?, &original),
            Launch::Served | Launch::ServedToAll => served(&original, launch)?,
            Launch::Sparse => {
                copy_program(&original, &file)?;
                extend(&file)?;
                Command::new(&file)
            }
            Launch::Nobody | Launch::NobodyOn(_) => {
                copy_program(&original, &file)?;
                chown(dir.path(), Some(NOBODY), Some(NOBODY))?;
                let mut command = match launch {
                    Launch::NobodyOn(cpu) => {
                        let mut command = Command::new("taskset");
                        command.args(["-c", &cpu.to_string()]).arg(&file);
                        command
                    }
                    _ => Command::new(&file),
                };
                command.current_dir(dir.path()).uid(NOBODY).gid(NOBODY);
                command
            }
        };
        command.env("OTEL_SERVICE_NAME", service);
        let target = Target::start(command)?;
        match launch {
            Launch::Deleted => std::fs::remove_file(&file)?,
            Launch::Replaced => {
                let other = dir.path().join("other");
                copy_program(&built("impostor")?, &other)?;
                std::fs::rename(&other, &file)?;
            }
            _ => {}
        }
        Ok(Self { target, _dir: dir })
    }
}

fn with_argument(program: &Path, argument: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.arg(argument);
    command
}

fn served(program: &Path, launch: Launch) -> Result<Command> {
    let mut command = Command::new(built("served-file")?);
    if launch == Launch::ServedToAll {
        command.arg("all");
    }
    command.arg(program);
    Ok(command)
}

/// By another process, for the reason that `copy_program` has.
fn extend(file: &Path) -> Result<()> {
    let status = Command::new("truncate").args(["-s", "1T"]).arg(file).status()?;
    ensure!(status.success(), "cannot extend {}", file.display());
    Ok(())
}

/// Outside, the impostor is at the path under which the program runs inside.
fn in_mount_namespace(dir: &Path, program: &str, original: &Path) -> Result<Command> {
    let [hidden, seen]: [PathBuf; 2] = ["hidden", "seen"].map(|name| dir.join(name));
    std::fs::create_dir(&hidden)?;
    std::fs::create_dir(&seen)?;
    copy_program(original, &hidden.join(program))?;
    copy_program(&built("impostor")?, &seen.join(program))?;
    let script = r#"mount --bind "$1" "$2" && exec "$2/$3""#;
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(&hidden).arg(&seen).arg(program);
    Ok(command)
}

/// Copies a program so that it can be executed at once.
pub fn copy_program(from: &Path, to: &Path) -> Result<()> {
    // By another process: a file that this one writes stays open in the children that other threads fork meanwhile,
    // and a program that is open for writing is "busy".
    let status = Command::new("cp").args([from, to]).status()?;
    ensure!(status.success(), "cannot copy to {}", to.display());
    Ok(())
}
