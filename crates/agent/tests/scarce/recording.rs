//! An agent in this process, and the samples that it delivered.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use infrared_agent::{Agent, AgentConfig, AgentStats, Pace, SinkError};
use infrared_profile::{Profile, folded};
use tempfile::TempDir;

/// Two samplers at once would take each other's time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What came of a recording.
pub(crate) struct Recorded {
    pub(crate) stats: AgentStats,
    /// Frames, root first, and samples.
    stacks: Vec<(Vec<String>, u64)>,
}

/// Records the whole machine, with short windows, while `work` runs.
pub(crate) fn record(config: AgentConfig, work: impl FnOnce(&Agent)) -> Recorded {
    let _turn: MutexGuard<'_, ()> = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let collected = Arc::new(Mutex::new(Vec::<Profile>::new()));
    let sink = Arc::clone(&collected);
    let window = std::time::Duration::from_secs(1);
    let config = AgentConfig { pace: Pace::Recording { window }, ..config };
    let deliver = move |profiles: Vec<Profile>| {
        let mut all = sink.lock().map_err(|_| SinkError::Refused("poisoned".into()))?;
        all.extend(profiles.into_iter().filter(|profile| profile.value_type.kind == "samples"));
        Ok(())
    };
    let agent = Agent::start(config, Box::new(deliver)).expect("the agent starts: it needs root");
    work(&agent);
    let stats = agent.stats();
    agent.stop().unwrap();
    let mut stacks = Vec::new();
    for profile in collected.lock().unwrap().iter() {
        let mut text = Vec::new();
        folded::write(profile, folded::Unit::Samples, &[], &mut text).unwrap();
        for line in String::from_utf8(text).unwrap().lines() {
            let (frames, samples) = line.rsplit_once(' ').unwrap();
            let frames = frames.split(';').map(str::to_owned).collect();
            stacks.push((frames, samples.parse().unwrap()));
        }
    }
    Recorded { stats: stats.read(), stacks }
}

impl Recorded {
    /// Samples of a service whose stacks hold, and all of it.
    pub(crate) fn share(&self, service: &str, holds: impl Fn(&[String]) -> bool) -> (u64, u64) {
        let of_service = self.stacks.iter().filter(|(frames, _)| frames[0] == service);
        of_service.fold((0, 0), |(some, all), (frames, samples)| {
            (some + if holds(frames) { *samples } else { 0 }, all + samples)
        })
    }
}

/// Why a stack is not whole.
pub(crate) fn is_truncated(frames: &[String]) -> bool {
    frames.iter().any(|frame| frame.starts_with("[truncated"))
}

/// A folder for programs, which anybody can run.
pub(crate) fn folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let everybody = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), everybody).unwrap();
    folder
}

/// Compiles `source`, C or assembly by `language`, to `folder/name`.
pub(crate) fn compile(
    folder: &Path,
    name: &str,
    sources: &[(&str, &str)],
    flags: &[&str],
) -> PathBuf {
    let (program, mut command) = (folder.join(name), Command::new("gcc"));
    command.args(["-O1", "-g", "-fno-omit-frame-pointer", "-o"]).arg(&program).args(flags);
    for (file, text) in sources {
        let path = folder.join(format!("{name}_{file}"));
        std::fs::write(&path, text).unwrap();
        command.arg(path);
    }
    let output = command.output().expect("gcc is needed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// Runs a program to its end.
pub(crate) fn run(program: &Path, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{}: {status}", program.display());
}
