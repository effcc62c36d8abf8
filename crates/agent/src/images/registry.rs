//! Which file is which image. A file is known again by device, inode, size and times of change, never by its path
//! alone; two files with one build id are one image.

use std::{
    collections::HashMap,
    fs::File,
    os::unix::fs::MetadataExt,
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    time::Duration,
};

use infrared_bpf::{
    ImageTable, TableError,
    abi::{IR_IMAGE_FIRST, IR_IMAGE_PENDING, IR_IMAGE_UNREADABLE},
};
use infrared_processes::image::{ElfClass, LoadSegments};

use super::{
    ImageId,
    worker::{self, Finished, GoImage, ImageBytes, Job},
};
use crate::{health::Health, pipeline::Tables, watch::ImageRef};

/// The largest executables take seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// Files that are with the reading thread at most: the others wait here, where the smallest goes first. A small
/// program is then not kept waiting by a large one.
const QUEUE: usize = 1;
/// Images that are known at most: each holds a file open.
const MAX_IMAGES: usize = 8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageState {
    /// Not read yet.
    Pending,
    /// Read; its table, if it has one, is in the kernel.
    Ready,
    /// Read, but its table was evicted.
    Evicted,
    /// Read, but its table does not fit.
    Refused,
    /// Not an image that we understand.
    Unreadable,
    /// The same contents as another image.
    SameAs(ImageId),
}

/// An executable or library.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) state: ImageState,
    pub(crate) bytes: ImageBytes,
    /// As the first process saw it.
    pub(crate) path: Arc<str>,
    /// `/proc/PID/root` of the first process, where separate debug files are looked for first.
    pub(crate) root: Arc<str>,
    /// Lower-case hex; empty if it has none.
    pub(crate) build_id: Arc<str>,
    pub(crate) segments: LoadSegments,
    pub(crate) go: Option<GoImage>,
    pub(crate) is_32_bit: bool,
}

/// What tells a file from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FileIdentity {
    device: u64,
    inode: u64,
    size: u64,
    modified_ns: (i64, i64),
    changed_ns: (i64, i64),
}

impl FileIdentity {
    fn of(file: &File) -> std::io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified_ns: (meta.mtime(), meta.mtime_nsec()),
            changed_ns: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

/// All images.
#[derive(Debug)]
pub(crate) struct ImageRegistry {
    images: HashMap<ImageId, Image>,
    by_file: HashMap<FileIdentity, ImageId>,
    by_build_id: HashMap<Arc<str>, ImageId>,
    vdso: Option<ImageId>,
    next: u32,
    /// Bytes and number of the images that are still to be read.
    waiting: Vec<(u64, ImageId)>,
    jobs: SyncSender<Job>,
    results: Receiver<Finished>,
    /// Images that were refused for the limit.
    pub(crate) refused: u64,
}

impl ImageRegistry {
    /// Starts the reading thread.
    pub(crate) fn start(health: &Health, vdso: Option<Vec<u8>>) -> std::io::Result<Self> {
        let (jobs, job_receiver) = mpsc::sync_channel(QUEUE);
        let (result_sender, results) = mpsc::sync_channel(QUEUE);
        health.spawn("ir-images", PATIENCE, move |pulse| {
            crate::priority::hurry();
            worker::run(&job_receiver, &result_sender, pulse);
        })?;
        let mut registry = Self {
            images: HashMap::new(),
            by_file: HashMap::new(),
            by_build_id: HashMap::new(),
            vdso: None,
            next: IR_IMAGE_FIRST,
            waiting: Vec::new(),
            jobs,
            results,
            refused: 0,
        };
        if let Some(bytes) = vdso {
            registry.vdso = registry.add(ImageBytes::Memory(bytes.into()), "[vdso]", "");
        }
        Ok(registry)
    }

    /// The image itself, followed to the one that has its contents.
    pub(crate) fn canonical(&self, id: ImageId) -> ImageId {
        match self.images.get(&id).map(|image| image.state) {
            Some(ImageState::SameAs(other)) => other,
            _ => id,
        }
    }

