//! Which file is which image. A file is known again by device, inode, size and times of change, never by its path
//! alone; files whose contents were seen to be equal are one image.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use infrared_bpf::{
    PageKey, PageTable,
    abi::{IR_IMAGE_FIRST, IR_IMAGE_PENDING, IR_IMAGE_UNREADABLE},
};
use infrared_processes::{
    image::{ElfClass, LoadSegments},
    maps::Mapping,
};

use super::{
    HeldFile, ImageCounts, ImageId, ImageSource,
    crowd::{self, Member},
    identity::FileIdentity,
    source::{Place, Reopening},
    waiting::Waiting,
    wanted::Wanted,
    worker::{self, Finished, GoImage, Job, Outcome, Page, ReadImage, Task},
};
use crate::{copies::Copier, health::Health, pipeline::Tables, watch::ImageRef};

/// The largest executables take seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// Jobs that are with the reading thread at most: the others wait here.
const QUEUE: usize = 16;
/// Images that are known at most.
const MAX_IMAGES: usize = 8192;
/// When there are so many, so many make room at once.
const EVICTED: usize = MAX_IMAGES / 16;
/// Files that are held open at most.
const MAX_OPEN: usize = 1024;
/// A page that could not be made is tried again after so long.
const TRY_AGAIN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageState {
    /// Not read yet: nothing is known but the file.
    Pending,
    /// Read. Pages of its table are made when they are wanted.
    Ready,
    /// Not an image that we understand.
    Unreadable,
    /// The same contents as another image.
    SameAs(ImageId),
}

/// An executable or library.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) state: ImageState,
    pub(crate) source: ImageSource,
    /// As the first process saw it.
    pub(crate) path: Arc<str>,
    /// `/proc/PID/root` of the first process, where separate debug files are looked for first.
    pub(crate) root: Arc<str>,
    /// Lower-case hex; empty if it has none. Anybody can write any: it is no identity.
    pub(crate) build_id: Arc<str>,
    pub(crate) segments: LoadSegments,
    pub(crate) go: Option<GoImage>,
    pub(crate) is_32_bit: bool,
}

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

