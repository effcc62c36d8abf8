//! Where the bytes of an image come from: a file, held open while it is used and opened anew when it is needed later; or
//! a copy of memory (the vDSO).
//!
//! An open file keeps its memory, disk space and mount, whatever became of it. So it is let go of soon, and opened again
//! through a process that maps it, or by its path; it is then the same file, or none.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use infrared_processes::{
    Pid, ProcFs,
    image::{open, open_of_gone},
    maps::Mapping,
};

use super::identity::FileIdentity;

/// A file that was not used for so long is let go of. A window is shorter, so what is sampled stays at hand.
const HELD: Duration = Duration::from_secs(20);
/// Processes that are remembered to map a file: the last ones are the likeliest to be alive.
const MAX_PLACES: usize = 4;

/// Bytes that can be read now.
#[derive(Clone, Debug)]
pub(crate) enum ImageBytes {
    File(Arc<File>),
    Memory(Arc<[u8]>),
}

/// Where a file was mapped.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Two files with equal contents are one image.
    pub(super) identity: FileIdentity,
    pub(super) pid: u32,
    pub(super) mapping: Mapping,
}

#[derive(Debug)]
struct FileState {
    held: Option<Arc<File>>,
    used: Instant,
    places: VecDeque<Place>,
    counts: Arc<Reopening>,
}

#[derive(Debug)]
enum Origin {
    Memory(Arc<[u8]>),
    File(Mutex<FileState>),
}

/// Where the bytes of an image come from. Clones share it, on all threads.
#[derive(Clone, Debug)]
pub(crate) struct ImageSource(Arc<Origin>);

/// Files that were opened anew, and that could not be.
#[derive(Debug, Default)]
pub(super) struct Reopening {
    pub(super) reopened: AtomicU64,
    pub(super) unreachable: AtomicU64,
}

impl ImageSource {
    pub(super) fn of_memory(bytes: Arc<[u8]>) -> Self {
        Self(Arc::new(Origin::Memory(bytes)))
    }

    pub(super) fn of_file(file: File, place: Place, counts: Arc<Reopening>) -> Self {
        let (held, places) = (Some(Arc::new(file)), VecDeque::from([place]));
        let state = FileState { held, used: Instant::now(), places, counts };
        Self(Arc::new(Origin::File(Mutex::new(state))))
    }

    fn state(&self) -> Option<MutexGuard<'_, FileState>> {
        match &*self.0 {
            Origin::Memory(_) => None,
            Origin::File(state) => Some(state.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// The bytes, opened if need be. Not for the driver: it may take time.
    pub(crate) fn open(&self) -> io::Result<ImageBytes> {
        let mut state = match &*self.0 {
            Origin::Memory(bytes) => return Ok(ImageBytes::Memory(Arc::clone(bytes))),
            Origin::File(_) => self.state().ok_or(io::ErrorKind::NotFound)?,
        };
        state.used = Instant::now();
        if state.held.is_none() {
            state.held = reopen(&state.places).map(Arc::new);
            let counts = &state.counts;
            let is_reopened = state.held.is_some();
            let count = if is_reopened { &counts.reopened } else { &counts.unreachable };
            count.fetch_add(1, Ordering::Relaxed);
        }
        let held = state.held.as_ref().ok_or(io::ErrorKind::NotFound)?;
        Ok(ImageBytes::File(Arc::clone(held)))
    }

    /// Keeps the file at hand a while longer, if it is.
    pub(crate) fn keep(&self) {
        if let Some(mut state) = self.state() {
            state.used = Instant::now();
        }
    }

    /// A process maps the file, or one with the same contents; `file` is that.
    pub(super) fn add_place(&self, place: Place, file: Option<File>) {
        let Some(mut state) = self.state() else { return };
        state.used = Instant::now();
        if state.held.is_none() {
            state.held = file.map(Arc::new);
        }
        state.places.retain(|known| known.pid != place.pid);
        if state.places.len() >= MAX_PLACES {
            state.places.pop_front();
        }
        state.places.push_back(place);
    }

    /// Where the file was mapped first.
    pub(super) fn place(&self) -> Option<Place> {
        self.state()?.places.front().cloned()
    }

    /// Lets go of the file if nobody has used it for a while, or at once. Returns whether it is held on to.
    pub(super) fn let_go(&self, now: Instant, at_once: bool) -> bool {
        let Some(mut state) = self.state() else { return false };
        if at_once || now.duration_since(state.used) >= HELD {
            state.held = None;
        }
        state.held.is_some()
    }

    /// Bytes; 0 where that is not known without opening the file.
    pub(super) fn length(&self) -> u64 {
        match &*self.0 {
            Origin::Memory(bytes) => bytes.len() as u64,
            Origin::File(_) => self.place().map_or(0, |place| place.identity.size),
        }
    }
}

/// Through a process it is the file that was mapped, whatever became of its path. By its path it may be another.
fn reopen(places: &VecDeque<Place>) -> Option<File> {
    let procfs = ProcFs::system();
    places.iter().rev().find_map(|place| {
        let identity = |file: &File| FileIdentity::of(file).ok().map(|(identity, _)| identity);
        let through_process = || {
            let process = procfs.process(Pid(place.pid)).ok()?;
            let file = open(&process, &place.mapping).ok()?.file;
            identity(&file)?.is_unwritten(&place.identity).then_some(file)
        };
        let by_path = || {
            let file = open_of_gone(&place.mapping, None).ok()?.file;
            (identity(&file)? == place.identity).then_some(file)
        };
        through_process().or_else(by_path)
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{Read, Write},
        os::unix::fs::MetadataExt,
        path::{Path, PathBuf},
        process::{Child, Command, Stdio},
    };

    use infrared_processes::maps::{MapLimits, MappingRef};

    use super::*;

    fn source(file: File, pid: u32, mapping: Mapping) -> (ImageSource, Arc<Reopening>) {
        let counts = Arc::<Reopening>::default();
        let (identity, _) = FileIdentity::of(&file).unwrap();
        let place = Place { identity, pid, mapping };
        (ImageSource::of_file(file, place, Arc::clone(&counts)), counts)
    }

    fn counted(counts: &Reopening) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&counts.reopened), of(&counts.unreachable))
    }

