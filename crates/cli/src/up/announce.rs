//! The first words of `infrared up`: where the page is, what is seen, and what is not.

use std::time::Duration;

use infrared_agent::{AgentStats, SAMPLING_EVENT};
use infrared_processes::ProcFs;
use infrared_server::LocalAddrs;

use super::sources::AgentSource;
use crate::{settings::Settings, terminal};

pub(super) fn started(addresses: &LocalAddrs, settings: &Settings, source: &AgentSource) {
    let processes = ProcFs::system().list().map_or(0, |pids| pids.len());
    let text = text(addresses, settings, &source.stats(), processes);
    eprint!("{text}");
    for warning in source.warnings() {
        eprintln!("warning: {}", warning.replace('\n', "\n  "));
    }
    if terminal::can_rewrite() {
        eprintln!("Ctrl-C ends it.");
    }
}

fn text(
    addresses: &LocalAddrs,
    settings: &Settings,
    stats: &AgentStats,
    processes: usize,
) -> String {
    let mut text = format!("infrared is at http://{}\n", addresses.ui);
    let mut line = |name: &str, value: String| {
        text.extend([format!("  {name:<10} {value}\n")]);
    };
    if let Some(sampler) = &stats.sampler {
        let cpus = sampler.cpus.len();
        line(
            "sees",
            format!(
                "{cpus} CPUs at {} Hz by {SAMPLING_EVENT}, {processes} processes",
                settings.frequency
            ),
        );
    }
    line("keeps", format!("{} in {}", in_days(settings.retention), settings.data.display()));
    if let Some(grpc) = addresses.otlp_grpc {
        line("takes", format!("OTLP profiles over gRPC at {grpc}"));
    }
    if let Some(http) = addresses.otlp_http {
        line("", format!("OTLP profiles over HTTP at {http}"));
    }
    if !addresses.ui.ip().is_loopback() {
        line("beware", "there is no log-in: whoever reaches this address sees everything".into());
    }
    text
}

/// `7 days`; what is no whole number of days as people write it in the settings.
fn in_days(time: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match time.as_secs() / DAY {
        days if days == 0 || time != Duration::from_secs(days * DAY) => {
            humantime::format_duration(time).to_string()
        }
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_days() {
        for (hours, text) in [(24, "1 day"), (7 * 24, "7 days"), (36, "1day 12h"), (6, "6h")] {
            assert_eq!(in_days(Duration::from_hours(hours)), text);
        }
    }

    #[test]
    fn an_address_that_others_reach_comes_with_a_word_of_warning() {
        for (address, warns) in [("127.0.0.1:4747", false), ("0.0.0.0:4747", true)] {
            let addresses =
                LocalAddrs { ui: address.parse().unwrap(), otlp_grpc: None, otlp_http: None };
            let text = text(&addresses, &Settings::default(), &AgentStats::default(), 7);
            assert!(text.starts_with(&format!("infrared is at http://{address}\n")), "{text}");
            assert_eq!(text.contains("no log-in"), warns, "{text}");
        }
    }
}
