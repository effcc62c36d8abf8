//! Which file is which image. A file is known again by device, inode, size and times of change, never by its path
//! alone; files whose contents were seen to be equal are one image.

mod house;
mod work;

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{self, Receiver, SyncSender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use infrared_bpf::{
    PageKey,
    abi::{IR_IMAGE_FIRST, IR_IMAGE_PENDING, IR_IMAGE_UNREADABLE},
};
use infrared_processes::{image::LoadSegments, maps::Mapping};

use super::{
    HeldFile, Image, ImageCounts, ImageId, ImageSource, ImageState,
    identity::FileIdentity,
    source::{Place, Reopening},
    waiting::Waiting,
    wanted::Wanted,
    worker::{self, Finished, Job},
};
use crate::{copies::Copier, health::Health, watch::ImageRef};

/// The largest executables take seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// Jobs that are with the reading thread at most: the others wait here.
const QUEUE: usize = 16;
/// Images that are known at most.
const MAX_IMAGES: usize = 8192;
/// Files that are held open at most.
const MAX_OPEN: usize = 1024;

#[derive(Debug)]
struct Entry {
    image: Image,
    identity: Option<FileIdentity>,
    user: u32,
    /// Larger the later it was used.
    used: Cell<u64>,
}

/// An open file that a process maps.
#[derive(Debug)]
pub(crate) struct NewFile<'m> {
    pub(crate) file: HeldFile,
    /// `None`: it cannot be told from others.
    pub(crate) identity: Option<FileIdentity>,
    pub(crate) mapping: &'m Mapping,
    pub(crate) pid: u32,
    /// Effective user of the process; nobody known of one that is gone.
    pub(crate) user: u32,
    /// As the process sees it.
    pub(crate) path: &'m str,
    /// Its `/proc/PID/root`; empty where it is gone.
    pub(crate) root: &'m str,
}

/// All images.
#[derive(Debug)]
pub(crate) struct ImageRegistry {
    images: HashMap<ImageId, Entry>,
    by_file: HashMap<FileIdentity, ImageId>,
    vdso: Option<ImageId>,
    next: u32,
    uses: Cell<u64>,
    waiting: Waiting,
    wanted: Wanted,
    /// The last job was of pages: both kinds take turns.
    pages_last: bool,
    in_flight: usize,
    /// Gone, and not yet told to the tables and to the reading thread.
    gone: (Vec<ImageId>, Vec<ImageId>),
    unreadable: Vec<(Instant, PageKey)>,
    opened: usize,
    jobs: SyncSender<Job>,
    results: Receiver<Finished>,
    reader: JoinHandle<()>,
    vdso_bytes: Option<Arc<[u8]>>,
    reopening: Arc<Reopening>,
    copier: Copier,
    counts: ImageCounts,
}

impl ImageRegistry {
    /// Starts the reading thread. There is room for `table_bytes` of rows. `vdso`: the bytes of the vDSO, which is the same in every 64-bit process of the running
    /// kernel.
    pub(crate) fn start(
        health: &Health,
        table_bytes: usize,
        vdso: Option<Vec<u8>>,
        copier: Copier,
    ) -> std::io::Result<Self> {
        let (jobs, job_receiver) = mpsc::sync_channel(QUEUE);
        let (result_sender, results) = mpsc::sync_channel(QUEUE);
        let reader = health.spawn("ir-images", PATIENCE, move |pulse| {
            crate::priority::hurry();
            worker::run(&job_receiver, &result_sender, pulse);
        })?;
        Ok(Self {
            images: HashMap::new(),
            by_file: HashMap::new(),
            vdso: None,
            next: IR_IMAGE_FIRST,
            uses: Cell::new(0),
            waiting: Waiting::default(),
            wanted: Wanted::with_limit(pages_at_once(table_bytes)),
            pages_last: false,
            in_flight: 0,
            gone: (Vec::new(), Vec::new()),
            unreadable: Vec::new(),
            opened: 0,
            jobs,
            results,
            reader,
            vdso_bytes: vdso.map(Arc::from),
            reopening: Arc::default(),
            copier,
            counts: ImageCounts::default(),
        })
    }

    /// The image itself, followed to the one that has its contents.
    pub(crate) fn canonical(&self, id: ImageId) -> ImageId {
        match self.images.get(&id).map(|entry| entry.image.state) {
            Some(ImageState::SameAs(other)) => other,
            _ => id,
        }
    }

    pub(crate) fn get(&self, id: ImageId) -> Option<&Image> {
        self.images.get(&id).map(|entry| &entry.image)
    }