    fn soon() -> Instant {
        Instant::now() + HELD
    }

    /// A process that runs a program, until it is dropped.
    struct Running(Child);

    impl Running {
        /// Starts it, and tells where it maps its file. A copy of `cat`, it has mapped it once it answers.
        fn start(program: &Path) -> (Self, Mapping) {
            let (input, output) = (Stdio::piped(), Stdio::piped());
            let child = Command::new(program).stdin(input).stdout(output).spawn().unwrap();
            let mut running = Self(child);
            running.0.stdin.as_mut().unwrap().write_all(b"x").unwrap();
            running.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            let process = ProcFs::system().process(Pid(running.0.id())).unwrap();
            let mappings = process.executable_mappings(MapLimits::default()).unwrap().mappings;
            let inode = fs::metadata(program).unwrap().ino();
            (running, mappings.into_iter().find(|mapping| mapping.inode == inode).unwrap())
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            // Gone already where it has ended by itself.
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    /// A program of its own. Another process copies it: a file that we had open for writing could be open in the child of
    /// another test, and could then not be executed.
    fn program(folder: &Path) -> PathBuf {
        let program = folder.join("program");
        let copied = Command::new("cp").arg("/bin/cat").arg(&program).status().unwrap();
        assert!(copied.success());
        program
    }

    #[test]
    fn a_file_without_a_path_is_found_again_while_a_process_maps_it_and_is_not_pinned() {
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path());
        let (running, mapping) = Running::start(&program);
        let (source, counts) = source(File::open(&program).unwrap(), running.0.id(), mapping);
        assert!(source.let_go(Instant::now(), false), "it was used just now");
        assert!(!source.let_go(soon(), false));
        fs::remove_file(&program).unwrap();
        assert!(source.open().is_ok());
        assert_eq!(counted(&counts), (1, 0));
        assert!(!source.let_go(soon(), false));
        drop(running);
        assert!(source.open().is_err(), "nothing held it any more");
        assert_eq!(counted(&counts), (1, 1));
    }

    #[test]
    fn by_its_path_a_file_is_found_again_if_it_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path());
        let (running, mapping) = Running::start(&program);
        let (source, counts) = source(File::open(&program).unwrap(), running.0.id(), mapping);
        drop(running);
        source.let_go(soon(), false);
        assert!(source.open().is_ok());
        source.let_go(soon(), false);
        fs::remove_file(&program).unwrap();
        fs::copy("/bin/cat", &program).unwrap();
        assert!(source.open().is_err(), "another file, with the same contents");
        let pipe = rustix::fs::Mode::from(0o600);
        fs::remove_file(&program).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &program, pipe).unwrap();
        assert!(source.open().is_err(), "it does not wait for who writes to it");
        assert_eq!(counted(&counts), (1, 2));
    }

    #[test]
    fn the_last_processes_that_map_a_file_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path());
        let file = File::open(&program).unwrap();
        let (identity, _) = FileIdentity::of(&file).unwrap();
        let line = b"1000-2000 r-xp 00000000 00:00 7 /nowhere";
        let nowhere = MappingRef::parse(line).unwrap().to_mapping();
        let (source, counts) = source(file, u32::MAX, nowhere.clone());
        fs::remove_file(&program).unwrap();
        for pid in 0..10 {
            let (pid, mapping) = (u32::MAX - pid, nowhere.clone());
            source.add_place(Place { identity, pid, mapping }, None);
        }
        assert_eq!(source.state().unwrap().places.len(), MAX_PLACES);
        source.let_go(soon(), false);
        assert!(source.open().is_err());
        assert_eq!(counted(&counts), (0, 1));
    }
}
