//! gcc and rustc at work on generated sources, one process after the other, without end.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::servers::Load;
use crate::{Meter, scratch_dir};

/// Two endless loops of builds, the services `e2e-gcc` and `e2e-rustc`. Dropping it ends them.
#[derive(Debug)]
pub struct Builds {
    load: Load,
    _dir: TempDir,
}

impl Builds {
    pub const SERVICES: [&str; 2] = ["e2e-gcc", "e2e-rustc"];

    pub fn start() -> Result<Self> {
        let dir = scratch_dir()?;
        std::fs::write(dir.path().join("large.c"), c_source(1500))?;
        std::fs::write(dir.path().join("large.rs"), rust_source(120))?;
        let gcc = "while gcc -O2 -c large.c -o large.o; do :; done";
        let rustc =
            "while rustc --edition 2024 -O --crate-type lib large.rs --out-dir rust; do :; done";
        let [of_gcc, of_rustc] = Self::SERVICES;
        let loops = [(of_gcc, gcc), (of_rustc, rustc)];
        let load = Load::start(loops.map(|(service, script)| shell(service, script, dir.path())))?;
        Ok(Self { load, _dir: dir })
    }

    /// Of each loop, in the order of `SERVICES`.
    pub fn meters(&self) -> Result<[Meter; 2]> {
        let meters = self.load.pids().map(Meter::start).collect::<Result<Vec<_>>>()?;
        meters.try_into().ok().context("there are two loops")
    }

    /// An error if a build has failed.
    pub fn check(&mut self) -> Result<()> {
        self.load.check()
    }
}

fn shell(service: &str, script: &str, dir: &Path) -> Command {
    let mut command = Command::new("sh");
    command.env("OTEL_SERVICE_NAME", service).args(["-c", script]).current_dir(dir);
    command
}

fn c_source(functions: usize) -> String {
    let function = |i: usize| {
        format!(
            "long f{i}(struct node *n, long k) {{ long s = {i}; for (; n; n = n->next) {{\n\
             switch ((n->value + {i}) % 7) {{ case 0: s += n->value; break; case 1: s ^= k << {}; break;\n\
             case 2: s *= k | 1; break; case 3: if (k > s) s -= n->value * {i}; break;\n\
             default: s += s >> 3; }} }} return s; }}\n",
            i % 13
        )
    };
    let head = "struct node { struct node *next; long value; };\n".to_owned();
    std::iter::once(head).chain((0..functions).map(function)).collect()
}

fn rust_source(modules: usize) -> String {
    let module = |i: usize| {
        format!(
            "pub mod m{i} {{ use std::collections::{{BTreeMap, HashMap}};\n\
             #[derive(Clone, Debug, PartialEq, PartialOrd)]\n\
             pub struct Item {{ pub name: String, pub size: [u64; {}] }}\n\
             pub fn group(items: &[Item]) -> BTreeMap<String, Vec<&Item>> {{ let mut map = BTreeMap::new();\n\
             for i in items {{ map.entry(i.name.to_lowercase()).or_insert_with(Vec::new).push(i); }} map }}\n\
             pub fn count(items: &[Item]) -> HashMap<&str, usize> {{\n\
             items.iter().map(|i| (i.name.as_str(), i.size.len()))\n\
             .fold(HashMap::new(), |mut m, (n, s)| {{ *m.entry(n).or_default() += s; m }}) }} }}\n",
            i % 5 + 1
        )
    };
    (0..modules).map(module).collect()
}
