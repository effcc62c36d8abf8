//! What the test binaries share: compiling C, and executables as the kernel side sees them.

pub(crate) mod images;
pub(crate) mod mappings;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of this crate.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the test binaries of this crate may put files.
pub(crate) fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Runs a compiler, and fails the test where it fails.
pub(crate) fn compile<I: AsRef<OsStr>>(compiler: &str, arguments: impl IntoIterator<Item = I>) {
    let mut command = Command::new(compiler);
    command.args(arguments);
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {compiler}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Compiles `tests/programs/SOURCE` to an executable called `name`.
pub(crate) fn program(name: &str, compiler: &str, source: &str, flags: &[&str]) -> PathBuf {
    let output = scratch().join(name);
    let source = root().join("tests/programs").join(source);
    let mut arguments = vec![source.into_os_string(), "-o".into(), output.clone().into()];
    arguments.extend(flags.iter().map(Into::into));
    compile(compiler, arguments);
    output
}
