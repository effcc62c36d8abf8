//! The section header table, and the contents of a section.

use std::borrow::Cow;

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _};
use object::{LittleEndian, ReadRef};

use super::{Image, Place};
use crate::error::Error;

/// More than any linker's output has; object files with a section for each function are not images.
const MAX_SECTIONS: usize = 4096;
/// Bytes of the names of sections.
const MAX_NAMES: u64 = 1 << 20;

/// A section header.
#[derive(Debug, Clone)]
pub(crate) struct Section<'d> {
    pub(crate) name: &'d [u8],
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) flags: u64,
    /// Offset and size in the file, where it has bytes there.
    in_file: Option<(u64, u64)>,
    header: Option<&'d elf::SectionHeader64<LittleEndian>>,
}

impl<'d> Section<'d> {
    /// A section of data that is known from elsewhere.
    pub(super) fn without_header(name: &'d [u8], address: u64, in_file: (u64, u64)) -> Self {
        let flags = u64::from(elf::SHF_ALLOC);
        Self { name, address, size: in_file.1, flags, in_file: Some(in_file), header: None }
    }
}

/// A section's contents.
#[derive(Debug, Clone)]
pub(crate) struct SectionData<'d> {
    pub(crate) address: u64,
    pub(crate) bytes: Cow<'d, [u8]>,
}

/// The headers of all sections; none if the table is absent or damaged, as in an image stripped of it.
pub(super) fn read_table<'d, R: ReadRef<'d>>(
    header: &'d FileHeader64<LittleEndian>,
    data: R,
) -> Vec<Section<'d>> {
    match header.shnum(LittleEndian, data) {
        Ok(count) if count <= MAX_SECTIONS => {}
        _ => return Vec::new(),
    }
    let Ok(headers) = header.section_headers(LittleEndian, data) else { return Vec::new() };
    // All names at once: one by one, each is a read of the file.
    let names = header.shstrndx(LittleEndian, data).ok();
    let names = names.and_then(|index| headers.get(index as usize)?.file_range(LittleEndian));
    let names = names.filter(|(_, size)| *size <= MAX_NAMES);
    let names = names.and_then(|(offset, size)| data.read_bytes_at(offset, size).ok());
    let Some(names) = names else { return Vec::new() };
    headers
        .iter()
        .filter_map(|header| {
            let name = names.get(header.sh_name(LittleEndian) as usize..)?;
            Some(Section {
                name: &name[..name.iter().position(|byte| *byte == 0)?],
                address: header.sh_addr(LittleEndian),
                size: header.sh_size(LittleEndian),
                flags: header.sh_flags(LittleEndian),
                in_file: header.file_range(LittleEndian),
                header: Some(header),
            })
        })
        .collect()
}

impl<'d, R: ReadRef<'d>> Image<'d, R> {
    /// A section's contents, decompressed. `Ok(None)` if the image lacks it or keeps it in another file.
    pub(crate) fn section_data(
        &self,
        name: &'static str,
    ) -> Result<Option<SectionData<'d>>, Error> {
        let Some(section) = self.section(name) else { return Ok(None) };
        let unreadable = Error::UnreadableSection(name);
        let Some((offset, size)) = section.in_file else { return Ok(None) };
        self.check_size(name, size)?;
        let bytes = self.file_bytes(offset, size).ok_or(unreadable.clone())?;
        let compression = section.header.map(|header| header.compression(LittleEndian, self.data));
        let data = match compression.transpose().map_err(|_| unreadable.clone())?.flatten() {
            None => Cow::Borrowed(bytes),
            Some((header, header_offset, compressed_size)) => {
                use object::read::elf::CompressionHeader as _;
                let kind = header.ch_type(LittleEndian);
                let size = header.ch_size(LittleEndian);
                self.check_size(name, size)?;
                let packed =
                    self.file_bytes(header_offset, compressed_size).ok_or(unreadable.clone())?;
                let format = match kind {
                    elf::ELFCOMPRESS_ZLIB => object::CompressionFormat::Zlib,
                    elf::ELFCOMPRESS_ZSTD => object::CompressionFormat::Zstandard,
                    _ => return Err(unreadable),
                };
                let packed =
                    object::CompressedData { format, data: packed, uncompressed_size: size };
                packed.decompress().map_err(|_| unreadable)?
            }
        };
        Ok(Some(SectionData { address: section.address, bytes: data }))
    }

    /// Where the contents of a section are, if they are in the file as they are.
    pub(crate) fn section_place(&self, name: &'static str) -> Result<Option<Place>, Error> {
        let Some(section) = self.section(name) else { return Ok(None) };
        let Some((file_offset, size)) = section.in_file else { return Ok(None) };
        self.check_size(name, size)?;
        let is_packed = section.flags & u64::from(elf::SHF_COMPRESSED) != 0;
        let is_inside = file_offset.checked_add(size).is_some_and(|end| end <= self.file_len);
        let place = Place { address: section.address, file_offset, len: size as usize };
        Ok((is_inside && !is_packed).then_some(place))
    }

    fn check_size(&self, name: &'static str, size: u64) -> Result<(), Error> {
        if size > self.max_section_bytes {
            return Err(Error::SectionTooLarge { name, size, limit: self.max_section_bytes });
        }
        Ok(())
    }
}