    pub(crate) fn get(&self, id: ImageId) -> Option<&Image> {
        self.images.get(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.images.len()
    }

    /// What stands for an image in a mapping of the kernel side.
    pub(crate) fn kernel_number(&self, id: ImageId) -> u32 {
        match self.images.get(&id).map(|image| image.state) {
            // The kernel misses an evicted table when it needs it, and says so.
            Some(ImageState::Ready | ImageState::Evicted) => id.0,
            Some(ImageState::Pending) => IR_IMAGE_PENDING,
            _ => IR_IMAGE_UNREADABLE,
        }
    }

    /// Whether some image is still to be read.
    pub(crate) fn is_busy(&self) -> bool {
        !self.waiting.is_empty()
            || self.images.values().any(|image| image.state == ImageState::Pending)
    }

    /// The image of an open file, begun to be read if it is new. `None` if there are too many images.
    pub(crate) fn of_file(&mut self, file: File, path: &str, root: &str) -> Option<ImageId> {
        let identity = FileIdentity::of(&file).ok()?;
        if let Some(id) = self.by_file.get(&identity) {
            return Some(self.canonical(*id));
        }
        let id = self.add(ImageBytes::File(Arc::new(file)), path, root)?;
        self.by_file.insert(identity, id);
        Some(id)
    }

    /// The vDSO, which is the same in every 64-bit process of the running kernel.
    pub(crate) fn vdso(&self) -> ImageRef {
        self.vdso.map_or(ImageRef::Unreadable, |image| ImageRef::Known { image, bias: None })
    }

    fn add(&mut self, bytes: ImageBytes, path: &str, root: &str) -> Option<ImageId> {
        if self.images.len() >= MAX_IMAGES {
            self.refused += 1;
            return None;
        }
        let id = ImageId(self.next);
        self.next += 1;
        let image = Image {
            state: ImageState::Pending,
            bytes,
            path: path.into(),
            root: root.into(),
            build_id: "".into(),
            segments: LoadSegments::default(),
            go: None,
            is_32_bit: false,
        };
        self.waiting.push((image.bytes.length(), id));
        self.images.insert(id, image);
        self.send_waiting();
        Some(id)
    }

    fn send_waiting(&mut self) {
        while let Some((position, id)) = self.smallest_waiting() {
            let Some(image) = self.images.get(&id) else { return };
            match self.jobs.try_send(Job { image: id, bytes: image.bytes.clone() }) {
                Ok(()) => {
                    self.waiting.swap_remove(position);
                }
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return,
            }
        }
    }

    fn smallest_waiting(&self) -> Option<(usize, ImageId)> {
        self.waiting
            .iter()
            .enumerate()
            .min_by_key(|(_, (size, _))| *size)
            .map(|(position, (_, id))| (position, *id))
    }

    /// Reads an image's table again, which was evicted.
    pub(crate) fn reload(&mut self, id: ImageId) {
        if let Some(image) = self.images.get_mut(&id)
            && image.state == ImageState::Evicted
        {
            image.state = ImageState::Pending;
            self.waiting.push((image.bytes.length(), id));
            self.send_waiting();
        }
    }

    /// Takes in what was read since, and loads the tables. Returns the images that changed.
    pub(crate) fn settle(&mut self, tables: &mut dyn Tables) -> Vec<ImageId> {
        let mut changed = Vec::new();
        while let Ok(finished) = self.results.try_recv() {
            changed.push(finished.image);
            changed.extend(self.finish(finished, tables));
        }
        self.send_waiting();
        changed
    }

    fn finish(&mut self, finished: Finished, tables: &mut dyn Tables) -> Vec<ImageId> {
        let id = finished.image;
        let Some(image) = self.images.get_mut(&id) else { return Vec::new() };
        let Some(headers) = finished.headers else {
            image.state = ImageState::Unreadable;
            return Vec::new();
        };
        image.build_id =
            headers.build_id.as_ref().map(ToString::to_string).unwrap_or_default().into();
        image.segments = headers.segments;
        image.is_32_bit = headers.class == ElfClass::Bits32;
        if !image.build_id.is_empty() {
            let (build_id, segments) = (Arc::clone(&image.build_id), image.segments.clone());
            let first = *self.by_build_id.entry(build_id).or_insert(id);
            // A build id can be forged; one that names another layout is not believed.
            if first != id
                && self.images.get(&first).is_some_and(|other| other.segments == segments)
            {
                self.set_state(id, ImageState::SameAs(first));
                return Vec::new();
            }
        }
        let Some(table) = finished.table else {
            self.set_state(id, ImageState::Unreadable);
            return Vec::new();
        };
        let Some(image) = self.images.get_mut(&id) else { return Vec::new() };
        image.go = table.go;
        image.state = ImageState::Ready;
        let rows = ImageTable { pages: &table.pages, rows: &table.rows, rules: &table.rules };
        let evicted = match tables.load(id.0, rows) {
            Ok(evicted) => evicted,
            Err(error) => {
                self.refuse(id, &error);
                return Vec::new();
            }
        };
        let evicted: Vec<ImageId> = evicted.into_iter().map(ImageId).collect();
        for gone in &evicted {
            self.set_state(*gone, ImageState::Evicted);
        }
        evicted
    }

    fn set_state(&mut self, id: ImageId, state: ImageState) {
        if let Some(image) = self.images.get_mut(&id) {
            image.state = state;
        }
    }

    fn refuse(&mut self, id: ImageId, error: &TableError) {
        let Some(image) = self.images.get_mut(&id) else { return };
        tracing::warn!(path = %image.path, %error, "cannot load an unwind table");
        image.state = ImageState::Refused;
    }
}
