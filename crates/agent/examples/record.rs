//! Records the whole machine for some seconds and prints folded stacks: the agent without the command line around it.

use std::{
    error::Error,
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use infrared_agent::{Agent, AgentConfig, Pace, Target};
use infrared_profile::{Profile, folded};

fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let mut args = std::env::args().skip(1);
    let seconds: u64 = args.next().unwrap_or_else(|| "5".into()).parse()?;
    let pids: Vec<u32> = args.map(|pid| pid.parse()).collect::<Result<_, _>>()?;
    let target = if pids.is_empty() { Target::Machine } else { Target::Processes(pids) };
    let collected = Arc::new(Mutex::new(Vec::<Profile>::new()));
    let sink = Arc::clone(&collected);
    let config = AgentConfig {
        target,
        pace: Pace::Recording { window: Duration::from_secs(seconds + 60) },
        ..AgentConfig::default()
    };
    let agent = Agent::start(
        config,
        Box::new(move |profiles: Vec<Profile>| {
            sink.lock()
                .map_err(|_| infrared_agent::SinkError::Refused("poisoned".into()))?
                .extend(profiles);
            Ok(())
        }),
    )?;
    std::thread::sleep(Duration::from_secs(seconds));
    let stats = agent.stats();
    agent.stop()?;
    eprintln!("{:#?}", stats.read());
    let mut out = std::io::stdout().lock();
    for profile in
        collected.lock().map_err(|_| "poisoned")?.iter().filter(|p| p.value_type.kind == "samples")
    {
        folded::write(profile, folded::Unit::Samples, &[], &mut out)?;
    }
    out.flush()?;
    Ok(())
}
