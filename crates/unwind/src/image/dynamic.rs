//! What the dynamic section tells of an image whose section headers are stripped: where tables are that the dynamic linker
//! reads. They stand in for the sections that have them.

use std::borrow::Cow;

use infrared_elf::{Dynamic, Loaded, Symbol, Table};
use object::{ReadRef, elf};

use super::{Image, Section};

/// The file ends before, or cannot be read.
#[derive(Debug)]
pub(crate) struct Unread;

impl<'d, R: ReadRef<'d>> Loaded for Image<'d, R> {
    type Error = Unread;

    fn rest(&self, svma: u64) -> Option<u64> {
        self.place_from(svma).map(|place| place.len as u64)
    }

    fn read(&self, svma: u64, len: u64) -> Result<Cow<'_, [u8]>, Unread> {
        let place = self.place_from(svma).ok_or(Unread)?;
        self.file_bytes(place.file_offset, len).map(Cow::Borrowed).ok_or(Unread)
    }
}

impl<'d, R: ReadRef<'d>> Image<'d, R> {
    /// Where the dynamic symbol of that name is, if the image defines it.
    pub(crate) fn symbol(&self, name: &str) -> Option<Symbol> {
        let dynamic = Dynamic::read(self, self.segment_address(elf::PT_DYNAMIC)?).ok()?;
        dynamic.find_symbol(self, name).ok()?
    }

    /// Where a symbol is that the image keeps for itself, as far as it is not stripped.
    pub(crate) fn own_symbol(&self, name: &str) -> Option<Symbol> {
        const SYMBOL_LEN: usize = 24;
        let table = self.section_data(".symtab").ok()??;
        let names = self.section_data(".strtab").ok()??;
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        table.bytes.chunks_exact(SYMBOL_LEN).find_map(|symbol| {
            let at = u32::from_le_bytes(symbol[..4].try_into().ok()?) as usize;
            let rest = names.bytes.get(at..)?.strip_prefix(name.as_bytes())?;
            let (address, size) = (word(&symbol[8..16]), word(&symbol[16..24]));
            (rest.first() == Some(&0) && address != 0).then_some(Symbol { address, size })
        })
    }

    /// The tables of the dynamic linker, by the names that their sections have.
    pub(super) fn dynamic_sections(&self) -> Vec<Section<'d>> {
        let address = self.segment_address(elf::PT_DYNAMIC);
        let Some(dynamic) = address.and_then(|address| Dynamic::read(self, address).ok()) else {
            return Vec::new();
        };
        // Nothing says where it ends; what its words point to is checked by those who read it.
        let gnu_hash = dynamic
            .gnu_hash()
            .and_then(|address| Some(Table { address, size: self.rest(address)? }));
        let tables: [(&[u8], Option<Table>); 4] = [
            (b".dynsym", dynamic.symbols(self).ok().flatten()),
            (b".dynstr", dynamic.strings()),
            (b".rela.plt", dynamic.plt_relocations()),
            (b".gnu.hash", gnu_hash),
        ];
        tables
            .into_iter()
            .filter_map(|(name, table)| {
                let Table { address, size } = table.filter(|table| table.size != 0)?;
                let place = self.place_from(address)?;
                (size <= place.len as u64)
                    .then(|| Section::without_header(name, address, (place.file_offset, size)))
            })
            .collect()
    }
}
