//! Writes a segment: into a temporary directory, synced, then renamed into place.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use parquet::data_type::ByteArray;

use super::columns::{Column, Lists, TableWriter, text};
use super::read::LocationRow;
use super::{FACTS, LOCATIONS, SERIES, STACKS, Segment, WINDOWS};
use crate::StoreError;
use crate::embedded::head::{Fact, Window};
use crate::embedded::ids::{LocationHash, SeriesHash, SeriesKey, StackHash};
use crate::embedded::layout::{PartitionId, SegmentName, sync_dir};

/// Rows of facts in a row group: what a query reads at once.
const GROUP_ROWS: usize = 128 * 1024;
/// Rows of a dictionary in a row group.
const DICTIONARY_ROWS: usize = 16 * 1024;

const FACTS_SCHEMA: &str = "message facts {
    REQUIRED INT64 start_ms; REQUIRED INT32 duration_ms;
    REQUIRED INT64 series (INTEGER(64,false)); REQUIRED INT64 stack (INTEGER(64,false));
    REQUIRED INT64 value (INTEGER(64,false)); }";
const WINDOWS_SCHEMA: &str = "message windows {
    REQUIRED INT64 start_ms; REQUIRED INT32 duration_ms;
    REQUIRED BYTE_ARRAY kind (UTF8); REQUIRED BYTE_ARRAY unit (UTF8); }";
const SERIES_SCHEMA: &str = "message series {
    REQUIRED INT64 id (INTEGER(64,false));
    REQUIRED BYTE_ARRAY kind (UTF8); REQUIRED BYTE_ARRAY unit (UTF8);
    REQUIRED INT64 period_ns (INTEGER(64,false));
    REPEATED BYTE_ARRAY label (UTF8); REPEATED BYTE_ARRAY value (UTF8); }";
const STACKS_SCHEMA: &str = "message stacks {
    REQUIRED INT64 id (INTEGER(64,false)); REPEATED INT64 location (INTEGER(64,false)); }";
const LOCATIONS_SCHEMA: &str = "message locations {
    REQUIRED INT64 id (INTEGER(64,false)); REQUIRED INT32 kind; REQUIRED INT32 flags;
    REQUIRED BYTE_ARRAY module (UTF8); REQUIRED BYTE_ARRAY build_id (UTF8);
    REQUIRED INT64 address (INTEGER(64,false));
    REPEATED BYTE_ARRAY function (UTF8); REPEATED BYTE_ARRAY system_name (UTF8);
    REPEATED BYTE_ARRAY file (UTF8); REPEATED INT32 line; }";

pub(in crate::embedded) type SeriesSink<'s> =
    dyn FnMut(SeriesHash, &SeriesKey) -> Result<(), StoreError> + 's;
pub(in crate::embedded) type StackSink<'s> =
    dyn FnMut(StackHash, Vec<LocationHash>) -> Result<(), StoreError> + 's;
pub(in crate::embedded) type LocationSink<'s> =
    dyn FnMut(LocationRow) -> Result<(), StoreError> + 's;

