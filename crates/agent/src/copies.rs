//! Images that are copied from the memory of their processes: their files cannot be read, or a process serves them, which need
//! not answer.
//!
//! All copies together have room for so many bytes, those being made included: a copy takes its room before its bytes. What a
//! process has not in memory itself comes from whoever serves its file, and may never come: it is fetched on a thread that is
//! left behind then, and keeps its room. As long as it waits, nothing more is fetched of that file system. Such threads have no
//! pulse: that one is stuck is no defect, and is counted.

use std::{
    collections::HashMap,
    fs::File,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::sync_channel,
    },
    thread,
    time::Duration,
};

use infrared_processes::{
    Pid, ProcFs, ProcessDir,
    image::{Absent, ImageError, MemoryCopy, copy_from_memory},
    maps::{Device, Mapping},
};

/// Bytes of all copies, those that are held and those that are being made.
const MAX_BYTES: u64 = 128 << 20;
/// Of them, for what is fetched: who never answers has the room for ever, and must not have that of others.
const FETCHED_BYTES: u64 = MAX_BYTES / 2;
/// Bytes of one.
const MAX_IMAGE_BYTES: u64 = 64 << 20;
/// What takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Threads that fetch, and those of them that wait for file systems of one user's processes.
const MAX_THREADS: usize = 8;
const MAX_THREADS_OF_USER: usize = 4;

/// Makes copies. Clones share the room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copier(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    taken: AtomicU64,
    fetches: Mutex<Fetches>,
    copied: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
}

/// What became of copies, since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CopyCounts {
    pub(crate) copied: u64,
    pub(crate) refused: u64,
    pub(crate) unanswered: u64,
    /// Bytes that are held now.
    pub(crate) bytes: u64,
}

/// A copy, and its part of the room until it is dropped.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) file: Arc<File>,
    /// Bytes of the image, holes included.
    pub(crate) length: u64,
    /// Of what tells it from other images.
    pub(crate) digest: [u8; 32],
    room: Room,
}

/// Bytes that are taken until it is dropped.
#[derive(Debug)]
struct Room {
    bytes: u64,
    shared: Arc<Shared>,
}

impl Room {
    /// For one copy, if with it no more than `most` are taken. Looks and takes in one step: others do so at the same time.
    fn take(shared: &Arc<Shared>, bytes: u64, most: u64) -> Option<Self> {
        if bytes > MAX_IMAGE_BYTES {
            return None;
        }
        let with_it = |taken: u64| taken.checked_add(bytes).filter(|sum| *sum <= most);
        shared.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_it).ok()?;
        Some(Self { bytes, shared: Arc::clone(shared) })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shared.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Copied {
    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.room.bytes
    }
}

impl Copier {
    /// Copies the image that a process of `user` has mapped. Takes a second at most, and a copy's time. Not for the driver.
    pub(crate) fn copy(
        &self,
        process: &ProcessDir,
        user: u32,
        mapping: &Mapping,
    ) -> Option<Arc<Copied>> {
        let reserve = |bytes| Room::take(&self.0, bytes, MAX_BYTES);
        let copy = match copy_from_memory(process, mapping, Absent::Refuse, reserve) {
            Err(error) if is_absent(&error) => self.fetch(process.pid(), user, mapping),
            copy => {
                copy.inspect_err(|error| tracing::debug!(%error, "no copy of a mapped file")).ok()
            }
        };
        let count = if copy.is_some() { &self.0.copied } else { &self.0.refused };
        count.fetch_add(1, Ordering::Relaxed);
        let MemoryCopy { file, length, room, digest } = copy?;
        Some(Arc::new(Copied { file: Arc::new(file), length, digest, room }))
    }

    pub(crate) fn counts(&self) -> CopyCounts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CopyCounts {
            copied: of(&self.0.copied),
            refused: of(&self.0.refused),
            unanswered: of(&self.0.unanswered),
            bytes: of(&self.0.taken),
        }
    }

    /// There is so little room that copies that are not needed should make some.
    pub(crate) fn is_crowded(&self) -> bool {
        self.0.taken.load(Ordering::Relaxed) > MAX_BYTES / 2
    }

    fn fetch(&self, pid: Pid, user: u32, mapping: &Mapping) -> Option<MemoryCopy<Room>> {
        let number = self.0.fetches().begin(mapping.device, user)?;
        let underway = Underway { number, shared: Arc::clone(&self.0) };
        let (sender, receiver) = sync_channel(1);
        let (mapping, shared) = (mapping.clone(), Arc::clone(&self.0));
        let fetch = move || {
            let reserve = |bytes| Room::take(&shared, bytes, FETCHED_BYTES);
            let process = ProcFs::system().process(pid).ok();
            let copy = process.and_then(|process| {
                copy_from_memory(&process, &mapping, Absent::Fetch, reserve).ok()
            });
            drop(underway);
            // Nobody waits for it any more if this fails.
            sender.send(copy).unwrap_or_default();
        };
        let spawned = thread::Builder::new().name("ir-copier".into()).spawn(fetch);
        if let Err(error) = spawned {
            tracing::warn!(%error, "cannot start a thread that copies");
            return None;
        }
        receiver.recv_timeout(PATIENCE).ok().flatten().or_else(|| {
            if self.0.fetches().give_up(number) {
                self.0.unanswered.fetch_add(1, Ordering::Relaxed);
            }
            None
        })
    }
}

