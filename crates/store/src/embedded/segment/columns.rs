//! Parquet without Arrow: a table is a set of whole columns, written as row groups and read column by column.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, RowGroupMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::StoreError;

const ZSTD_LEVEL: i32 = 3;
const DICTIONARY_BYTES: usize = 8 << 20;

/// One column of a row group that is being written.
pub(super) enum Column {
    I64(Vec<i64>),
    I32(Vec<i32>),
    Bytes(Vec<ByteArray>),
    I64List(Lists<i64>),
    I32List(Lists<i32>),
    BytesList(Lists<ByteArray>),
}

/// A repeated column: values with their definition and repetition levels.
pub(super) struct Lists<T> {
    values: Vec<T>,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { values: Vec::new(), definition: Vec::new(), repetition: Vec::new() }
    }
}

impl<T> Lists<T> {
    pub(super) fn push(&mut self, row: impl IntoIterator<Item = T>) {
        let start = self.values.len();
        self.values.extend(row);
        let count = self.values.len() - start;
        for index in 0..count.max(1) {
            self.definition.push(i16::from(count > 0));
            self.repetition.push(i16::from(index > 0));
        }
    }

    /// The lists, row by row.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[T]> {
        let mut values = self.values.as_slice();
        let mut levels = self.definition.iter().zip(&self.repetition).peekable();
        std::iter::from_fn(move || {
            let (definition, _) = levels.next()?;
            let mut count = usize::from(*definition > 0);
            while levels.next_if(|(_, repetition)| **repetition > 0).is_some() {
                count += 1;
            }
            let (row, rest) = values.split_at(count.min(values.len()));
            values = rest;
            Some(row)
        })
    }
}

pub(super) fn text(value: &str) -> ByteArray {
    ByteArray::from(value.as_bytes().to_vec())
}

pub(super) struct TableWriter {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
}

impl TableWriter {
    pub(super) fn create(path: &Path, schema: &str) -> Result<Self, StoreError> {
        let file = File::create_new(path).map_err(|e| StoreError::io("create", path, e))?;
        let make = || {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
                .set_dictionary_page_size_limit(DICTIONARY_BYTES)
                .set_created_by("infrared".to_owned())
                .set_statistics_truncate_length(Some(64))
                .build();
            let schema = Arc::new(parse_message_type(schema)?);
            SerializedFileWriter::new(file, schema, Arc::new(properties))
        };
        let writer = make().map_err(|e| StoreError::parquet("write", path, e))?;
        Ok(Self { path: path.to_owned(), writer })
    }

    pub(super) fn note(&mut self, key: &str, value: &impl ToString) {
        self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value.to_string()));
    }

    /// Columns in the schema's order, all with the same number of rows.
    pub(super) fn row_group(&mut self, columns: &[Column]) -> Result<(), StoreError> {
        let mut write = || {
            let mut group = self.writer.next_row_group()?;
            for column in columns {
                write_column(&mut group, column)?;
            }
            group.close().map(|_| ())
        };
        write().map_err(|e| StoreError::parquet("write", &self.path, e))
    }

    /// Finishes the file and makes it durable.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        self.writer.finish().map_err(|e| StoreError::parquet("write", &self.path, e))?;
        self.writer.inner().sync_all().map_err(|e| StoreError::io("sync", &self.path, e))
    }
}

fn write_column(
    group: &mut SerializedRowGroupWriter<'_, File>,
    column: &Column,
) -> Result<(), ParquetError> {
    match column {
        Column::I64(values) => write_typed::<Int64Type>(group, values, None),
        Column::I32(values) => write_typed::<Int32Type>(group, values, None),
        Column::Bytes(values) => write_typed::<ByteArrayType>(group, values, None),
        Column::I64List(lists) => write_lists::<Int64Type>(group, lists),
        Column::I32List(lists) => write_lists::<Int32Type>(group, lists),
        Column::BytesList(lists) => write_lists::<ByteArrayType>(group, lists),
    }
}

