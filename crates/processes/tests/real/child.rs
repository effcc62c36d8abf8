//! A `cat` that runs until it is dropped. What it echoes proves that it runs, not the shell that
//! started it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use infrared_processes::maps::{MapLimits, Mapping};
use infrared_processes::{Pid, ProcFs, ProcessDir};

pub(crate) struct Cat {
    child: Child,
    pub(crate) dir: ProcessDir,
}

impl Cat {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"are you there\n").unwrap();
        let mut echo = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut echo).unwrap();
        assert_eq!(echo, "are you there\n");
        let dir = ProcFs::system().process(Pid(child.id())).unwrap();
        Self { child, dir }
    }

    /// The executable mappings of files.
    pub(crate) fn files(&self) -> Vec<Mapping> {
        let found = self.dir.executable_mappings(MapLimits::default()).unwrap();
        found.mappings.into_iter().filter(Mapping::is_file).collect()
    }

    /// The mapping whose name ends like this.
    pub(crate) fn mapping(&self, end: &str) -> Mapping {
        let files = self.files();
        let found = files.iter().find(|mapping| mapping.name.ends_with(end.as_bytes()));
        found.unwrap_or_else(|| panic!("no mapping of {end}: {files:?}")).clone()
    }

    pub(crate) fn end(mut self) -> ProcessDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let pid = Pid(self.child.id());
        let gone = ProcFs::system().process(pid);
        assert!(gone.is_err());
        std::mem::replace(&mut self.dir, ProcFs::system().process(Pid(std::process::id())).unwrap())
    }
}

impl Drop for Cat {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// The program file of `cat`, as the kernel names it.
pub(crate) fn cat_path() -> PathBuf {
    let cat = Cat::start(&mut Command::new("cat"));
    cat.dir.executable().unwrap().unwrap().path
}

/// Copies a program so that it can be executed at once. By another process: a file that this one writes stays open
/// in the children that other tests fork meanwhile, and a program that is open for writing is "busy".
pub(crate) fn copy_file(from: &Path, to: &Path) {
    assert!(Command::new("cp").args([from, to]).status().unwrap().success());
}

/// A directory with a copy of `cat` as `name`.
pub(crate) fn copy_of_cat(name: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join(name);
    copy_file(&cat_path(), &copy);
    (directory, copy)
}

/// A directory with the program `name`, made of C.
pub(crate) fn compile(name: &str, source: &str, flags: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let (program, file) = (directory.path().join(name), directory.path().join("source.c"));
    std::fs::write(&file, source).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args([&file, Path::new("-w"), Path::new("-o"), &program]).args(flags);
    assert!(compiler.status().unwrap().success());
    (directory, program)
}

/// A directory that can be the root of `cat`: the program and its libraries.
pub(crate) fn root_for_cat() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let cat = Cat::start(&mut Command::new("cat"));
    let add = |path: &Path, from: &Path| {
        let target = root.path().join(path.strip_prefix("/").unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        copy_file(from, &target);
    };
    for mapping in cat.files() {
        let path = mapping.path().unwrap();
        add(path, path);
        // the program names its loader by a path that goes through a link
        if mapping.display_name().starts_with("ld-") {
            let name = path.file_name().unwrap();
            add(&Path::new("/lib64").join(name), path);
            add(&Path::new("/lib").join(name), path);
        }
    }
    let program = cat.dir.executable().unwrap().unwrap().path;
    (root, program)
}
