//! Which language runtimes a process has, for people who ask: found as the agent finds them.

use std::{collections::HashSet, sync::Arc};

use infrared_processes::{
    Error, Pid, ProcFs, ProcessDir,
    image::{ElfHeaders, open},
    maps::{MapLimits, Mapping},
};
use infrared_runtimes::{About, Mapped};

use crate::{
    images::{ImageBytes, runtimes_in},
    reader,
};

/// A runtime in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeSeen {
    /// With its version, where it tells it.
    pub name: String,
    /// Where its file was when the process mapped it.
    pub image: String,
    /// Its functions are in stacks.
    pub is_followed: bool,
}

/// The runtimes of a process. Reads its executables and, of some runtimes, its memory. Fails if there is no such process, or it
/// must not be read.
pub fn runtimes_of(pid: u32) -> Result<Vec<RuntimeSeen>, Error> {
    let process = ProcFs::system().process(Pid(pid))?;
    let mappings = process.executable_mappings(MapLimits::default())?.mappings;
    let mut seen = HashSet::new();
    let files = mappings.iter().filter(|mapping| mapping.is_file());
    let once = files.filter(|mapping| seen.insert((mapping.device, mapping.inode)));
    Ok(once.flat_map(|mapping| in_image(&process, mapping)).collect())
}

fn in_image(process: &ProcessDir, mapping: &Mapping) -> Vec<RuntimeSeen> {
    let Ok(image) = open(process, mapping) else { return Vec::new() };
    let Ok(headers) = ElfHeaders::read(&image.file) else { return Vec::new() };
    let path = mapping.display_name();
    let path = mapping.path().map_or(path, |path| path.to_string_lossy().into_owned());
    let bias = headers.segments.svma_bias(mapping);
    let bytes = ImageBytes::File(Arc::new(image.file));
    let found = runtimes_in(&bytes, &headers.segments, &path);
    let about = |runtime: &infrared_runtimes::Found| {
        let image = runtime.about();
        if !runtime.is_attached() {
            return image;
        }
        let mapped = bias.map(|bias| Mapped { bias });
        let attached = mapped.and_then(|mapped| reader::attach(process, runtime, mapped));
        attached.map_or(About { is_followed: false, ..image }, |attached| attached.about())
    };
    let seen = |About { name, is_followed }| RuntimeSeen { name, image: path.clone(), is_followed };
    found.iter().map(about).map(seen).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            // Gone already where it has ended by itself.
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    #[test]
    fn a_process_s_runtimes_are_named_with_their_versions() {
        let code =
            "import sys; print(*sys.version_info[:2], sep='.', flush=True); sys.stdin.read()";
        let (input, output) = (Stdio::piped(), Stdio::piped());
        let command =
            Command::new("python3").args(["-c", code]).stdin(input).stdout(output).spawn();
        let mut python = Running(command.unwrap());
        let mut version = String::new();
        let said = python.0.stdout.as_mut().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(said), &mut version).unwrap();
        let seen = runtimes_of(python.0.id()).unwrap();
        let names: Vec<&str> = seen.iter().map(|runtime| &*runtime.name).collect();
        assert_eq!(names, [format!("CPython {}", version.trim())]);
        assert!(seen[0].is_followed && seen[0].image.contains("python"), "{seen:?}");
        assert_eq!(runtimes_of(std::process::id()).unwrap(), []);
        assert!(runtimes_of(u32::MAX - 1).is_err());
    }
}
