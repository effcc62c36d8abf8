//! Functions of language runtimes, from the memory of their process.

use std::{fs::File, os::unix::fs::FileExt};

use infrared_processes::ProcessDir;
use infrared_runtimes::{Function, Memory};

use crate::watch::{FunctionKey, FunctionWanted};

struct ProcessMemory(File);

impl Memory for ProcessMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        self.0.read_exact_at(into, address).ok()
    }
}

/// `None` where the function is not there any more.
pub(super) fn read(
    dir: &ProcessDir,
    wanted: &[FunctionWanted],
) -> Vec<(FunctionKey, Option<Function>)> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let Ok(memory) = File::open(dir.path().join("mem")).map(ProcessMemory) else {
        return Vec::new();
    };
    let read = |wanted: &FunctionWanted| {
        let FunctionKey { code, check, .. } = wanted.key;
        (wanted.key, wanted.namer.function(&memory, code, check))
    };
    wanted.iter().map(read).collect()
}
