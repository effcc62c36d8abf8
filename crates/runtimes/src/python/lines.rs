//! From a position in the bytecode to a line.

/// How a version keeps lines (`Objects/lnotab_notes.txt` until 3.10, `Objects/locations.md` and `InternalDocs/code_objects.md` since).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LineFormat {
    #[default]
    /// Until 3.9: pairs of a step in bytes and a signed step in lines.
    Steps,
    /// 3.10: pairs of a length in bytes and a signed step in lines, or none.
    Ranges,
    /// Since 3.11: entries that begin with a byte whose highest bit is set.
    Locations,
}

/// The lines of one code object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineTable {
    pub(super) format: LineFormat,
    pub(super) first_line: u32,
    pub(super) bytes: Vec<u8>,
}

/// Bytes of an instruction, or of what is kept beside it, since 3.6.
const CODE_UNIT: u32 = 2;

impl LineTable {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The line, from 1, of the instruction at `position` bytes; `None` if it has none.
    pub fn line(&self, position: u32) -> Option<u32> {
        let line = match self.format {
            LineFormat::Steps => Some(self.by_steps(position)),
            LineFormat::Ranges => self.by_ranges(position),
            LineFormat::Locations => self.by_locations(position),
        }?;
        u32::try_from(line).ok().filter(|line| *line > 0)
    }

    fn by_steps(&self, position: u32) -> i64 {
        let (mut line, mut at) = (i64::from(self.first_line), 0);
        for pair in self.bytes.chunks_exact(2) {
            at += u32::from(pair[0]);
            if at > position {
                break;
            }
            line += i64::from(pair[1].cast_signed());
        }
        line
    }

    fn by_ranges(&self, position: u32) -> Option<i64> {
        let (mut line, mut end) = (i64::from(self.first_line), 0);
        for pair in self.bytes.chunks_exact(2) {
            let step = Some(i64::from(pair[1].cast_signed())).filter(|step| *step != -128);
            end += u32::from(pair[0]);
            line += step.unwrap_or(0);
            if position < end {
                return step.map(|_| line);
            }
        }
        None
    }

    fn by_locations(&self, position: u32) -> Option<i64> {
        let (mut line, mut end) = (i64::from(self.first_line), 0);
        let mut rest = &self.bytes[..];
        while let Some((&head, after)) = rest.split_first() {
            let kind = head >> 3 & 15;
            line += match kind {
                13 | 14 => signed(variable(after)),
                10..=12 => i64::from(kind) - 10,
                _ => 0,
            };
            end += (u32::from(head & 7) + 1) * CODE_UNIT;
            if position < end {
                return (kind != 15).then_some(line);
            }
            let next = after.iter().position(|byte| byte & 128 != 0).unwrap_or(after.len());
            rest = &after[next..];
        }
        None
    }
}

/// Six bits a byte, the lowest first; bit 6: more follow.
fn variable(bytes: &[u8]) -> u64 {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 63) << (6 * index);
        if byte & 64 == 0 {
            break;
        }
    }
    value
}

/// The lowest bit is the sign.
fn signed(value: u64) -> i64 {
    let amount = (value >> 1).cast_signed();
    if value & 1 != 0 { -amount } else { amount }
}
