//! How much memory a protobuf message would take once decoded, found without decoding it.
//!
//! An empty sub-message is 2 bytes on the wire and up to 100 in memory: a small body can take gigabytes. Decoders of hostile
//! input ask here first. This is no parser: it sees lengths only.

/// A message as far as its memory matters.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Size of the decoded struct.
    pub bytes: usize,
    /// Fields whose content is worth more in memory than its length on the wire.
    pub fields: &'static [(u32, Content)],
}

/// What is in a length-delimited field.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    Message(&'static Shape),
    /// Packed varints: each byte may become an element of 8.
    Packed,
}

/// Why a message should not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    #[error("decoded, the message would take more than {limit} bytes")]
    Memory { limit: usize },
    #[error("the message nests deeper than {MAX_DEPTH}")]
    Depth,
    #[error("the message is malformed or cut off")]
    Malformed,
}

/// As deep as prost decodes.
const MAX_DEPTH: u32 = 100;

/// An upper estimate of the memory that `wire` takes once decoded, without the spare room of growing vectors (at most as
/// much again). Stops as soon as `limit` is passed.
pub fn decoded_bytes(wire: &[u8], shape: &Shape, limit: usize) -> Result<usize, TooMuch> {
    let mut sum = Sum { bytes: 0, limit };
    sum.add(shape.bytes)?;
    sum.message(wire, shape, MAX_DEPTH)?;
    Ok(sum.bytes)
}

struct Sum {
    bytes: usize,
    limit: usize,
}

impl Sum {
    fn add(&mut self, bytes: usize) -> Result<(), TooMuch> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limit { Err(TooMuch::Memory { limit: self.limit }) } else { Ok(()) }
    }

    fn message(&mut self, mut wire: &[u8], shape: &Shape, depth: u32) -> Result<(), TooMuch> {
        let deeper = depth.checked_sub(1).ok_or(TooMuch::Depth)?;
        while !wire.is_empty() {
            let key = varint(&mut wire)?;
            match key & 7 {
                0 => {
                    varint(&mut wire)?;
                    self.add(8)?;
                }
                1 => {
                    split(&mut wire, 8)?;
                    self.add(8)?;
                }
                5 => {
                    split(&mut wire, 4)?;
                    self.add(8)?;
                }
                2 => {
                    let length = varint(&mut wire)?;
                    let content = split(&mut wire, length)?;
                    let field =
                        shape.fields.iter().find(|(number, _)| u64::from(*number) == key >> 3);
                    match field {
                        Some((_, Content::Message(inner))) => {
                            self.add(inner.bytes)?;
                            self.message(content, inner, deeper)?;
                        }
                        Some((_, Content::Packed)) => self.add(content.len().saturating_mul(8))?,
                        None => self.add(content.len().saturating_add(size_of::<String>()))?,
                    }
                }
                // groups (3, 4) are not in proto3
                _ => return Err(TooMuch::Malformed),
            }
        }
        Ok(())
    }
}

fn varint(wire: &mut &[u8]) -> Result<u64, TooMuch> {
    prost::encoding::decode_varint(wire).map_err(|_| TooMuch::Malformed)
}

fn split<'w>(wire: &mut &'w [u8], length: u64) -> Result<&'w [u8], TooMuch> {
    let length = usize::try_from(length).map_err(|_| TooMuch::Malformed)?;
    let (content, rest) = wire.split_at_checked(length).ok_or(TooMuch::Malformed)?;
    *wire = rest;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: Shape = Shape { bytes: 100, fields: &[(2, Content::Packed)] };
    const ROOT: Shape = Shape { bytes: 10, fields: &[(1, Content::Message(&LEAF))] };

    #[test]
    fn memory_is_summed_by_shape() {
        let cases: [(&str, &[u8], usize); 5] = [
            ("nothing", &[], 10),
            ("an empty sub-message", &[0x0a, 0], 110),
            ("a packed field", &[0x0a, 4, 0x12, 2, 1, 1], 126),
            ("a number", &[0x18, 1], 18),
            ("a string", &[0x22, 1, b'x'], 10 + 1 + size_of::<String>()),
        ];
        for (what, wire, bytes) in cases {
            assert_eq!(decoded_bytes(wire, &ROOT, 1000), Ok(bytes), "{what}");
        }
    }

    #[test]
    fn a_bomb_of_empty_messages_is_refused() {
        let bomb = [0x0a, 0].repeat(1000);
        let limit = 50_000;
        assert_eq!(decoded_bytes(&bomb, &ROOT, limit), Err(TooMuch::Memory { limit }));
    }

    #[test]
    fn endless_nesting_and_broken_wire_are_refused() {
        static NEST: Shape = Shape { bytes: 0, fields: &[(1, Content::Message(&NEST))] };
        let mut wire = Vec::new();
        for _ in 0..120 {
            let mut outer = vec![0x0a];
            prost::encoding::encode_varint(wire.len() as u64, &mut outer);
            outer.extend(wire);
            wire = outer;
        }
        assert_eq!(decoded_bytes(&wire, &NEST, 1000), Err(TooMuch::Depth));
        for broken in [&[0x0a, 5][..], &[0x0b], &[0x80], &[0x09, 1]] {
            assert_eq!(decoded_bytes(broken, &ROOT, 1000), Err(TooMuch::Malformed), "{broken:?}");
        }
    }
}
