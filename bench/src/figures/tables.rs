//! How large the unwind tables are in the kernel, for all that runs here: servers, compilers, node, a JVM.

use std::time::Duration;

use anyhow::Result;
use e2e::{Builds, Machine, Recording, Request, ServerKind};

use super::memory::Crowd;
use crate::report::Row;

const MIB: f64 = 1024.0 * 1024.0;

pub(crate) fn measure() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let servers = ServerKind::ALL.iter().map(|kind| kind.start()).collect::<Result<Vec<_>>>()?;
    let _loads = servers.iter().map(|server| server.load()).collect::<Result<Vec<_>>>()?;
    let _builds = Builds::start()?;
    let _crowd = Crowd::start(20)?;
    let mut recording = Recording::start(Request::machine(99))?;
    recording.go_on_for(Duration::from_secs(20))?;
    let stats = recording.finish()?.stats;
    let (rows, bytes) = (stats.table_rows, stats.table_bytes);
    let per_row = bytes as f64 / rows.max(1) as f64;
    let total = bytes as f64 / MIB;
    Ok(vec![
        Row::new("unwind tables, bytes per row", format!("{per_row:.2} ({rows} rows)"))
            .against("≤ 5", per_row <= 5.0 && rows > 0),
        Row::new("unwind tables of the running machine", format!("{total:.1} MiB"))
            .against("≤ 64 MiB", total <= 64.0 && rows > 0),
    ])
}