    /// An image of which something is to be named soon: its file stays at hand if it is.
    pub(crate) fn get_for_names(&self, id: ImageId) -> Option<&Image> {
        let entry = self.images.get(&id)?;
        self.touch(entry);
        entry.image.source.keep();
        Some(&entry.image)
    }

    pub(crate) fn len(&self) -> usize {
        self.images.len()
    }

    pub(crate) fn counts(&self) -> ImageCounts {
        let copies = self.copier.counts();
        ImageCounts {
            copied: copies.copied,
            uncopied: copies.refused,
            unanswered: copies.unanswered,
            copied_bytes: copies.bytes,
            reopened: self.reopening.reopened.load(Ordering::Relaxed),
            unreachable: self.reopening.unreachable.load(Ordering::Relaxed),
            ..self.counts
        }
    }

    /// What stands for an image in a mapping of the kernel side.
    pub(crate) fn kernel_number(&self, id: ImageId) -> u32 {
        match self.images.get(&id).map(|entry| entry.image.state) {
            // The kernel misses its pages when it needs them, and says so; it does so too when the image is gone.
            Some(ImageState::Ready) | None => id.0,
            Some(ImageState::Pending) => IR_IMAGE_PENDING,
            _ => IR_IMAGE_UNREADABLE,
        }
    }

    /// Whether something is still to be read.
    pub(crate) fn is_busy(&self) -> bool {
        let has_work = self.in_flight > 0 || !self.waiting.is_empty() || !self.wanted.is_idle();
        has_work && !self.reader.is_finished()
    }

    fn touch(&self, entry: &Entry) {
        self.uses.set(self.uses.get() + 1);
        entry.used.set(self.uses.get());
    }

    /// The image of an open file, begun to be read if it is new. `None` if the file cannot be told from others.
    pub(crate) fn of_file(&mut self, new: NewFile<'_>) -> Option<ImageId> {
        let Some(identity) = new.identity else {
            self.counts.refused += 1;
            return None;
        };
        let place = Place { identity, pid: new.pid, mapping: new.mapping.clone() };
        self.opened += 1;
        if self.opened >= MAX_OPEN {
            self.close_files(Instant::now());
        }
        if let Some(alias) = self.by_file.get(&identity).copied() {
            let id = self.canonical(alias);
            if let Some(entry) = self.images.get(&id) {
                self.touch(entry);
                self.images.get(&alias).into_iter().for_each(|entry| self.touch(entry));
                entry.image.source.add_place(place, Some(new.file));
                self.try_again(id);
                return Some(id);
            }
        }
        let copies = (&self.copier, new.user);
        let source = ImageSource::of_file(new.file, place, copies, Arc::clone(&self.reopening));
        let id = self.add(source, (new.path, new.root), new.user, Some(identity));
        self.by_file.insert(identity, id);
        Some(id)
    }

    /// The vDSO, which is the same in every 64-bit process of the running kernel.
    pub(crate) fn vdso(&mut self) -> ImageRef {
        if let Some(bytes) = &self.vdso_bytes
            && self.vdso.is_none_or(|id| !self.images.contains_key(&id))
        {
            let source = ImageSource::of_memory(Arc::clone(bytes));
            self.vdso = Some(self.add(source, ("[vdso]", ""), 0, None));
        }
        self.vdso.map_or(ImageRef::Unreadable, |image| ImageRef::Known { image, bias: None })
    }

    fn add(
        &mut self,
        source: ImageSource,
        (path, root): (&str, &str),
        user: u32,
        identity: Option<FileIdentity>,
    ) -> ImageId {
        if self.images.len() >= MAX_IMAGES {
            self.make_room();
        }
        let id = ImageId(self.next);
        self.next += 1;
        let image = Image {
            state: ImageState::Pending,
            source,
            path: path.into(),
            root: root.into(),
            build_id: "".into(),
            segments: LoadSegments::default(),
            runtimes: Vec::new(),
            is_32_bit: false,
        };
        self.waiting.add(id, user, image.source.length());
        let entry = Entry { image, identity, user, used: Cell::new(0) };
        self.touch(&entry);
        self.images.insert(id, entry);
        self.send();
        id
    }

    /// `false`: it is unknown, or made room for others.
    pub(crate) fn contains(&self, id: ImageId) -> bool {
        self.images.contains_key(&id)
    }
}

/// Pages that are made before those that want them are tried: what comes at once takes half of the room for tables at most,
/// or pages would make room for each other before any walk has used them.
fn pages_at_once(table_bytes: usize) -> usize {
    /// Of code that is described densely.
    const BYTES_OF_PAGE: usize = 4096;
    (table_bytes / 2 / BYTES_OF_PAGE).clamp(32, 16_384)
}
