//! The names and lines of code objects, of every `CPython` that is here, against what that one says of itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use infrared_runtimes::{
    About, ImageFacts, Memory, SYMBOLS, detect,
    python::{CodeLayout, Version},
};
use infrared_unwind::{Options, Plan, lookup};
use object::{Object, ObjectSection, ObjectSymbol};

/// Prints each function's code object, name and file, and the line of each instruction; then waits.
const TELL: &str = include_str!("tell.py");

struct ProcessMemory(File);

impl Memory for ProcessMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        self.0.read_exact_at(into, address).ok()
    }
}

struct Told(Child);

impl Drop for Told {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The one that runs as `python3`, the system's, and those that pyenv has installed, as far as their layout is known.
fn interpreters() -> Vec<PathBuf> {
    let code = "import sys; print(sys.executable)";
    let output = Command::new("python3").args(["-c", code]).output().expect("python3 is needed");
    let own = String::from_utf8(output.stdout).unwrap();
    let mut paths = vec![PathBuf::from(own.trim()), PathBuf::from("/usr/bin/python3")];
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let versions = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten();
    paths.extend(versions.map(|version| version.unwrap().path().join("bin/python3")));
    let mut found: Vec<_> = paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
    found.sort();
    found.dedup();
    found.retain(|python| CodeLayout::of(version_of(python)).is_some());
    assert!(!found.is_empty(), "no Python is here whose layout is known");
    found
}

fn version_of(python: &Path) -> Version {
    let code = "import sys; print(*sys.version_info[:2])";
    let output = Command::new(python).args(["-c", code]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (major, minor) = text.trim().split_once(' ').unwrap();
    Version(major.parse().unwrap(), minor.parse().unwrap())
}

fn told(python: &Path) -> (Told, Vec<String>) {
    let mut child = Command::new(python);
    child.args(["-c", TELL]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Told(child.spawn().unwrap());
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let lines = lines.take_while(|line| line != "end").collect();
    (child, lines)
}

/// Address, name, file, and what follows.
fn fields(line: &str) -> [&str; 4] {
    line.splitn(4, '\t').collect::<Vec<_>>().try_into().unwrap()
}

#[test]
fn code_objects_read_as_their_interpreter_says() {
    for python in interpreters() {
        let version = version_of(&python);
        let layout = CodeLayout::of(version).unwrap();
        let (child, lines) = told(&python);
        assert!(lines.len() > 200, "{}: {} functions", python.display(), lines.len());
        let memory = ProcessMemory(File::open(format!("/proc/{}/mem", child.0.id())).unwrap());
        let (mut positions, mut named) = (0, 0);
        for told in &lines {
            let [address, name, file, rows] = fields(told);
            let address = u64::from_str_radix(address, 16).unwrap();
            let check = layout.check(&memory, address).unwrap();
            let function = layout.function(&memory, address, check).unwrap();
            assert_eq!((&*function.name, &*function.file), (name, file), "{version:?}");
            named += 1;
            for row in rows.split(' ').filter(|row| !row.is_empty()) {
                let (position, line) = row.split_once(':').unwrap();
                let found = function.lines.line(position.parse().unwrap());
                let expected = line.parse::<u32>().ok();
                assert_eq!(found, expected, "{version:?} {name} {file} at {position}");
                positions += 1;
            }
        }
        println!("{version:?}: {named} functions, {positions} positions");
        assert!(positions > 5_000, "{positions}");
    }
}

#[test]
fn a_code_object_in_whose_place_another_came_has_no_name() {
    for python in interpreters() {
        let layout = CodeLayout::of(version_of(&python)).unwrap();
        let mut child = Command::new(&python);
        child.args(["-c", include_str!("again.py")]);
        let mut child = Told(child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let memory = ProcessMemory(File::open(format!("/proc/{}/mem", child.0.id())).unwrap());
        let mut answers = BufReader::new(child.0.stdout.take().unwrap()).lines();
        let mut answer = || answers.next().unwrap().unwrap();
        let address = u64::from_str_radix(&answer(), 16).unwrap();
        let first = layout.check(&memory, address).unwrap();
        assert_eq!(&*layout.function(&memory, address, first).unwrap().name, "made_100000");
        child.0.stdin.as_mut().unwrap().write_all(b"drop it\n").unwrap();
        let second = answer();
        let check = layout.check(&memory, address).unwrap();
        assert!(layout.function(&memory, address, first).is_none(), "{}", python.display());
        assert_eq!(*layout.function(&memory, address, check).unwrap().name, second);
    }
}

/// All of it reads as these bytes, over and over.
struct Filled(Vec<u8>);

impl Memory for Filled {
    fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        for (index, byte) in into.iter_mut().enumerate() {
            *byte = self.0[(address as usize).wrapping_add(index) % self.0.len()];
        }
        Some(())
    }
}

#[test]
fn what_is_made_up_costs_bounded_work() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    for round in 0..2_000 {
        let mut bytes: Vec<u8> = (0..4096).map(|_| random()).collect();
        if round % 2 == 0 {
            // Pointers into what can be read, and states of strings.
            bytes.chunks_exact_mut(8).for_each(|word| word[2..].fill(0));
            bytes[32..4096]
                .chunks_exact_mut(64)
                .for_each(|state| state[0] = [0x24, 0x28, 0x30, 0x64][round / 2 % 4]);
        }
        let memory = Filled(bytes);
        for minor in 6..16 {
            let layout = CodeLayout::of(Version(3, minor)).unwrap();
            for code in [0, 8, 1 << 20] {
                let Some(check) = layout.check(&memory, code) else { continue };
                if let Some(function) = layout.function(&memory, code, check) {
                    assert!(function.name.len() <= 16 << 10 && function.file.len() <= 16 << 10);
                    assert!(!function.name.contains(char::is_control));
                    for position in [0, 2, 1 << 16, u32::MAX] {
                        let _ = function.lines.line(position);
                    }
                }
            }
        }
    }
}

/// The file in which an interpreter's loop is: the program, or the library that it loads.
fn image_of(python: &Path) -> PathBuf {
    let code = "import sysconfig as s; print(s.get_config_var('LIBDIR') + '/' + s.get_config_var('LDLIBRARY'))";
    let output = Command::new(python).args(["-c", code]).output().unwrap();
    let library = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let is_shared = library.extension().is_some_and(|extension| extension == "so");
    let image = if is_shared && library.exists() { library } else { python.to_path_buf() };
    image.canonicalize().unwrap()
}

#[test]
fn an_interpreter_is_found_in_its_image_and_the_rows_of_its_loop_say_so() {
    for python in interpreters() {
        let (path, version) = (image_of(&python), version_of(&python));
        let bytes = std::fs::read(&path).unwrap();
        let options = Options { symbols: SYMBOLS, ..Options::default() };
        let mut plan = Plan::open(&*bytes, &options).unwrap();
        let object = object::File::parse(&*bytes).unwrap();
        let defined: Vec<_> =
            object.dynamic_symbols().filter(ObjectSymbol::is_definition).collect();
        for name in SYMBOLS.iter().copied().flatten() {
            let theirs = defined.iter().find(|symbol| symbol.name() == Ok(name));
            let theirs = theirs.map(|symbol| (symbol.address(), symbol.size()));
            let ours = plan.symbols().iter().find(|(other, _)| other == name);
            assert_eq!(ours.map(|(_, symbol)| (symbol.address, symbol.size)), theirs, "{name}");
        }
        let read = |svma: u64, buffer: &mut [u8]| {
            let section = object.sections().find(|section| {
                svma.checked_sub(section.address()).is_some_and(|into| into < section.size())
            });
            let data =
                section.and_then(|section| section.data_range(svma, buffer.len() as u64).ok());
            data.flatten().map_or(0, |data| {
                buffer.copy_from_slice(data);
                data.len()
            })
        };
        let path = path.to_str().unwrap();
        let facts = ImageFacts { go: None, symbols: plan.symbols(), path, read: &read };
        let found = detect(&facts);
        let [found] = &found[..] else { panic!("{version:?}: {found:?}") };
        let name = format!("CPython {version}");
        assert_eq!(found.about(), About { name, is_followed: version >= Version(3, 7) });
        assert_eq!(found.namer().is_some(), version >= Version(3, 7));
        let (runtime, entry) = found.loop_at().unwrap();
        let size =
            plan.symbols().iter().find(|(_, symbol)| symbol.address == entry).unwrap().1.size;
        assert!(plan.mark(&*bytes, entry, runtime));
        // What the compiler put elsewhere has a symbol where there are any. Of a few bytes, nothing leads there.
        let is_cold = |it: &object::Symbol<'_, '_>| {
            it.name() == Ok("_PyEval_EvalFrameDefault.cold") && it.size() > 64
        };
        let cold = object.symbols().find(is_cold);
        let cold = cold.map_or(entry, |cold| cold.address());
        let inside = [entry, entry + size / 2, entry + size - 1, cold];
        for (svma, is_marked) in
            inside.map(|svma| (svma, true)).into_iter().chain([(entry - 1, false)])
        {
            let pages = plan.make(&*bytes, &[(svma >> 16) as u32]).unwrap();
            let rule = lookup(&pages[0].1, svma).unwrap();
            assert_eq!(rule.runtime.is_some(), is_marked, "{version:?} at {svma:#x} of {entry:#x}");
        }
    }
}
