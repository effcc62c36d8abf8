//! Opens the files behind mappings.

use infrared_processes::{
    Pid, ProcFs, ProcessDir,
    image::{MovedText, open, open_of_gone},
    maps::{MapLimits, Mapping, MappingKind},
};

use super::{FoundFile, OpenedFile};

/// The file behind a mapping: through the process while it is there, else by its path, which is believed only if device
/// and inode are those that were mapped. Of text that was moved to memory it is reached through another mapping.
pub(super) fn open_file(
    process: Option<&ProcessDir>,
    mapping: Mapping,
    moved: &[MovedText],
) -> FoundFile {
    let through = process.and_then(|process| {
        let text = moved.iter().find(|text| text.stands_for == mapping);
        let opened = open(process, text.map_or(&mapping, |text| &text.neighbour))
            .inspect_err(|error| tracing::debug!(%error, "a mapped file is not to be had"))
            .ok()?;
        let root = process.root_path().to_string_lossy().into_owned();
        Some(OpenedFile { file: opened.file, root })
    });
    let file = through.or_else(|| {
        (mapping.kind == MappingKind::File).then_some(())?;
        let opened = open_of_gone(&mapping, None).ok()?;
        Some(OpenedFile { file: opened.file, root: String::new() })
    });
    FoundFile { mapping, file }
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
