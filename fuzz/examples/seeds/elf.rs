//! Seeds that are ELF files, built from our own sources by gcc.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::Seed;

/// No start files, no libraries, no padding to pages: a few KiB each.
/// Their code starts where the symbolizer's target looks.
const SMALL: [&str; 9] = [
    "-Wl,-Ttext=0x1000",
    "-O2",
    "-fomit-frame-pointer",
    "-nostdlib",
    "-Wl,--build-id",
    "-Wl,-z,noseparate-code",
    "-Wl,-z,max-page-size=4096",
    "-fno-stack-protector",
    "-fno-ident",
];

struct Program {
    name: &'static str,
    source: &'static str,
    flags: &'static [&'static str],
    targets: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "stripped",
        source: "plain.c",
        flags: &["-static", "-s", "-Wl,--eh-frame-hdr"],
        targets: &["elf_symbols"],
    },
    Program {
        name: "stripped_without_table",
        source: "plain.c",
        flags: &["-static", "-s", "-Wl,--no-eh-frame-hdr"],
        targets: &["elf_symbols"],
    },
    Program {
        name: "plain",
        source: "plain.c",
        flags: &["-static"],
        targets: &["unwind_tables", "elf_symbols", "elf_headers"],
    },
    Program {
        name: "debug_frame",
        source: "plain.c",
        flags: &["-static", "-g1", "-fno-asynchronous-unwind-tables"],
        targets: &["unwind_tables"],
    },
    Program {
        name: "frames",
        source: "frames.S",
        flags: &["-static"],
        targets: &["unwind_tables"],
    },
    Program {
        name: "shared",
        source: "shared.c",
        flags: &["-shared", "-fPIC"],
        targets: &["unwind_tables", "elf_symbols", "elf_headers"],
    },
    Program {
        name: "go",
        source: "go.S",
        flags: &["-static"],
        targets: &["unwind_tables", "elf_symbols"],
    },
    Program {
        name: "dwarf5",
        source: "inlined.cpp",
        flags: &["-static", "-g", "-gdwarf-5"],
        targets: &["elf_symbols"],
    },
    Program {
        name: "dwarf4",
        source: "inlined.cpp",
        flags: &["-static", "-g", "-gdwarf-4"],
        targets: &["elf_symbols"],
    },
    Program {
        name: "compressed",
        source: "inlined.cpp",
        flags: &["-static", "-g", "-gz=zlib"],
        targets: &["elf_symbols"],
    },
];

pub(crate) fn seeds() -> Result<Vec<Seed>> {
    let folder = TempDir::with_prefix("infrared-seeds-")?;
    let mut seeds = Vec::new();
    for program in PROGRAMS {
        let built = build(program, folder.path())?;
        let bytes = std::fs::read(&built)?;
        let seed =
            |target: &&'static str| Seed { target, name: program.name, bytes: bytes.clone() };
        seeds.extend(program.targets.iter().map(seed));
    }
    seeds.push(with_mini_debug_info(folder.path())?);
    let headerless = without_section_headers(folder.path())?;
    seeds.extend(["unwind_tables", "elf_symbols"].map(|target| Seed {
        target,
        name: "headerless",
        bytes: headerless.clone(),
    }));
    for name in ["dwarf4", "dwarf5"] {
        seeds.push(Seed {
            target: "dwarf",
            name,
            bytes: debug_sections(&folder.path().join(name))?,
        });
    }
    let table = section(&folder.path().join("go"), ".gopclntab")?;
    seeds.push(Seed { target: "go_tables", name: "go", bytes: table });
    Ok(seeds)
}

fn build(program: &Program, folder: &Path) -> Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/seeds/sources");
    let built = folder.join(program.name);
    let mut gcc = Command::new("gcc");
    // The folder's own path stays out of the debug information.
    let map = format!("-ffile-prefix-map={}=.", sources.display());
    gcc.args(SMALL).arg(map).args(program.flags).arg("-o").arg(&built).arg(program.source);
    run(gcc.current_dir(sources))?;
    Ok(built)
}

/// Symbols in an xz-compressed ELF file inside of `.gnu_debugdata`, as distributions ship them.
fn with_mini_debug_info(folder: &Path) -> Result<Seed> {
    let [plain, inner, outer] = ["plain", "inner", "outer"].map(|name| folder.join(name));
    run(Command::new("objcopy").arg("--only-keep-debug").args([&plain, &inner]))?;
    run(Command::new("xz").arg("--force").arg(&inner))?;
    let section = format!(".gnu_debugdata={}", folder.join("inner.xz").display());
    run(Command::new("objcopy")
        .args(["--strip-all", "--add-section", &section])
        .args([&plain, &outer]))?;
    Ok(Seed { target: "elf_symbols", name: "mini_debug_info", bytes: std::fs::read(outer)? })
}

fn without_section_headers(folder: &Path) -> Result<Vec<u8>> {
    let [shared, headerless] = ["shared", "headerless"].map(|name| folder.join(name));
    run(Command::new("llvm-strip").args(["--strip-sections", "-o"]).args([&headerless, &shared]))?;
    Ok(std::fs::read(headerless)?)
}

/// The lengths of the sections that the target `dwarf` takes, then their bytes.
fn debug_sections(file: &Path) -> Result<Vec<u8>> {
    let names = [
        "abbrev",
        "info",
        "line",
        "str",
        "line_str",
        "ranges",
        "rnglists",
        "addr",
        "str_offsets",
        "aranges",
    ];
    let (mut lengths, mut all) = (Vec::new(), Vec::new());
    for name in names {
        let bytes = section(file, &format!(".debug_{name}"))?;
        lengths.extend(u16::try_from(bytes.len())?.to_le_bytes());
        all.extend(bytes);
    }
    Ok([lengths, all].concat())
}

/// The bytes of a section; none if the file lacks it.
fn section(file: &Path, name: &str) -> Result<Vec<u8>> {
    let out = file.with_extension("section");
    std::fs::write(&out, [])?;
    let dump = format!("{name}={}", out.display());
    let output = Command::new("objcopy")
        .args(["--dump-section", &dump])
        .arg(file)
        .arg(file.with_extension("copy"))
        .output()
        .context("cannot run objcopy")?;
    let lacks_it = String::from_utf8_lossy(&output.stderr).contains("can't dump section");
    if !output.status.success() && !lacks_it {
        bail!("objcopy on {}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(std::fs::read(out)?)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