/// What has changed since the last look.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Images that were read.
    pub(crate) images: Vec<ImageId>,
    /// Pages were loaded, or are known not to be.
    pub(crate) pages: bool,
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
            go: None,
            is_32_bit: false,
        };
        self.waiting.add(id, user, image.source.length());
        let entry = Entry { image, identity, user, used: Cell::new(0) };
        self.touch(&entry);
        self.images.insert(id, entry);
        self.send();
        id
    }

    /// Takes out the images that others can best do without.
    fn make_room(&mut self) {
        let members = self.images.iter().map(|(image, entry)| Member {
            image: *image,
            user: entry.user,
            used: entry.used.get(),
        });
        for id in crowd::to_evict(members, EVICTED) {
            let Some(entry) = self.images.remove(&id) else { continue };
            if let Some(identity) =
                entry.identity.filter(|file| self.by_file.get(file) == Some(&id))
            {
                self.by_file.remove(&identity);
            }
            entry.image.source.let_go(Instant::now(), true);
            self.wanted.forget(id.0);
            self.gone.0.push(id);
            self.gone.1.push(id);
            self.counts.evicted += 1;
        }
        self.waiting.retain(|id| self.images.contains_key(&id));
    }

    /// `false`: it is unknown, or made room for others.
    pub(crate) fn contains(&self, id: ImageId) -> bool {
        self.images.contains_key(&id)
    }

    /// A walk came upon an image that is still to be read: it is next.
    pub(crate) fn hurry(&mut self, id: ImageId) {
        self.waiting.hurry(id);
    }

    /// Has a page made that a walk lacks, if its image is known.
    pub(crate) fn want(&mut self, key: PageKey, tables: &dyn Tables) {
        let Some(entry) = self.images.get(&ImageId(key.image)) else { return };
        if !tables.contains(key) {
            self.touch(entry);
            self.wanted.add(key);
            self.send();
        }
    }

    /// Gives the reading thread what it can take: files that are to be read and wanted pages take turns.
    fn send(&mut self) {
        while self.in_flight < QUEUE {
            let pages = self.wanted.next().filter(|_| !self.pages_last || self.waiting.is_empty());
            let (image, is_read) = match (pages, self.waiting.next()) {
                (Some(image), _) => (ImageId(image), false),
                (None, Some(id)) => (id, true),
                (None, None) => return,
            };
            let source = self.images.get(&image).map(|entry| entry.image.source.clone());
            let Some(source) = source else {
                self.wanted.forget(image.0);
                self.waiting.remove(image);
                continue;
            };
            let what = if is_read { Task::Read } else { Task::Make(self.wanted.take(image.0)) };
            let gone = std::mem::take(&mut self.gone.1);
            match self.jobs.try_send(Job { image, source, what, gone }) {
                Ok(()) => {}
                Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
                    self.take_back(job);
                    return;
                }
            }
            self.in_flight += 1;
            self.pages_last = !is_read;
            if is_read {
                self.waiting.remove(image);
            }
        }
    }

    /// A job that the reading thread could not take now.
    fn take_back(&mut self, job: Job) {
        self.gone.1 = job.gone;
        if let Task::Make(pages) = job.what {
            for page in pages {
                let key = PageKey { image: job.image.0, page };
                self.wanted.done(key);
                self.wanted.add(key);
            }
        }
    }

    /// Takes in what was read since, and loads pages.
    pub(crate) fn settle(&mut self, tables: &mut dyn Tables) -> Settled {
        for id in self.gone.0.drain(..) {
            tables.remove_image(id.0);
        }
        let mut settled = Settled::default();
        while let Ok(Finished { image, result }) = self.results.try_recv() {
            self.in_flight = self.in_flight.saturating_sub(1);
            match result {
                Outcome::Read(read) => {
                    settled.images.push(image);
                    self.finish_read(image, *read, tables);
                }
                Outcome::NoImage => {
                    settled.images.push(image);
                    self.set_state(image, ImageState::Unreadable);
                }
                Outcome::Made(pages) => {
                    settled.pages = true;
                    self.load(image, pages, tables);
                }
                Outcome::Unmade(pages) => {
                    settled.pages = true;
                    self.leave_out(image, &pages, tables);
                }
                Outcome::Panicked(pages) => {
                    settled.images.push(image);
                    settled.pages |= !pages.is_empty();
                    self.counts.reader_panics += 1;
                    self.leave_out(image, &pages, tables);
                    self.set_state(image, ImageState::Unreadable);
                }
            }
        }
        self.send();
        settled
    }

    fn finish_read(&mut self, id: ImageId, read: ReadImage, tables: &mut dyn Tables) {
        let same_as = read.same_as.filter(|other| self.images.contains_key(other));
        let Some(entry) = self.images.get_mut(&id) else { return };
        let (image, headers) = (&mut entry.image, read.headers);
        let build_id = headers.build_id.as_ref().map(ToString::to_string).unwrap_or_default();
        image.build_id = build_id.into();
        image.segments = headers.segments;
        image.is_32_bit = headers.class == ElfClass::Bits32;
        image.go = read.go;
        image.state = match same_as {
            Some(other) => ImageState::SameAs(other),
            // What was the same when it was read, and is gone, is planned when it is needed.
            None if read.is_planned || read.same_as.is_some() => ImageState::Ready,
            None => ImageState::Unreadable,
        };
        if let Some(other) = same_as {
            let place = image.source.place();
            image.source.let_go(Instant::now(), true);
            if let (Some(place), Some(other)) = (place, self.get(other)) {
                other.source.add_place(place, None);
            }
        }
        self.load(id, read.pages, tables);
    }

    fn load(&mut self, id: ImageId, pages: Vec<Page>, tables: &mut dyn Tables) {
        if let Err(error) = tables.make_room(pages.iter().map(|page| page.rows.len()).sum()) {
            tracing::warn!(%error, "no room was made for pages of an unwind table");
        }
        for page in pages {
            let key = PageKey { image: id.0, page: page.number };
            self.wanted.done(key);
            if !self.images.contains_key(&id) {
                continue;
            }
            self.counts.pages_made += 1;
            let table = PageTable { rows: &page.rows, rules: &page.rules };
            if let Err(error) = tables.insert(key, table) {
                self.counts.pages_refused += 1;
                tracing::warn!(?key, %error, "cannot load a page of an unwind table");
            }
        }
    }

    /// Says of pages that they cannot be had, for a while.
    fn leave_out(&mut self, id: ImageId, pages: &[u32], tables: &mut dyn Tables) {
        for page in pages {
            let key = PageKey { image: id.0, page: *page };
            self.wanted.done(key);
            if !self.images.contains_key(&id) {
                continue;
            }
            self.counts.pages_unreadable += 1;
            self.unreadable.push((Instant::now(), key));
            if let Err(error) = tables.insert_unreadable(key) {
                tracing::warn!(?key, %error, "cannot say of a page that it is unreadable");
            }
        }
    }

    /// The file of an image is within reach again: pages that could not be made are tried soon.
    fn try_again(&mut self, id: ImageId) {
        let Some(long_ago) = Instant::now().checked_sub(TRY_AGAIN) else { return };
        for (since, _) in self.unreadable.iter_mut().filter(|(_, key)| key.image == id.0) {
            *since = long_ago;
        }
    }

    /// Once a second: lets go of files that nobody uses, and of what was said of pages a while ago.
    pub(crate) fn keep_house(&mut self, tables: &mut dyn Tables, now: Instant) {
        self.close_files(now);
        self.unreadable.retain(|(since, key)| {
            let stays = now.duration_since(*since) < TRY_AGAIN;
            if !stays {
                tables.remove_page(*key);
            }
            stays
        });
    }

    fn close_files(&mut self, now: Instant) {
        let mut held: Vec<&Entry> =
            (self.images.values()).filter(|entry| entry.image.source.let_go(now, false)).collect();
        if held.len() >= MAX_OPEN {
            held.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.used.get()));
            for entry in held.drain(MAX_OPEN / 2..) {
                entry.image.source.let_go(now, true);
            }
        }
        if self.copier.is_crowded() {
            held.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.used.get()));
            let copies = held.iter().filter(|entry| entry.image.source.copied_bytes() > 0);
            let copies: Vec<&&Entry> = copies.collect();
            for entry in copies.iter().skip(copies.len() / 2) {
                entry.image.source.let_go(now, true);
            }
        }
        self.counts.open_files = held.len();
        self.opened = held.len();
    }

    fn set_state(&mut self, id: ImageId, state: ImageState) {
        if let Some(entry) = self.images.get_mut(&id) {
            entry.image.state = state;
        }
    }
}

/// Pages that are made before those that want them are tried: what comes at once takes half of the room for tables at most,
/// or pages would make room for each other before any walk has used them.
fn pages_at_once(table_bytes: usize) -> usize {
    /// Of code that is described densely.
    const BYTES_OF_PAGE: usize = 4096;
    (table_bytes / 2 / BYTES_OF_PAGE).clamp(32, 16_384)
}
