//! Prints what the embedded engine costs: bytes a row, rows a second, milliseconds a query.
//!
//! `cargo run --release -p infrared-store --example measure -- [HOURS] [SERVICES] [STACKS]`
//! The data: 10 s windows; per window each service shows some of its stacks, few of them often (a Zipf law).

use std::time::{Duration, Instant};

use infrared_profile::{Builder, Location, Series, ValueType, labels};
use infrared_store::{
    Budget, EmbeddedStore, Keep, Options, ProfileStore, Query, Selection, TimeRange, TimelineSpec,
};

const START_MS: i64 = 1_767_225_600_000;
const WINDOW_MS: i64 = 10_000;
const HOUR_MS: i64 = 3_600_000;
const DEPTH: u64 = 25;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Small numbers often: about 1/x.
    fn zipf(&mut self, below: u64) -> u64 {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        ((below as f64).powf(unit) as u64).min(below - 1)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let number = |index: usize, default: u64| {
        std::env::args().nth(index).and_then(|a| a.parse().ok()).unwrap_or(default)
    };
    let (hours, services, stacks) = (number(1, 6), number(2, 50), number(3, 200_000));
    let dir = tempfile::tempdir()?;
    let options = Options { background: false, ..Options::default() };
    let store = EmbeddedStore::open(dir.path(), options)?;
    let mut random = Random(88_172_645_463_325_252);
    let mut rows = 0;
    let mut acknowledged = Vec::new();
    let began = Instant::now();
    for window in 0..hours as i64 * HOUR_MS / WINDOW_MS {
        let start_ms = START_MS + window * WINDOW_MS;
        let profile = profile(start_ms, services, stacks, &mut random);
        rows += profile.samples.len();
        let write = Instant::now();
        store.write(&[profile])?;
        acknowledged.push(write.elapsed());
        store.maintain(start_ms)?;
    }
    store.flush()?;
    store.maintain(START_MS + (hours as i64 + 2) * HOUR_MS)?;
    let spent = began.elapsed();
    acknowledged.sort();
    let stats = store.stats();
    println!("rows written           {rows}");
    println!(
        "rows a second          {:.0} (generation included)",
        rows as f64 / spent.as_secs_f64()
    );
    println!("write of a window, p50 {:?}", acknowledged[acknowledged.len() / 2]);
    println!("segments               {}", stats.segments);
    println!("bytes a row            {:.2}", stats.bytes as f64 / stats.rows as f64);
    print_files(dir.path(), stats.rows)?;
    queries(&store, hours as i64)
}

fn profile(
    start_ms: i64,
    services: u64,
    stacks: u64,
    random: &mut Random,
) -> infrared_profile::Profile {
    let from_ns = start_ms as u64 * 1_000_000;
    let mut builder = Builder::new(ValueType::cpu_samples(), from_ns, 10_101_010);
    for service in 0..services {
        let series = builder.series(Series::from([
            (labels::SERVICE.to_owned(), format!("service-{service}")),
            (labels::PID.to_owned(), (1000 + service).to_string()),
            (labels::HOST.to_owned(), "box".to_owned()),
        ]));
        for _ in 0..40 {
            let stack = service * (stacks / services) + random.zipf(stacks / services);
            let mut leaf_first = Vec::new();
            for depth in (0..DEPTH).rev() {
                // Stacks share their roots: the deeper, the more apart.
                let branch = stack >> (DEPTH - depth).min(20);
                let address = (depth << 32 | branch) * 16;
                let module = builder.module("/usr/bin/program", "c0ffee");
                leaf_first.push(builder.location_at(module, address, |builder| Location {
                    module: Some(module),
                    address,
                    lines: vec![builder.line(
                        &format!("namespace::function_{address:x}"),
                        "",
                        "src/file.rs",
                        7,
                    )],
                    ..Location::default()
                }));
            }
            let stack = builder.stack(&leaf_first);
            builder.add(series, stack, 1);
        }
    }
    builder.finish(WINDOW_MS as u64 * 1_000_000)
}

fn print_files(root: &std::path::Path, rows: u64) -> std::io::Result<()> {
    for file in ["facts", "windows", "series", "stacks", "locations"] {
        let mut bytes = 0;
        for hour in std::fs::read_dir(root.join("hours"))? {
            for segment in std::fs::read_dir(hour?.path())? {
                bytes += std::fs::metadata(segment?.path().join(format!("{file}.parquet")))?.len();
            }
        }
        println!("  {file:<20} {:.2}", bytes as f64 / rows as f64);
    }
    Ok(())
}

fn queries(store: &EmbeddedStore, hours: i64) -> Result<(), Box<dyn std::error::Error>> {
    let end_ms = START_MS + hours * HOUR_MS;
    for (name, minutes, service) in [
        ("one service, 10 min", 10, Some("service-3")),
        ("all, 10 min", 10, None),
        ("one service, all hours", hours * 60, Some("service-3")),
        ("all, all hours", hours * 60, None),
    ] {
        let range = TimeRange { from_ms: end_ms - minutes * 60_000, to_ms: end_ms };
        let mut selection = Selection::cpu(range);
        if let Some(service) = service {
            selection = selection.services(&[service]);
        }
        let keep = Keep::Labels(vec![labels::SERVICE.into()]);
        let query = Query { selection: selection.clone(), keep, budget: Budget::default() };
        let select = fastest(|| store.select(&query).map(|s| s.profile.samples.len()))?;
        let spec = TimelineSpec { step_ms: 60_000, by: None, top: 0 };
        let budget = Budget::default();
        let line = fastest(|| store.timeline(&selection, &spec, &budget).map(|t| t.groups.len()))?;
        println!(
            "{name:<22} merge {:>9.2?} ({} rows), timeline {:>9.2?}",
            select.0, select.1, line.0
        );
    }
    Ok(())
}

fn fastest<E>(mut work: impl FnMut() -> Result<usize, E>) -> Result<(Duration, usize), E> {
    let mut best = (Duration::MAX, 0);
    for _ in 0..3 {
        let began = Instant::now();
        let count = work()?;
        best = best.min((began.elapsed(), count));
    }
    Ok(best)
}