/// Where a new segment's rows come from: the head, or older segments.
pub(in crate::embedded) trait Source {
    /// Sorted, one per key.
    fn facts(&self) -> Result<Cow<'_, [Fact]>, StoreError>;
    fn windows(&self) -> Result<BTreeSet<Window>, StoreError>;
    fn series(&self, each: &mut SeriesSink<'_>) -> Result<(), StoreError>;
    fn stacks(&self, each: &mut StackSink<'_>) -> Result<(), StoreError>;
    fn locations(&self, each: &mut LocationSink<'_>) -> Result<(), StoreError>;
}

/// The segment to write.
pub(in crate::embedded) struct Target<'t> {
    pub(in crate::embedded) dir: &'t Path,
    pub(in crate::embedded) partition: PartitionId,
    pub(in crate::embedded) name: SegmentName,
    pub(in crate::embedded) replaces: &'t [SegmentName],
}

/// Writes a segment, durably; nothing is at `target.dir` if it fails.
pub(in crate::embedded) fn write(
    target: &Target<'_>,
    source: &dyn Source,
) -> Result<Segment, StoreError> {
    let dir = target.dir;
    let temporary = dir.with_extension("tmp");
    let partition_dir = dir.parent().unwrap_or(dir);
    fs::create_dir_all(partition_dir).map_err(|e| StoreError::io("create", partition_dir, e))?;
    let result = write_files(&temporary, target.replaces, source)
        .and_then(|()| fs::rename(&temporary, dir).map_err(|e| StoreError::io("rename", dir, e)))
        .and_then(|()| sync_dir(partition_dir))
        .and_then(|()| partition_dir.parent().map_or(Ok(()), sync_dir))
        .and_then(|()| Segment::open(dir, target.partition, target.name));
    if result.is_err()
        && let Err(error) = remove_if_there(&temporary)
    {
        tracing::warn!(%error, "cannot remove an unfinished segment");
    }
    result
}

fn remove_if_there(dir: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn write_files(
    dir: &Path,
    replaces: &[SegmentName],
    source: &dyn Source,
) -> Result<(), StoreError> {
    remove_if_there(dir).map_err(|e| StoreError::io("remove", dir, e))?;
    fs::create_dir(dir).map_err(|e| StoreError::io("create", dir, e))?;
    let windows = source.windows()?;
    write_facts(dir, replaces, &source.facts()?, &windows)?;
    write_windows(dir, &windows)?;
    write_series(dir, source)?;
    write_stacks(dir, source)?;
    write_locations(dir, source)?;
    sync_dir(dir)
}

fn write_facts(
    dir: &Path,
    replaces: &[SegmentName],
    facts: &[Fact],
    windows: &BTreeSet<Window>,
) -> Result<(), StoreError> {
    let mut table = TableWriter::create(&dir.join(FACTS), FACTS_SCHEMA)?;
    let from_ms = windows.iter().map(|w| w.start_ms).min().unwrap_or(0);
    let ends = windows.iter().map(|w| w.start_ms + i64::from(w.duration_ms));
    table.note("infrared.from_ms", &from_ms);
    table.note("infrared.to_ms", &ends.max().unwrap_or(from_ms));
    table.note("infrared.rows", &facts.len());
    let replaces: Vec<String> = replaces.iter().map(ToString::to_string).collect();
    table.note("infrared.replaces", &replaces.join(" "));
    for group in facts.chunks(GROUP_ROWS) {
        table.row_group(&[
            Column::I64(group.iter().map(|f| f.start_ms).collect()),
            Column::I32(group.iter().map(|f| f.duration_ms as i32).collect()),
            Column::I64(group.iter().map(|f| f.series.0 as i64).collect()),
            Column::I64(group.iter().map(|f| f.stack.0 as i64).collect()),
            Column::I64(group.iter().map(|f| f.value as i64).collect()),
        ])?;
    }
    table.finish()
}

fn write_windows(dir: &Path, windows: &BTreeSet<Window>) -> Result<(), StoreError> {
    let mut table = TableWriter::create(&dir.join(WINDOWS), WINDOWS_SCHEMA)?;
    table.row_group(&[
        Column::I64(windows.iter().map(|w| w.start_ms).collect()),
        Column::I32(windows.iter().map(|w| w.duration_ms as i32).collect()),
        Column::Bytes(windows.iter().map(|w| text(&w.value_type.0)).collect()),
        Column::Bytes(windows.iter().map(|w| text(&w.value_type.1)).collect()),
    ])?;
    table.finish()
}

fn write_series(dir: &Path, source: &dyn Source) -> Result<(), StoreError> {
    let mut table = TableWriter::create(&dir.join(SERIES), SERIES_SCHEMA)?;
    let mut seen = HashSet::new();
    let (mut ids, mut kinds, mut units, mut periods) = (vec![], vec![], vec![], vec![]);
    let (mut names, mut values) = (Lists::default(), Lists::default());
    source.series(&mut |id, key| {
        if seen.insert(id) {
            ids.push(id.0 as i64);
            kinds.push(text(&key.value_type.kind));
            units.push(text(&key.value_type.unit));
            periods.push(key.period_ns as i64);
            names.push(key.labels.keys().map(|n| text(n)));
            values.push(key.labels.values().map(|v| text(v)));
        }
        Ok(())
    })?;
    table.row_group(&[
        Column::I64(ids),
        Column::Bytes(kinds),
        Column::Bytes(units),
        Column::I64(periods),
        Column::BytesList(names),
        Column::BytesList(values),
    ])?;
    table.finish()
}

fn write_stacks(dir: &Path, source: &dyn Source) -> Result<(), StoreError> {
    let mut table = TableWriter::create(&dir.join(STACKS), STACKS_SCHEMA)?;
    let mut seen = HashSet::new();
    let mut ids = Vec::new();
    let mut locations = Lists::default();
    source.stacks(&mut |id, stack| {
        if seen.insert(id) {
            ids.push(id.0 as i64);
            locations.push(stack.iter().map(|l| l.0 as i64));
        }
        if ids.len() < DICTIONARY_ROWS {
            return Ok(());
        }
        let lists = std::mem::take(&mut locations);
        table.row_group(&[Column::I64(std::mem::take(&mut ids)), Column::I64List(lists)])
    })?;
    table.row_group(&[Column::I64(ids), Column::I64List(locations)])?;
    table.finish()
}

#[derive(Default)]
struct LocationColumns {
    ids: Vec<i64>,
    kinds: Vec<i32>,
    flags: Vec<i32>,
    modules: Vec<ByteArray>,
    build_ids: Vec<ByteArray>,
    addresses: Vec<i64>,
    functions: Lists<ByteArray>,
    system_names: Lists<ByteArray>,
    files: Lists<ByteArray>,
    lines: Lists<i32>,
}

impl LocationColumns {
    fn push(&mut self, row: LocationRow) {
        self.ids.push(row.id.0 as i64);
        self.kinds.push(i32::from(row.kind));
        self.flags.push(row.flags);
        self.modules.push(row.module);
        self.build_ids.push(row.build_id);
        self.addresses.push(row.address as i64);
        self.functions.push(row.lines.iter().map(|l| l.function.clone()));
        self.system_names.push(row.lines.iter().map(|l| l.system_name.clone()));
        self.files.push(row.lines.iter().map(|l| l.file.clone()));
        self.lines.push(row.lines.iter().map(|l| l.line as i32));
    }

    fn into_columns(self) -> [Column; 10] {
        [
            Column::I64(self.ids),
            Column::I32(self.kinds),
            Column::I32(self.flags),
            Column::Bytes(self.modules),
            Column::Bytes(self.build_ids),
            Column::I64(self.addresses),
            Column::BytesList(self.functions),
            Column::BytesList(self.system_names),
            Column::BytesList(self.files),
            Column::I32List(self.lines),
        ]
    }
}

fn write_locations(dir: &Path, source: &dyn Source) -> Result<(), StoreError> {
    let mut table = TableWriter::create(&dir.join(LOCATIONS), LOCATIONS_SCHEMA)?;
    let mut seen = HashSet::new();
    let mut columns = LocationColumns::default();
    source.locations(&mut |row| {
        if seen.insert(row.id) {
            columns.push(row);
        }
        if columns.ids.len() < DICTIONARY_ROWS {
            return Ok(());
        }
        table.row_group(&std::mem::take(&mut columns).into_columns())
    })?;
    table.row_group(&columns.into_columns())?;
    table.finish()
}
