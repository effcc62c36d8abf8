//! A writer of small ELF images with frame descriptions of any kind.

/// Where the image's code is.
pub(crate) const TEXT: u64 = 0x40_0000;
/// How long it is.
pub(crate) const TEXT_LEN: u64 = 0x4_0000;

const EH_FRAME: u64 = 0x80_0000;
const HEADERS: u64 = 64 + 2 * 56;

/// A frame description.
#[derive(Debug, Clone)]
pub(crate) struct Fde {
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) instructions: Vec<u8>,
}

impl Fde {
    /// A range in which sp is 16 below the CFA.
    pub(crate) fn plain(start: u64, len: u64) -> Self {
        Self { start, len, instructions: vec![0x0e, 16] }
    }
}

/// An executable with these frame descriptions, found by its program headers alone.
pub(crate) fn image(fdes: &[Fde]) -> Vec<u8> {
    let eh_frame = eh_frame(fdes);
    let header_len = 12;
    let data_len = header_len + eh_frame.len() as u64;
    let text_offset = HEADERS + 56;
    let data_offset = text_offset + TEXT_LEN;
    let mut image = elf_header(3);
    program_header(&mut image, 1, 5, (text_offset, TEXT, TEXT_LEN));
    program_header(&mut image, 1, 4, (data_offset, EH_FRAME, data_len));
    program_header(&mut image, 0x6474_e550, 4, (data_offset, EH_FRAME, header_len));
    // Breakpoints: no function starts there that could be followed.
    image.resize(data_offset as usize, 0xcc);
    // version, pc-relative pointer, no table
    image.extend([1, 0x1b, 0xff, 0xff]);
    image.extend(8_u32.to_le_bytes());
    image.extend([0; 4]);
    image.extend(eh_frame);
    image
}

fn elf_header(program_headers: u16) -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    header.extend([3, 0, 62, 0, 1, 0, 0, 0]);
    header.extend(0_u64.to_le_bytes()); // entry
    header.extend(64_u64.to_le_bytes()); // program headers
    header.extend(0_u64.to_le_bytes()); // section headers
    header.extend(0_u32.to_le_bytes());
    for half in [64, 56, program_headers, 0, 0, 0] {
        header.extend(half.to_le_bytes());
    }
    header
}

fn program_header(image: &mut Vec<u8>, kind: u32, flags: u32, place: (u64, u64, u64)) {
    let (offset, address, len) = place;
    image.extend(kind.to_le_bytes());
    image.extend(flags.to_le_bytes());
    for word in [offset, address, address, len, len, 1] {
        image.extend(word.to_le_bytes());
    }
}

fn eh_frame(fdes: &[Fde]) -> Vec<u8> {
    // version 1, "zR", absolute addresses; CFA = rsp + 8, return address at CFA - 8
    let mut section = entry(0, &[1, b'z', b'R', 0, 1, 0x78, 16, 1, 0x00, 0x0c, 7, 8, 0x90, 1]);
    for fde in fdes {
        let mut body = Vec::new();
        body.extend(fde.start.to_le_bytes());
        body.extend(fde.len.to_le_bytes());
        body.push(0);
        body.extend(&fde.instructions);
        let cie_distance = section.len() as u32 + 4;
        section.extend(entry(cie_distance, &body));
    }
    section.extend([0; 4]);
    section
}

fn entry(id: u32, body: &[u8]) -> Vec<u8> {
    let mut entry = Vec::new();
    entry.extend((body.len() as u32 + 4).to_le_bytes());
    entry.extend(id.to_le_bytes());
    entry.extend(body);
    entry
}
