//! Where the bytes of an image come from: a file, held open while it is used and opened anew when it is needed later; a copy of
//! what its process has in memory, where the file is not to be had, kept and made anew in the same way; or memory (the vDSO).
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
    image::{ByteSource, LoadSegments, open, open_of_gone},
    maps::Mapping,
};

use super::identity::FileIdentity;
use crate::copies::{Copied, Copier};

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

impl ImageBytes {
    /// Reads what there is from a stated address on, to the end of its segment at most. Returns how many bytes that were.
    pub(super) fn read_at_svma(
        &self,
        segments: &LoadSegments,
        svma: u64,
        buffer: &mut [u8],
    ) -> usize {
        let Some((offset, rest)) = segments.file_offset_of_svma(svma) else { return 0 };
        let length = buffer.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        let wanted = &mut buffer[..length];
        let read = match self {
            Self::File(file) => ByteSource::read_at(&**file, offset, wanted),
            Self::Memory(bytes) => ByteSource::read_at(&bytes[..], offset, wanted),
        };
        read.unwrap_or(0)
    }
}

/// An open file, or a copy that stands for one.
#[derive(Clone, Debug)]
pub(crate) struct HeldFile {
    pub(crate) file: Arc<File>,
    /// Gives its room back when it is dropped.
    copied: Option<Arc<Copied>>,
}

impl HeldFile {
    pub(crate) fn of_file(file: File) -> Self {
        Self { file: Arc::new(file), copied: None }
    }

    pub(crate) fn of_copy(copied: Arc<Copied>) -> Self {
        Self { file: Arc::clone(&copied.file), copied: Some(copied) }
    }
}

/// How a copy is made again: it has to be the same.
#[derive(Clone, Debug)]
struct Recipe {
    copier: Copier,
    user: u32,
    digest: [u8; 32],
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
    held: Option<HeldFile>,
    recipe: Option<Recipe>,
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
    pub(crate) fn of_memory(bytes: Arc<[u8]>) -> Self {
        Self(Arc::new(Origin::Memory(bytes)))
    }

    /// `copier` makes copies of what a process of `user` has mapped.
    pub(super) fn of_file(
        file: HeldFile,
        place: Place,
        (copier, user): (&Copier, u32),
        counts: Arc<Reopening>,
    ) -> Self {
        let recipe = file.copied.as_ref().map(|copied| Recipe {
            copier: copier.clone(),
            user,
            digest: copied.digest,
        });
        let (held, places) = (Some(file), VecDeque::from([place]));
        let state = FileState { held, recipe, used: Instant::now(), places, counts };
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
        if let Origin::Memory(bytes) = &*self.0 {
            return Ok(ImageBytes::Memory(Arc::clone(bytes)));
        }
        let (places, recipe) = {
            let mut state = self.state().ok_or(io::ErrorKind::NotFound)?;
            state.used = Instant::now();
            if let Some(held) = &state.held {
                return Ok(ImageBytes::File(Arc::clone(&held.file)));
            }
            (state.places.clone(), state.recipe.clone())
        };
        // Without the lock, which the driver takes.
        let held = recipe.map_or_else(|| reopen(&places), |recipe| copy_again(&places, &recipe));
        let mut state = self.state().ok_or(io::ErrorKind::NotFound)?;
        let counts = &state.counts;
        let count = if held.is_some() { &counts.reopened } else { &counts.unreachable };
        count.fetch_add(1, Ordering::Relaxed);
        let held = held.ok_or(io::ErrorKind::NotFound)?;
        let file = Arc::clone(&state.held.get_or_insert(held).file);
        Ok(ImageBytes::File(file))
    }

    /// Keeps the file at hand a while longer, if it is.
    pub(crate) fn keep(&self) {
        if let Some(mut state) = self.state() {
            state.used = Instant::now();
        }
    }

    /// A process maps the file, or one with the same contents; `file` is that.
    pub(super) fn add_place(&self, place: Place, file: Option<HeldFile>) {
        let Some(mut state) = self.state() else { return };
        state.used = Instant::now();
        if state.held.is_none() {
            state.held = file;
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

    /// Bytes of memory that a copy takes; 0 of a file.
    pub(super) fn copied_bytes(&self) -> u64 {
        let copied = self.state().and_then(|state| state.held.as_ref()?.copied.clone());
        copied.map_or(0, |copied| copied.bytes())
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
fn reopen(places: &VecDeque<Place>) -> Option<HeldFile> {
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
        through_process().or_else(by_path).map(HeldFile::of_file)
    })
}

/// Of any process that has it still: its contents tell whether it is the same.
fn copy_again(places: &VecDeque<Place>, recipe: &Recipe) -> Option<HeldFile> {
    let procfs = ProcFs::system();
    places.iter().rev().find_map(|place| {
        let process = procfs.process(Pid(place.pid)).ok()?;
        let copied = recipe.copier.copy(&process, recipe.user, &place.mapping)?;
        (copied.digest == recipe.digest).then(|| HeldFile::of_copy(copied))
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
        let file = HeldFile::of_file(file);
        let copier = Copier::default();
        (ImageSource::of_file(file, place, (&copier, 0), Arc::clone(&counts)), counts)
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
    fn a_copy_gives_its_room_back_and_is_made_again_while_a_process_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let (running, mapping) = Running::start(&program(folder.path()));
        let (pid, copier) = (running.0.id(), Copier::default());
        let process = ProcFs::system().process(Pid(pid)).unwrap();
        let made = copier.copy(&process, 7, &mapping).unwrap();
        let identity = FileIdentity::of_copy(&mapping, 7, &made);
        let place = Place { identity, pid, mapping };
        let counts = Arc::<Reopening>::default();
        let file = HeldFile::of_copy(made);
        let source = ImageSource::of_file(file, place, (&copier, 7), Arc::clone(&counts));
        assert_eq!(source.copied_bytes(), copier.counts().bytes);
        assert!(source.copied_bytes() > 0);
        assert!(!source.let_go(soon(), false));
        assert_eq!((source.copied_bytes(), copier.counts().bytes), (0, 0));
        assert!(source.open().is_ok());
        assert!(copier.counts().bytes > 0);
        source.let_go(soon(), false);
        drop(running);
        assert!(source.open().is_err());
        assert_eq!((counted(&counts), copier.counts().bytes), ((1, 1), 0));
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