fn write_lists<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    lists: &Lists<T::T>,
) -> Result<(), ParquetError> {
    write_typed::<T>(group, &lists.values, Some((&lists.definition, &lists.repetition)))
}

fn write_typed<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    levels: Option<(&[i16], &[i16])>,
) -> Result<(), ParquetError> {
    let mut writer = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("more columns than the schema has".into()))?;
    let (definition, repetition) = levels.unzip();
    writer.typed::<T>().write_batch(values, definition, repetition)?;
    writer.close()
}

pub(super) struct TableReader {
    path: PathBuf,
    reader: SerializedFileReader<File>,
}

impl TableReader {
    pub(super) fn open(path: PathBuf) -> Result<Self, StoreError> {
        let file = File::open(&path).map_err(|e| StoreError::io("open", &path, e))?;
        let reader = SerializedFileReader::new(file);
        let reader = reader.map_err(|e| StoreError::parquet("read", &path, e))?;
        Ok(Self { path, reader })
    }

    /// The number noted under `key`.
    pub(super) fn noted<T: std::str::FromStr>(&self, key: &str) -> Result<T, StoreError> {
        let notes = self.reader.metadata().file_metadata().key_value_metadata();
        let value = notes.into_iter().flatten().find(|n| n.key == key);
        value
            .and_then(|n| n.value.as_ref()?.parse().ok())
            .ok_or_else(|| StoreError::damaged(&self.path, format!("it lacks the note {key}")))
    }

    pub(super) fn group_count(&self) -> usize {
        self.reader.metadata().num_row_groups()
    }

    pub(super) fn group_metadata(&self, group: usize) -> &RowGroupMetaData {
        self.reader.metadata().row_group(group)
    }

    pub(super) fn group(&self, index: usize) -> Result<GroupReader<'_>, StoreError> {
        let group = self.reader.get_row_group(index);
        let group = group.map_err(|e| StoreError::parquet("read", &self.path, e))?;
        Ok(GroupReader { path: &self.path, group })
    }
}

/// Reads columns of one row group.
pub(super) struct GroupReader<'t> {
    path: &'t Path,
    group: Box<dyn RowGroupReader + 't>,
}

impl GroupReader<'_> {
    pub(super) fn i64s(&self, column: usize) -> Result<Vec<i64>, StoreError> {
        Ok(self.read::<Int64Type>(column)?.values)
    }

    pub(super) fn i32s(&self, column: usize) -> Result<Vec<i32>, StoreError> {
        Ok(self.read::<Int32Type>(column)?.values)
    }

    pub(super) fn texts(&self, column: usize) -> Result<Vec<ByteArray>, StoreError> {
        Ok(self.read::<ByteArrayType>(column)?.values)
    }

    pub(super) fn i64_lists(&self, column: usize) -> Result<Lists<i64>, StoreError> {
        self.read::<Int64Type>(column)
    }

    pub(super) fn i32_lists(&self, column: usize) -> Result<Lists<i32>, StoreError> {
        self.read::<Int32Type>(column)
    }

    pub(super) fn text_lists(&self, column: usize) -> Result<Lists<ByteArray>, StoreError> {
        self.read::<ByteArrayType>(column)
    }

    fn read<T: DataType>(&self, column: usize) -> Result<Lists<T::T>, StoreError> {
        let rows = usize::try_from(self.group.metadata().num_rows()).unwrap_or(0);
        let read = || {
            let reader = self.group.get_column_reader(column)?;
            let mut reader = get_typed_column_reader::<T>(reader);
            let mut lists = Lists::default();
            let mut remaining = rows;
            while remaining > 0 {
                let (records, _, _) = reader.read_records(
                    remaining,
                    Some(&mut lists.definition),
                    Some(&mut lists.repetition),
                    &mut lists.values,
                )?;
                if records == 0 {
                    return Err(ParquetError::General("fewer rows than stated".into()));
                }
                remaining -= records;
            }
            Ok(lists)
        };
        read().map_err(|e| StoreError::parquet("read", self.path, e))
    }
}
