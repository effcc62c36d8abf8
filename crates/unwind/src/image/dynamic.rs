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
