//! Completes what is known of a process when its first sample comes: mappings from `/proc` where its past is unknown,
//! the images behind them, and who it is.

use std::{fs::File, os::unix::ffi::OsStrExt, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use infrared_processes::{
    Pid, ProcFs, ProcessDir,
    image::open,
    maps::{MapLimits, Mapping, MappingKind},
};

use super::{
    mappings::{ImageRef, MappingSet},
    process::WatchedProcess,
    table::ProcessTable,
};
use crate::images::{ImageRegistry, ImageState};

/// Reads the executable mappings of a process that runs.
fn read_mappings(process: &ProcessDir) -> Option<MappingSet> {
    let found = process.executable_mappings(MapLimits::default()).ok()?;
    let mut set = MappingSet::default();
    for mapping in found.mappings {
        set.insert(mapping);
    }
    Some(set)
}

/// Makes the address space `generation` of a process complete, if that can still be done.
pub(crate) fn complete(table: &mut ProcessTable, procfs: &ProcFs, pid: u32, generation: usize) {
    let Some(process) = table.get(pid) else { return };
    if process.generations.get(generation).is_none_or(|g| g.is_complete) {
        return;
    }
    let is_current = generation + 1 == process.generations.len();
    let own = if is_current && process.exited_ns.is_none() {
        procfs.process(Pid(pid)).ok()
    } else {
        None
    };
    let mut read = own.as_ref().and_then(read_mappings);
    if read.is_none() && process.parent != 0 {
        // It was forked, did not exec, and is gone: it had what its parent has.
        read = procfs.process(Pid(process.parent)).ok().as_ref().and_then(read_mappings);
    }
    let Some(generation) =
        table.get_mut(pid).and_then(|process| process.generations.get_mut(generation))
    else {
        return;
    };
    if let Some(mappings) = read {
        generation.mappings = Arc::new(mappings);
        generation.is_complete = true;
    }
}

/// Finds the images behind mappings where nobody has looked yet, and the biases of those that have been read since.
/// Returns whether anything changed.
pub(crate) fn resolve(
    process: &mut WatchedProcess,
    generation: usize,
    procfs: &ProcFs,
    pid: u32,
    images: &mut ImageRegistry,
) -> bool {
    let is_current = generation + 1 == process.generations.len();
    let alive = is_current && process.exited_ns.is_none();
    let Some(generation) = process.generations.get_mut(generation) else { return false };
    let settled = |image: &ImageRef| match image {
        ImageRef::Unresolved => false,
        ImageRef::Known { image, bias: None } => {
            images.get(*image).is_some_and(|i| i.state == ImageState::Pending)
        }
        _ => true,
    };
    if generation.mappings.iter().all(|code| settled(&code.image)) {
        return false;
    }
    let dir = if alive { procfs.process(Pid(pid)).ok() } else { None };
    let mut go = None;
    for code in Arc::make_mut(&mut generation.mappings).iter_mut() {
        if code.image == ImageRef::Unresolved {
            code.image = image_of(&code.mapping, dir.as_ref(), images);
        }
        code.image = with_bias(code.image, &code.mapping, images);
        if let ImageRef::Known { image, .. } = code.image {
            go = go.or_else(|| images.get(image)?.go.as_ref()?.offsets);
        }
    }
    generation.go = go.unwrap_or_default();
    true
}

fn image_of(
    mapping: &Mapping,
    process: Option<&ProcessDir>,
    images: &mut ImageRegistry,
) -> ImageRef {
    let path = String::from_utf8_lossy(&mapping.name).into_owned();
    let image = if mapping.kind == MappingKind::Vdso {
        images.vdso(read_own_vdso)
    } else {
        process
            .and_then(|process| open_of_process(process, mapping))
            .or_else(|| open_by_path(mapping))
            .and_then(|(file, root)| images.of_file(file, &path, &root))
    };
    image.map_or(ImageRef::Unreadable, |image| ImageRef::Known { image, bias: None })
}

fn open_of_process(process: &ProcessDir, mapping: &Mapping) -> Option<(File, String)> {
    match open(process, mapping) {
        Ok(image) => Some((image.file, process.root_path().to_string_lossy().into_owned())),
        Err(error) => {
            tracing::debug!(%error, "cannot open a mapped file through its process");
            None
        }
    }
}

/// The process is gone: its path is all there is. Believed only if device and inode are those that were mapped.
fn open_by_path(mapping: &Mapping) -> Option<(File, String)> {
    if mapping.kind != MappingKind::File {
        return None;
    }
    let path = Path::new(std::ffi::OsStr::from_bytes(&mapping.name));
    let status = rustix::fs::stat(path).ok()?;
    let is_regular =
        rustix::fs::FileType::from_raw_mode(status.st_mode) == rustix::fs::FileType::RegularFile;
    let file = if is_regular { File::open(path).ok()? } else { return None };
    let meta = file.metadata().ok()?;
    let device = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
    let same =
        meta.ino() == mapping.inode && device == (mapping.device.major, mapping.device.minor);
    same.then_some((file, String::new()))
}

/// Knows the bias as soon as the image's headers are read, and follows an image to the one with the same contents.
fn with_bias(image: ImageRef, mapping: &Mapping, images: &ImageRegistry) -> ImageRef {
    let ImageRef::Known { image, bias: None } = image else { return image };
    let canonical = images.canonical(image);
    let Some(found) = images.get(canonical) else { return ImageRef::Unreadable };
    match found.state {
        ImageState::Pending => ImageRef::Known { image: canonical, bias: None },
        ImageState::Unreadable if found.segments.0.is_empty() => ImageRef::Unreadable,
        _ => match found.segments.svma_bias(mapping) {
            Some(bias) => ImageRef::Known { image: canonical, bias: Some(bias) },
            None => ImageRef::Unreadable,
        },
    }
}

/// Our own vDSO: the kernel maps the same bytes into every 64-bit process.
fn read_own_vdso() -> Option<Vec<u8>> {
    let own = ProcFs::system().process(Pid(std::process::id())).ok()?;
    let mappings = own.executable_mappings(MapLimits::default()).ok()?;
    let vdso = mappings.mappings.iter().find(|mapping| mapping.kind == MappingKind::Vdso)?;
    let mut bytes = vec![0; (vdso.end - vdso.start).min(1 << 20) as usize];
    let length = own.read_memory(vdso.start, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}
