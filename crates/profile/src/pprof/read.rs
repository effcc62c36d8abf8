use std::io::Read;

use flate2::read::MultiGzDecoder;
use prost::Message;

use super::{labels, proto};
use crate::protobuf::{self, TooMuch};
use crate::{
    Builder, FrameKind, Line, Location, LocationId, ModuleId, Profile, Series, SeriesId, StackId,
    ValueType,
};

/// What reading may cost.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Size of the message after gzip.
    pub inflated_bytes: usize,
    /// Memory of the decoded message.
    pub decoded_bytes: usize,
    /// Locations in one stack.
    pub stack_depth: usize,
    /// Values of one sample.
    pub value_types: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            inflated_bytes: 256 << 20,
            decoded_bytes: 1 << 30,
            stack_depth: 4096,
            value_types: 16,
        }
    }
}

/// Why bytes are no pprof profile.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot decompress the pprof profile")]
    Gzip(#[source] std::io::Error),
    #[error("the pprof profile is larger than {0} bytes when decompressed")]
    Inflated(usize),
    #[error("cannot take the pprof profile in")]
    TooMuch(#[from] TooMuch),
    #[error("the bytes are no pprof profile")]
    Proto(#[from] prost::DecodeError),
    #[error("{what} {id} of the pprof profile does not exist")]
    Missing { what: &'static str, id: i128 },
    #[error("the pprof profile has two {what} with id {id}")]
    Duplicate { what: &'static str, id: u64 },
    #[error("a sample of the pprof profile has {got} values for {want} types")]
    Values { got: usize, want: usize },
    #[error("the pprof profile has more than {0} value types")]
    ValueTypes(usize),
    #[error("a stack of the pprof profile is deeper than {0}")]
    Depth(usize),
    #[error("the pprof profile has negative values: it is a difference of profiles")]
    Negative,
    #[error("the values of the pprof profile exceed 64 bits")]
    Overflow,
}

/// The profiles in `bytes`, gzipped or not: one per value type. Time that goes with a count of samples (as Go and
/// [`super::write`] have it) gives the count its period instead of a profile of its own.
pub fn read(bytes: &[u8], limits: &ReadLimits) -> Result<Vec<Profile>, ReadError> {
    let inflated;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        inflated = inflate(bytes, limits.inflated_bytes)?;
        &inflated
    } else {
        bytes
    };
    protobuf::decoded_bytes(bytes, &proto::PROFILE, limits.decoded_bytes)?;
    let message = proto::Profile::decode(bytes)?;
    if message.sample_type.len() > limits.value_types {
        return Err(ReadError::ValueTypes(limits.value_types));
    }
    let reader = Reader { message: &message, limits };
    let types = reader.value_types()?;
    let counts_samples = |of: &ValueType| of.unit == "count" && of.kind.starts_with("sample");
    let sampled = types.iter().any(counts_samples);
    let of_types = types.into_iter().enumerate();
    of_types
        .filter(|(_, of)| !(sampled && of.kind == "cpu" && of.unit == "nanoseconds"))
        .map(|(column, of)| reader.profile(column, of))
        .collect()
}

fn inflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, ReadError> {
    let mut out = Vec::new();
    let mut input = MultiGzDecoder::new(bytes).take(limit as u64 + 1);
    input.read_to_end(&mut out).map_err(ReadError::Gzip)?;
    if out.len() > limit { Err(ReadError::Inflated(limit)) } else { Ok(out) }
}

struct Reader<'m> {
    message: &'m proto::Profile,
    limits: &'m ReadLimits,
}

impl<'m> Reader<'m> {
    fn string(&self, index: i64) -> Result<&'m str, ReadError> {
        let text = usize::try_from(index).ok().and_then(|i| self.message.string_table.get(i));
        // an unset index means "" even in a profile without strings
        match text {
            Some(text) => Ok(text),
            None if index == 0 => Ok(""),
            None => Err(ReadError::Missing { what: "string", id: index.into() }),
        }
    }

    fn value_types(&self) -> Result<Vec<ValueType>, ReadError> {
        let own = |of: &proto::ValueType| {
            Ok(ValueType {
                kind: self.string(of.kind)?.to_owned(),
                unit: self.string(of.unit)?.to_owned(),
            })
        };
        self.message.sample_type.iter().map(own).collect()
    }

    fn profile(&self, column: usize, value_type: ValueType) -> Result<Profile, ReadError> {
        let message = self.message;
        let period_unit = message.period_type.map_or(Ok(""), |of| self.string(of.unit))?;
        let timed = matches!(value_type.unit.as_str(), "count" | "nanoseconds");
        let period_ns = if timed && period_unit == "nanoseconds" { message.period } else { 0 };
        let start_ns = u64::try_from(message.time_nanos).unwrap_or(0);
        let mut builder = Builder::new(value_type, start_ns, u64::try_from(period_ns).unwrap_or(0));
        let ids = Tables::new(self, &mut builder)?;
        let mut sum = 0_u64;
        for sample in &message.sample {
            let want = message.sample_type.len();
            let value = *sample
                .value
                .get(column)
                .filter(|_| sample.value.len() == want)
                .ok_or(ReadError::Values { got: sample.value.len(), want })?;
            let value = u64::try_from(value).map_err(|_| ReadError::Negative)?;
            sum = sum.checked_add(value).ok_or(ReadError::Overflow)?;
            if value > 0 {
                let stack = self.stack(sample, &ids, &mut builder)?;
                let series = self.series(sample, &mut builder)?;
                builder.add(series, stack, value);
            }
        }
        Ok(builder.finish(u64::try_from(message.duration_nanos).unwrap_or(0)))
    }

    fn stack(
        &self,
        sample: &proto::Sample,
        ids: &Tables,
        builder: &mut Builder,
    ) -> Result<StackId, ReadError> {
        if sample.location_id.len() > self.limits.stack_depth {
            return Err(ReadError::Depth(self.limits.stack_depth));
        }
        let locations = sample.location_id.iter().map(|&id| find(&ids.locations, id, "location"));
        Ok(builder.stack(&locations.collect::<Result<Vec<_>, _>>()?))
    }

    fn series(&self, sample: &proto::Sample, builder: &mut Builder) -> Result<SeriesId, ReadError> {
        let mut series = Series::new();
        for label in &sample.label {
            let key = labels::long(self.string(label.key)?).to_owned();
            let value = match label.text {
                0 => label.number.to_string(),
                text => self.string(text)?.to_owned(),
            };
            series.insert(key, value);
        }
        Ok(builder.series(series))
    }
}

/// Ids of the message to ids of the profile, sorted by the former.
struct Tables {
    locations: Vec<(u64, LocationId)>,
}

impl Tables {
    fn new(reader: &Reader<'_>, builder: &mut Builder) -> Result<Self, ReadError> {
        let message = reader.message;
        let mut modules = Vec::new();
        for mapping in &message.mapping {
            let path = reader.string(mapping.filename)?;
            let module = builder.module(path, reader.string(mapping.build_id)?);
            modules.push((mapping.id, (module, path)));
        }
        sort_ids(&mut modules, "mappings")?;
        let mut functions = Vec::new();
        for function in &message.function {
            let name = reader.string(function.name)?;
            let system_name = reader.string(function.system_name)?;
            let line = builder.line(name, system_name, reader.string(function.filename)?, 0);
            functions.push((function.id, (line, name)));
        }
        sort_ids(&mut functions, "functions")?;
        let mut locations = Vec::new();
        for location in &message.location {
            let own = own_location(location, &modules, &functions)?;
            locations.push((location.id, builder.location(own)));
        }
        sort_ids(&mut locations, "locations")?;
        Ok(Self { locations })
    }
}

fn own_location(
    location: &proto::Location,
    modules: &[(u64, (ModuleId, &str))],
    functions: &[(u64, (Line, &str))],
) -> Result<Location, ReadError> {
    let (module, path) = match location.mapping_id {
        0 => (None, ""),
        id => find(modules, id, "mapping").map(|(module, path)| (Some(module), path))?,
    };
    let mut lines = Vec::with_capacity(location.line.len());
    let mut name = "";
    for line in &location.line {
        let (own, function) = find(functions, line.function_id, "function")?;
        name = function;
        lines.push(Line { line: u32::try_from(line.line).unwrap_or(0), ..own });
    }
    let kind = match path {
        "[vdso]" => FrameKind::Vdso,
        _ if path.starts_with("[kernel") => FrameKind::Kernel,
        _ if name.starts_with("[truncated: ") => FrameKind::Truncated,
        _ => FrameKind::Native,
    };
    Ok(Location { kind, module, address: location.address, lines, ..Location::default() })
}

fn sort_ids<T>(table: &mut [(u64, T)], what: &'static str) -> Result<(), ReadError> {
    table.sort_by_key(|(id, _)| *id);
    match table.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(ReadError::Duplicate { what, id: pair[0].0 }),
        None => Ok(()),
    }
}

fn find<T: Copy>(table: &[(u64, T)], id: u64, what: &'static str) -> Result<T, ReadError> {
    let place = table.binary_search_by_key(&id, |(known, _)| *known);
    place.map(|place| table[place].1).map_err(|_| ReadError::Missing { what, id: id.into() })
}
