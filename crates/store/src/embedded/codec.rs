//! Profiles as bytes for the write-ahead log: varints and strings, then zstd.
//!
//! Not a wire format: only this program reads it, and only of its own log. It is decoded as if hostile all the same.

use infrared_profile::{
    Line, Location, LocationId, Module, ModuleId, Profile, Sample, SeriesId, StackId, StringId,
    ValueType,
};

use super::ids::{kind_code, kind_of_code};

/// A batch may expand to this many bytes.
pub(super) const MAX_BATCH_BYTES: usize = 512 << 20;
const ZSTD_LEVEL: i32 = 1;

#[derive(Debug, thiserror::Error)]
pub(super) enum CodecError {
    #[error("the record ends early")]
    Truncated,
    #[error("a number or a text is malformed")]
    Malformed,
    #[error("cannot decompress: {0}")]
    Compression(std::io::Error),
}

/// `None` if the batch exceeds [`MAX_BATCH_BYTES`].
pub(super) fn encode(profiles: &[Profile]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::new();
    put(&mut out, profiles.len() as u64);
    for profile in profiles {
        encode_profile(&mut out, profile);
    }
    if out.len() > MAX_BATCH_BYTES {
        return Err(out.len());
    }
    zstd::bulk::compress(&out, ZSTD_LEVEL).map_err(|_| out.len())
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Profile>, CodecError> {
    let stated = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
    let size = stated.and_then(|s| usize::try_from(s).ok()).filter(|s| *s <= MAX_BATCH_BYTES);
    let plain = zstd::bulk::decompress(bytes, size.ok_or(CodecError::Malformed)?)
        .map_err(CodecError::Compression)?;
    let mut input = Input(&plain);
    let count = input.count()?;
    let profiles = (0..count).map(|_| decode_profile(&mut input)).collect::<Result<_, _>>()?;
    if input.0.is_empty() { Ok(profiles) } else { Err(CodecError::Malformed) }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn encode_profile(out: &mut Vec<u8>, profile: &Profile) {
    put_text(out, &profile.value_type.kind);
    put_text(out, &profile.value_type.unit);
    for number in [profile.start_ns, profile.duration_ns, profile.period_ns] {
        put(out, number);
    }
    put(out, profile.strings.len() as u64);
    profile.strings.iter().for_each(|s| put_text(out, s));
    put(out, profile.modules.len() as u64);
    for module in profile.modules.iter() {
        put(out, u64::from(module.path.0));
        put(out, u64::from(module.build_id.0));
    }
    put(out, profile.locations.len() as u64);
    profile.locations.iter().for_each(|l| encode_location(out, l));
    put(out, profile.stacks.len() as u64);
    for stack in profile.stacks.iter() {
        put(out, stack.len() as u64);
        for location in stack {
            put(out, u64::from(location.0));
        }
    }
    put(out, profile.series.len() as u64);
    for series in profile.series.iter() {
        put(out, series.len() as u64);
        for (name, value) in series {
            put_text(out, name);
            put_text(out, value);
        }
    }
    put(out, profile.samples.len() as u64);
    for sample in &profile.samples {
        put(out, u64::from(sample.series.0));
        put(out, u64::from(sample.stack.0));
        put(out, sample.value);
    }
}

fn encode_location(out: &mut Vec<u8>, location: &Location) {
    out.push(kind_code(location.kind));
    out.push(u8::from(location.low_confidence) | u8::from(location.unnamed) << 1);
    put(out, location.module.map_or(0, |m| u64::from(m.0) + 1));
    put(out, location.address);
    put(out, location.lines.len() as u64);
    for line in &location.lines {
        for id in [line.function, line.system_name, line.file] {
            put(out, u64::from(id.0));
        }
        put(out, u64::from(line.line));
    }
}

struct Input<'b>(&'b [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Result<u8, CodecError> {
        let (first, rest) = self.0.split_first().ok_or(CodecError::Truncated)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, CodecError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(CodecError::Malformed)
    }

    fn small(&mut self) -> Result<u32, CodecError> {
        u32::try_from(self.number()?).map_err(|_| CodecError::Malformed)
    }

    /// A number of items that follow; each takes at least one byte, so the rest of the input bounds it.
    fn count(&mut self) -> Result<usize, CodecError> {
        let count = usize::try_from(self.number()?).map_err(|_| CodecError::Malformed)?;
        if count > self.0.len() { Err(CodecError::Truncated) } else { Ok(count) }
    }

    fn text(&mut self) -> Result<&str, CodecError> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(CodecError::Truncated)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| CodecError::Malformed)
    }
}

fn decode_profile(input: &mut Input<'_>) -> Result<Profile, CodecError> {
    let kind = input.text()?.to_owned();
    let unit = input.text()?.to_owned();
    let mut profile = Profile {
        value_type: ValueType { kind, unit },
        start_ns: input.number()?,
        duration_ns: input.number()?,
        period_ns: input.number()?,
        ..Profile::default()
    };
    for _ in 0..input.count()? {
        profile.strings.intern(input.text()?);
    }
    for _ in 0..input.count()? {
        let (path, build_id) = (StringId(input.small()?), StringId(input.small()?));
        profile.modules.intern(Module { path, build_id });
    }
    for _ in 0..input.count()? {
        let location = decode_location(input)?;
        profile.locations.intern(location);
    }
    for _ in 0..input.count()? {
        let count = input.count()?;
        let stack = (0..count).map(|_| Ok(LocationId(input.small()?)));
        profile.stacks.intern(stack.collect::<Result<_, CodecError>>()?);
    }
    for _ in 0..input.count()? {
        let count = input.count()?;
        let labels = (0..count).map(|_| Ok((input.text()?.to_owned(), input.text()?.to_owned())));
        profile.series.intern(labels.collect::<Result<_, CodecError>>()?);
    }
    for _ in 0..input.count()? {
        let (series, stack) = (SeriesId(input.small()?), StackId(input.small()?));
        let value = input.number()?;
        profile.samples.push(Sample { series, stack, value, timestamps_ns: Vec::new() });
    }
    Ok(profile)
}

fn decode_location(input: &mut Input<'_>) -> Result<Location, CodecError> {
    let kind = kind_of_code(input.byte()?);
    let flags = input.byte()?;
    let module = input.small()?.checked_sub(1).map(ModuleId);
    let address = input.number()?;
    let count = input.count()?;
    let lines = (0..count).map(|_| {
        let ids = [input.small()?, input.small()?, input.small()?].map(StringId);
        let [function, system_name, file] = ids;
        Ok(Line { function, system_name, file, line: input.small()? })
    });
    Ok(Location {
        kind,
        module,
        address,
        lines: lines.collect::<Result<_, CodecError>>()?,
        low_confidence: flags & 1 != 0,
        unnamed: flags & 2 != 0,
    })
}
