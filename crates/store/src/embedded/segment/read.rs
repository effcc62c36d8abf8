//! Reads a segment: only the row groups and columns that a question needs.

use std::collections::BTreeSet;
use std::path::Path;

use infrared_profile::{LocationId, ValueType};
use parquet::data_type::ByteArray;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::columns::{Lists, TableReader};
use super::write::StackSink;
use super::{FACTS, LOCATIONS, SERIES, STACKS, Segment, WINDOWS};
use crate::embedded::head::{Fact, Window};
use crate::embedded::ids::{LocationHash, SeriesHash, SeriesKey, StackHash, kind_code};
use crate::embedded::layout::SegmentName;
use crate::embedded::tables::Tables;
use crate::{StoreError, TimeRange};

/// Flags of a location row.
const LOW_CONFIDENCE: i32 = 1;
const UNNAMED: i32 = 2;
const HAS_MODULE: i32 = 4;

/// Text as the file holds it; shared with the page it came from.
pub(in crate::embedded) type RowText = ByteArray;

pub(in crate::embedded) struct LineRow {
    pub(in crate::embedded) function: RowText,
    pub(in crate::embedded) system_name: RowText,
    pub(in crate::embedded) file: RowText,
    pub(in crate::embedded) line: u32,
}

pub(in crate::embedded) struct LocationRow {
    pub(in crate::embedded) id: LocationHash,
    pub(in crate::embedded) kind: u8,
    pub(super) flags: i32,
    pub(in crate::embedded) module: RowText,
    pub(in crate::embedded) build_id: RowText,
    pub(in crate::embedded) address: u64,
    pub(in crate::embedded) lines: Vec<LineRow>,
}

impl LocationRow {
    pub(in crate::embedded) fn low_confidence(&self) -> bool {
        self.flags & LOW_CONFIDENCE != 0
    }

    pub(in crate::embedded) fn unnamed(&self) -> bool {
        self.flags & UNNAMED != 0
    }

    pub(in crate::embedded) fn has_module(&self) -> bool {
        self.flags & HAS_MODULE != 0
    }

    /// The row of a location in memory.
    pub(in crate::embedded) fn of(
        tables: &Tables,
        hash: LocationHash,
        id: LocationId,
    ) -> Option<Self> {
        let (place, lines) = tables.place(id)?;
        let text = |id| super::columns::text(tables.text(id));
        let module = place.module.and_then(|m| tables.module(m));
        let flag = |set: bool, bit: i32| if set { bit } else { 0 };
        Some(Self {
            id: hash,
            kind: kind_code(place.kind),
            flags: flag(place.low_confidence, LOW_CONFIDENCE)
                | flag(place.unnamed, UNNAMED)
                | flag(module.is_some(), HAS_MODULE),
            module: module.map_or_else(|| ByteArray::from(""), |m| text(m.path)),
            build_id: module.map_or_else(|| ByteArray::from(""), |m| text(m.build_id)),
            address: place.address,
            lines: lines
                .iter()
                .map(|l| LineRow {
                    function: text(l.function),
                    system_name: text(l.system_name),
                    file: text(l.file),
                    line: l.line,
                })
                .collect(),
        })
    }
}

pub(super) struct Summary {
    pub(super) range: TimeRange,
    pub(super) rows: u64,
    pub(super) replaces: Vec<SegmentName>,
}

pub(super) fn summary(dir: &Path) -> Result<Summary, StoreError> {
    let table = TableReader::open(dir.join(FACTS))?;
    let range = TimeRange {
        from_ms: table.noted("infrared.from_ms")?,
        to_ms: table.noted("infrared.to_ms")?,
    };
    let replaces: String = table.noted("infrared.replaces")?;
    let replaces = replaces.split(' ').filter_map(|name| name.parse().ok()).collect();
    Ok(Summary { range, rows: table.noted("infrared.rows")?, replaces })
}

/// Which facts to read.
pub(in crate::embedded) struct FactsFilter<'f> {
    pub(in crate::embedded) range: TimeRange,
    /// Sorted.
    pub(in crate::embedded) series: &'f [SeriesHash],
}

impl FactsFilter<'_> {
    fn may_hold(&self, group: &RowGroupMetaData) -> bool {
        let bounds = |column: usize| match group.column(column).statistics() {
            Some(Statistics::Int64(s)) => Some((*s.min_opt()?, *s.max_opt()?)),
            _ => None,
        };
        let longest_ms = match group.column(1).statistics() {
            Some(Statistics::Int32(s)) => s.max_opt().map_or(u32::MAX, |max| *max as u32),
            _ => u32::MAX,
        };
        let in_time = bounds(0).is_none_or(|(min, max)| {
            min < self.range.to_ms && max.saturating_add(i64::from(longest_ms)) > self.range.from_ms
        });
        let in_series = bounds(2).is_none_or(|(min, max)| {
            let first = self.series.partition_point(|s| s.0 < min as u64);
            self.series.get(first).is_some_and(|s| s.0 <= max as u64)
        });
        in_time && in_series
    }
}