fn is_absent(error: &ImageError) -> bool {
    matches!(error, ImageError::Unreachable { source, .. } if source.kind() == io::ErrorKind::WouldBlock)
}

impl Shared {
    fn fetches(&self) -> MutexGuard<'_, Fetches> {
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fetch until its thread is done with it.
struct Underway {
    number: u64,
    shared: Arc<Shared>,
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.shared.fetches().end(self.number);
    }
}

/// What is being fetched. Pure.
#[derive(Debug, Default)]
struct Fetches {
    next: u64,
    underway: HashMap<u64, Fetch>,
}

#[derive(Debug)]
struct Fetch {
    device: Device,
    user: u32,
    /// Nobody waits for it any more.
    is_late: bool,
}

impl Fetches {
    /// A number for a fetch; `None` if it is one too many.
    fn begin(&mut self, device: Device, user: u32) -> Option<u64> {
        let of_user = self.underway.values().filter(|fetch| fetch.user == user).count();
        let is_silent = |fetch: &Fetch| fetch.device == device && fetch.is_late;
        if self.underway.len() >= MAX_THREADS
            || of_user >= MAX_THREADS_OF_USER
            || self.underway.values().any(is_silent)
        {
            return None;
        }
        self.next += 1;
        self.underway.insert(self.next, Fetch { device, user, is_late: false });
        Some(self.next)
    }

    /// Nobody waits for it any more. `false` if it has just ended.
    fn give_up(&mut self, number: u64) -> bool {
        self.underway.get_mut(&number).map(|fetch| fetch.is_late = true).is_some()
    }

    fn end(&mut self, number: u64) {
        self.underway.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use infrared_processes::maps::MapLimits;

    use super::*;

    fn device(minor: u32) -> Device {
        Device { major: 0, minor }
    }

    #[test]
    fn of_a_file_system_that_does_not_answer_nothing_more_is_fetched_until_it_does() {
        let mut fetches = Fetches::default();
        let first = fetches.begin(device(1), 1000).unwrap();
        let second = fetches.begin(device(1), 1000).unwrap();
        assert!(fetches.give_up(first));
        assert_eq!(fetches.begin(device(1), 1001), None);
        assert!(fetches.begin(device(2), 1000).is_some());
        fetches.end(second);
        assert_eq!(fetches.begin(device(1), 1000), None);
        fetches.end(first);
        assert!(fetches.begin(device(1), 1000).is_some());
        assert!(!fetches.give_up(first), "it is over");
    }

    #[test]
    fn one_user_does_not_use_up_all_threads() {
        let mut fetches = Fetches::default();
        let of_one = (0..20).filter_map(|number| fetches.begin(device(number), 1000)).count();
        let of_all = (0..20).filter_map(|user| fetches.begin(device(99), user)).count();
        assert_eq!((of_one, of_all), (MAX_THREADS_OF_USER, MAX_THREADS - MAX_THREADS_OF_USER));
    }
    #[test]
    fn threads_that_copy_at_once_take_no_more_than_there_is_together_and_give_it_back() {
        const THREADS: usize = 8;
        let copier = Copier::default();
        let own = ProcFs::system().process(Pid(std::process::id())).unwrap();
        let mapped = own.executable_mappings(MapLimits::default()).unwrap().mappings;
        let is_libc = |mapping: &Mapping| mapping.display_name().starts_with("libc.so");
        let mapping = mapped.into_iter().find(is_libc).unwrap();
        // The first has all of it read in, so that none has to be fetched from then on.
        let bytes = copier.copy(&own, 0, &mapping).unwrap().bytes();
        let left = bytes * 3 / 2;
        let rest = MAX_BYTES - MAX_IMAGE_BYTES - left;
        let taken = [MAX_IMAGE_BYTES, rest].map(|bytes| Room::take(&copier.0, bytes, MAX_BYTES));
        assert!(taken.iter().all(Option::is_some));
        let begin = Barrier::new(THREADS);
        let copy = || {
            begin.wait();
            copier.copy(&own, 0, &mapping)
        };
        let made: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(copy)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!((made.len(), copier.counts().bytes), (1, MAX_BYTES - left + bytes));
        drop((made, taken));
        assert_eq!(copier.counts().bytes, 0);
    }

    #[test]
    fn what_is_fetched_leaves_room_to_others_and_no_copy_has_more_than_its_part() {
        let shared = Arc::<Shared>::default();
        let fetched = Room::take(&shared, FETCHED_BYTES, FETCHED_BYTES).unwrap();
        assert!(Room::take(&shared, 1, FETCHED_BYTES).is_none());
        assert!(Room::take(&shared, MAX_IMAGE_BYTES + 1, u64::MAX).is_none());
        let others = MAX_BYTES - FETCHED_BYTES;
        assert!(Room::take(&shared, others, MAX_BYTES).is_some_and(|room| room.bytes == others));
        drop(fetched);
        assert!(Room::take(&shared, FETCHED_BYTES, FETCHED_BYTES).is_some());
    }
}
