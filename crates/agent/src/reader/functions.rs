//! Language runtimes and their functions, from the memory of their process.

use std::{fs::File, os::unix::fs::FileExt, sync::Arc};

use infrared_processes::ProcessDir;
use infrared_runtimes::{Attached, Found, Mapped, Memory, Named, v8::Sources};

use crate::watch::{AttachWanted, FunctionKey, FunctionWanted};

struct ProcessMemory {
    file: File,
    sources: Sources,
}

impl ProcessMemory {
    fn open(dir: &ProcessDir) -> Option<Self> {
        let file = File::open(dir.path().join("mem")).ok()?;
        Some(Self { file, sources: Sources::default() })
    }
}

impl Memory for ProcessMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        self.file.read_exact_at(into, address).ok()
    }

    fn sources(&self) -> Option<&Sources> {
        Some(&self.sources)
    }
}

/// `None` where the function is not there any more.
pub(super) fn read(
    dir: &ProcessDir,
    wanted: &[FunctionWanted],
) -> Vec<(FunctionKey, Option<Named>)> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let Some(memory) = ProcessMemory::open(dir) else { return Vec::new() };
    let read = |wanted: &FunctionWanted| {
        let FunctionKey { code, check, position, .. } = wanted.key;
        (wanted.key, wanted.namer.name(&memory, (code, check, position)))
    };
    wanted.iter().map(read).collect()
}

/// The runtimes that the process's memory tells of.
pub(super) fn attach(dir: &ProcessDir, wanted: &[AttachWanted]) -> Vec<Attached> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let Some(memory) = ProcessMemory::open(dir) else { return Vec::new() };
    wanted.iter().filter_map(|wanted| wanted.runtime.attach(&memory, wanted.mapped)).collect()
}

/// What the process's memory tells of one runtime.
pub(crate) fn attach_one(dir: &ProcessDir, runtime: &Found, mapped: Mapped) -> Option<Attached> {
    let wanted = AttachWanted { runtime: Arc::clone(runtime), mapped };
    attach(dir, &[wanted]).pop()
}