impl Segment {
    /// Hands the matching facts of one row group at a time to `each`.
    pub(in crate::embedded) fn facts(
        &self,
        filter: &FactsFilter<'_>,
        each: &mut dyn FnMut(&[Fact]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let table = TableReader::open(self.dir.join(FACTS))?;
        let mut facts = Vec::new();
        for index in 0..table.group_count() {
            if !filter.may_hold(table.group_metadata(index)) {
                continue;
            }
            let group = table.group(index)?;
            let (starts, durations) = (group.i64s(0)?, group.i32s(1)?);
            let (series, stacks, values) = (group.i64s(2)?, group.i64s(3)?, group.i64s(4)?);
            facts.clear();
            let mut last = None;
            for row in 0..starts.len() {
                let id = SeriesHash(series[row] as u64);
                let wanted = match last {
                    Some((known, wanted)) if known == id => wanted,
                    _ => filter.series.binary_search(&id).is_ok(),
                };
                last = Some((id, wanted));
                let duration_ms = durations[row] as u32;
                if wanted && filter.range.overlaps(starts[row], duration_ms) {
                    facts.push(Fact {
                        series: id,
                        start_ms: starts[row],
                        stack: StackHash(stacks[row] as u64),
                        duration_ms,
                        value: values[row] as u64,
                    });
                }
            }
            each(&facts)?;
        }
        Ok(())
    }

    pub(in crate::embedded) fn windows(&self) -> Result<BTreeSet<Window>, StoreError> {
        let table = TableReader::open(self.dir.join(WINDOWS))?;
        let mut windows = BTreeSet::new();
        for index in 0..table.group_count() {
            let group = table.group(index)?;
            let (kinds, units) = (group.texts(2)?, group.texts(3)?);
            let rows = group.i64s(0)?.into_iter().zip(group.i32s(1)?).zip(kinds.iter().zip(&units));
            windows.extend(rows.map(|((start_ms, duration), (kind, unit))| Window {
                start_ms,
                duration_ms: duration as u32,
                value_type: (string(kind), string(unit)),
            }));
        }
        Ok(windows)
    }

    pub(in crate::embedded) fn series(
        &self,
        each: &mut dyn FnMut(SeriesHash, SeriesKey) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let table = TableReader::open(self.dir.join(SERIES))?;
        for index in 0..table.group_count() {
            let group = table.group(index)?;
            let (ids, kinds, units) = (group.i64s(0)?, group.texts(1)?, group.texts(2)?);
            let (periods, names) = (group.i64s(3)?, group.text_lists(4)?);
            let values = group.text_lists(5)?;
            for (row, (names, values)) in names.rows().zip(values.rows()).enumerate() {
                let value_type = ValueType { kind: string(&kinds[row]), unit: string(&units[row]) };
                let labels = names.iter().map(string).zip(values.iter().map(string)).collect();
                let period_ns = periods[row] as u64;
                each(SeriesHash(ids[row] as u64), SeriesKey { value_type, period_ns, labels })?;
            }
        }
        Ok(())
    }

    /// Hands the stacks that are `wanted` to `each`.
    pub(in crate::embedded) fn stacks(
        &self,
        wanted: &dyn Fn(StackHash) -> bool,
        each: &mut StackSink<'_>,
    ) -> Result<(), StoreError> {
        let table = TableReader::open(self.dir.join(STACKS))?;
        for index in 0..table.group_count() {
            let group = table.group(index)?;
            let ids: Vec<StackHash> =
                group.i64s(0)?.into_iter().map(|id| StackHash(id as u64)).collect();
            if !ids.iter().any(|id| wanted(*id)) {
                continue;
            }
            let locations = group.i64_lists(1)?;
            for (id, row) in ids.into_iter().zip(locations.rows()) {
                if wanted(id) {
                    each(id, row.iter().map(|l| LocationHash(*l as u64)).collect())?;
                }
            }
        }
        Ok(())
    }

    /// Hands the locations that are `wanted` to `each`.
    pub(in crate::embedded) fn locations(
        &self,
        wanted: &dyn Fn(LocationHash) -> bool,
        each: &mut dyn FnMut(LocationRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let table = TableReader::open(self.dir.join(LOCATIONS))?;
        for index in 0..table.group_count() {
            let group = table.group(index)?;
            let ids: Vec<LocationHash> =
                group.i64s(0)?.into_iter().map(|id| LocationHash(id as u64)).collect();
            if !ids.iter().any(|id| wanted(*id)) {
                continue;
            }
            let (kinds, flags) = (group.i32s(1)?, group.i32s(2)?);
            let (modules, build_ids) = (group.texts(3)?, group.texts(4)?);
            let addresses = group.i64s(5)?;
            let texts = [group.text_lists(6)?, group.text_lists(7)?, group.text_lists(8)?];
            let lines = group.i32_lists(9)?;
            let [functions, system_names, files] = texts.each_ref().map(Lists::rows);
            let columns = functions.zip(system_names).zip(files.zip(lines.rows()));
            for (row, ((functions, system_names), (files, lines))) in columns.enumerate() {
                if !wanted(ids[row]) {
                    continue;
                }
                let names = functions.iter().zip(system_names);
                let places = files.iter().zip(lines);
                each(LocationRow {
                    id: ids[row],
                    kind: kinds[row] as u8,
                    flags: flags[row],
                    module: modules[row].clone(),
                    build_id: build_ids[row].clone(),
                    address: addresses[row] as u64,
                    lines: names.zip(places).map(LineRow::of).collect(),
                })?;
            }
        }
        Ok(())
    }
}

impl LineRow {
    fn of(
        ((function, system_name), (file, line)): ((&RowText, &RowText), (&RowText, &i32)),
    ) -> Self {
        Self {
            function: function.clone(),
            system_name: system_name.clone(),
            file: file.clone(),
            line: *line as u32,
        }
    }
}

/// The columns are written from `str` only.
fn string(text: &RowText) -> String {
    String::from_utf8_lossy(text.data()).into_owned()
}
