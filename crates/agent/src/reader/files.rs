//! Opens the files behind mappings, or copies them from memory where they are not to be had.

use std::{fs::File, os::unix::fs::FileExt, sync::Arc};

use infrared_processes::{
    Pid, ProcFs, ProcessDir,
    image::{ImageError, MovedText, open, open_of_gone},
    maps::{MapLimits, Mapping, MappingKind},
};

use super::{FoundFile, OpenedFile};
use crate::{
    copies::Copier,
    images::{FileIdentity, HeldFile},
};

/// Opens the files of one process.
pub(super) struct Opener<'a> {
    /// `None`: it is gone.
    pub(super) process: Option<&'a ProcessDir>,
    pub(super) user: u32,
    pub(super) moved: &'a [MovedText],
    pub(super) copier: &'a Copier,
}

impl Opener<'_> {
    /// The file behind a mapping: through the process while it is there, else by its path, which is believed only if device
    /// and inode are those that were mapped. Of text that was moved to memory it is reached through another mapping.
    pub(super) fn open(&self, mapping: Mapping) -> FoundFile {
        let by_path = || {
            (mapping.kind == MappingKind::File).then_some(())?;
            Some(opened(open_of_gone(&mapping, None).ok()?.file, String::new()))
        };
        let file = self.process.and_then(|process| self.through(process, &mapping));
        let file = file.or_else(by_path);
        FoundFile { mapping, file }
    }

    fn through(&self, process: &ProcessDir, mapping: &Mapping) -> Option<OpenedFile> {
        let text = self.moved.iter().find(|text| text.stands_for == *mapping);
        let mapped = text.map_or(mapping, |text| &text.neighbour);
        let root = process.root_path().to_string_lossy().into_owned();
        match open(process, mapped) {
            Ok(found) if can_be_read(&found.file) => Some(opened(found.file, root)),
            Err(ImageError::Process(_) | ImageError::NotAFile(_)) => None,
            refused => {
                tracing::debug!(?refused, pid = process.pid().0, "a mapped file is not to be had");
                let copied = self.copier.copy(process, self.user, mapped)?;
                let identity = Some(FileIdentity::of_copy(mapped, self.user, &copied));
                Some(OpenedFile { file: HeldFile::of_copy(Arc::clone(&copied)), identity, root })
            }
        }
    }
}

fn opened(file: File, root: String) -> OpenedFile {
    let identity = FileIdentity::of(&file).ok().map(|(identity, _)| identity);
    OpenedFile { file: HeldFile::of_file(file), identity, root }
}

/// A server may let a file be opened and not be read (root of another machine), or have lost it since (`ESTALE`, `EIO`).
fn can_be_read(file: &File) -> bool {
    file.read_at(&mut [0], 0).is_ok()
}

/// Our own vDSO: the kernel maps the same bytes into every 64-bit process.
pub(crate) fn read_own_vdso() -> Option<Vec<u8>> {
    let own = ProcFs::system().process(Pid(std::process::id())).ok()?;
    let mappings = own.executable_mappings(MapLimits::default()).ok()?;
    let vdso = mappings.mappings.iter().find(|mapping| mapping.kind == MappingKind::Vdso)?;
    let mut bytes = vec![0; (vdso.end - vdso.start).min(1 << 20) as usize];
    let length = own.read_memory(vdso.start, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}
