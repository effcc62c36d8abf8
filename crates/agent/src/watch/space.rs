//! An address space: what one process executes from one exec to the next.

use std::{collections::BTreeMap, sync::Arc};

use infrared_bpf::abi::{IR_IMAGE_FIRST, ir_frame};
use infrared_processes::maps::{Mapping, MappingKind};

use super::functions::{FunctionKey, FunctionWanted, Functions, WantedFunctions};
use super::mappings::{ImageRef, MappedCode, MappingSet};
use super::runtimes::Runtimes;
use crate::images::ImageId;

/// Who a process is, as labels of its series (all but the thread's).
pub(crate) type ProcessIdentity = BTreeMap<String, String>;

/// Names an address space for as long as the agent runs; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SpaceId(pub(crate) u64);

impl SpaceId {
    /// What stands for the address spaces of a process that are not remembered.
    pub(crate) fn forgotten(pid: u32) -> Self {
        Self(u64::MAX - u64::from(pid))
    }
}

/// How an address space came to be, and so what is known of it without reading anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was there before us.
    BeforeUs,
    /// An exec: empty at first, and events tell what is mapped.
    Exec,
    /// A copy of this one.
    ForkOf(SpaceId),
    /// Events were lost: it may be the one before or another.
    AfterLoss,
    /// Stands for several that a process left one after the other, too many to be remembered.
    Forgotten,
}

/// What the reader of `/proc` was asked of an address space, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Asked {
    #[default]
    Nothing,
    /// An answer is due; asked at this time.
    Waits(u64),
    /// The process is gone: there will be no better answer.
    Gone,
}

/// A range that got another mapping at a time; before, other code was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub(crate) time_ns: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// What was there; unresolved: this or that.
    pub(crate) was: ImageRef,
}

impl Replaced {
    /// Whether a frame that the kernel side saw is of what was there.
    pub(crate) fn held(&self, frame: &ir_frame) -> bool {
        let is_in = |address: u64| (self.start..self.end).contains(&address);
        match self.was {
            ImageRef::Known { image, bias: Some(bias) } => {
                frame.image() == image.0 && is_in(frame.address().wrapping_add(bias))
            }
            ImageRef::Unresolved => frame.image() >= IR_IMAGE_FIRST || is_in(frame.address()),
            _ => frame.image() < IR_IMAGE_FIRST && is_in(frame.address()),
        }
    }
}

/// Mappings that are kept while an answer is due; after more it is not believed, and asked for again.
const MAX_TOLD: usize = 4096;

/// Ranges that are remembered as replaced at most; more count as one range that spans all.
const MAX_REPLACED: usize = 32;

/// What the kernel side knows of an address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// When it was last told, `CLOCK_MONOTONIC`; 0: never.
    pub(crate) at_ns: u64,
    /// What it was told is out of date.
    pub(crate) is_dirty: bool,
    /// It had to forget this one for others, and is told again once it is sampled.
    pub(crate) is_evicted: bool,
    /// A return address outside all mappings is one: nothing better will be known until they change.
    pub(crate) is_settled: bool,
}

impl Told {
    const NEVER: Self = Self { at_ns: 0, is_dirty: true, is_evicted: false, is_settled: false };
}

/// An address space.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    pub(crate) id: SpaceId,
    pub(crate) origin: Origin,
    /// `CLOCK_MONOTONIC` time of the exec, fork or loss; 0 where it was before us.
    pub(crate) since_ns: u64,
    pub(crate) mappings: Arc<MappingSet>,
    /// Raised when a mapping takes the place of another: an address then means something else than before.
    pub(crate) era: u32,
    /// The mappings are known from the start on, by events or from `/proc`.
    pub(crate) is_complete: bool,
    /// `mm->start_stack`; 0 where it is not known. Another exec has another.
    pub(crate) start_stack: u64,
    pub(crate) asked: Asked,
    /// Mappings that events told since the reader was asked: they are newer than its answer. `None`: too many to be kept.
    pub(crate) told_since_asked: Option<Vec<(u64, Mapping)>>,
    /// Whom its samples belong to, and whether that name comes from what children inherit: environment, cgroup.
    pub(crate) identity: Option<Arc<ProcessIdentity>>,
    pub(crate) is_heritable: bool,
    /// What its environment at exec declares.
    pub(crate) declared_service: Option<Box<str>>,
    pub(crate) runtimes: Runtimes,
    pub(crate) functions: Arc<Functions>,
    pub(crate) wanted_functions: WantedFunctions,
    /// Path of the executable, as far as events told it.
    pub(crate) executable: Option<Box<[u8]>>,
    /// `CLOCK_MONOTONIC` time of its last sample; 0: none yet.
    pub(crate) last_sample_ns: u64,
    pub(crate) told: Told,
    replaced: Vec<Replaced>,
    /// Some mapping's image, or its place in it, may be found yet.
    pub(crate) is_unresolved: bool,
    /// Runtime addresses in mappings whose images walks came upon and nobody knows: of many mappings, these are looked at.
    come_upon: Vec<u64>,
}

/// More are come upon again.
const MAX_COME_UPON: usize = 64;

impl Space {
    pub(crate) fn begin(id: SpaceId, origin: Origin, since_ns: u64) -> Self {
        Self {
            id,
            origin,
            since_ns,
            mappings: Arc::default(),
            era: 0,
            is_complete: origin == Origin::Exec,
            start_stack: 0,
            asked: if origin == Origin::Forgotten { Asked::Gone } else { Asked::Nothing },
            told_since_asked: Some(Vec::new()),
            identity: None,
            is_heritable: false,
            declared_service: None,
            runtimes: Runtimes::default(),
            functions: Arc::default(),
            wanted_functions: WantedFunctions::default(),
            executable: None,
            last_sample_ns: 0,
            told: Told::NEVER,
            replaced: Vec::new(),
            is_unresolved: true,
            come_upon: Vec::new(),
        }
    }

    /// A walk needs the image of the mapping at a runtime address.
    pub(crate) fn come_upon(&mut self, address: u64) {
        if self.come_upon.len() < MAX_COME_UPON && !self.come_upon.contains(&address) {
            self.come_upon.push(address);
            self.is_unresolved = true;
        }
    }

    /// A frame of a runtime was seen: what it runs is to be read, unless it is known.
    pub(crate) fn see(&mut self, frame: &ir_frame) {
        let Some(key) = FunctionKey::of(frame).filter(|key| key.code != 0) else { return };
        if self.functions.is_known(key) {
            return;
        }
        let namer = self.runtimes.namers.iter().find(|namer| namer.runtime() as u32 == key.kind);
        if let Some(namer) = namer
            && self.wanted_functions.add(FunctionWanted { key, namer: namer.clone() })
        {
            Arc::make_mut(&mut self.functions).await_answer(key);
        }
    }

    /// Whether walks have come upon mappings that nobody has looked at since.
    pub(crate) fn has_come_upon(&self) -> bool {
        !self.come_upon.is_empty()
    }

    /// Takes the mappings whose files are to be opened. The vDSO has none: its image is known without.
    pub(crate) fn take_unresolved(&mut self) -> Vec<Mapping> {
        if !self.is_unresolved {
            return Vec::new();
        }
        let wanted = std::mem::take(&mut self.come_upon);
        let is_crowded = self.mappings.is_crowded();
        let is_wanted = |mapping: &Mapping| wanted.iter().any(|at| mapping.contains(*at));
        let is_open = |code: &&MappedCode| {
            code.image == ImageRef::Unresolved && code.mapping.kind != MappingKind::Vdso
        };
        let open = self.mappings.iter().filter(is_open);
        let mut open: Vec<Mapping> = open.map(|code| code.mapping.clone()).collect();
        open.retain(|mapping| !is_crowded || is_wanted(mapping));
        open
    }

    /// The copy that a forked child has. The child is another process: its pid, and perhaps its cgroup, differ.
    pub(crate) fn fork(&self, id: SpaceId, time_ns: u64) -> Self {
        Self {
            id,
            origin: Origin::ForkOf(self.id),
            since_ns: time_ns,
            asked: Asked::Nothing,
            told_since_asked: Some(Vec::new()),
            identity: None,
            last_sample_ns: 0,
            told: Told::NEVER,
            replaced: Vec::new(),
            come_upon: Vec::new(),
            ..self.clone()
        }
    }

    /// Takes in a mapping that came to be at a time.
    pub(crate) fn map(&mut self, time_ns: u64, mapping: Mapping) {
        if matches!(self.asked, Asked::Waits(_)) {
            self.told_since_asked = self.told_since_asked.take().and_then(|mut told| {
                told.push((time_ns, mapping.clone()));
                (told.len() <= MAX_TOLD).then_some(told)
            });
        }
        let is_anonymous =
            mapping.kind == MappingKind::Anonymous || mapping.kind == MappingKind::Memfd;
        let covered = Arc::make_mut(&mut self.mappings).insert(mapping);
        let covers_text = covered.iter().any(|(_, _, was)| *was != ImageRef::Anonymous);
        if is_anonymous && covers_text {
            // It may be the same code, moved to memory: only reading it tells.
            self.is_complete = false;
        }
        for (start, end, was) in covered {
            self.replace(Replaced { time_ns, start, end, was });
        }
        self.changed();
    }

    /// Its mappings are others now, as far as the kernel side is concerned.
    pub(crate) fn changed(&mut self) {
        self.told.is_dirty = true;
        self.told.is_settled = false;
        self.is_unresolved = true;
    }

    /// An image made room for others: what is mapped of it is looked for again.
    pub(crate) fn forget_image(&mut self, gone: ImageId) {
        let mut lost = Vec::new();
        for code in Arc::make_mut(&mut self.mappings).iter_mut() {
            if matches!(code.image, ImageRef::Known { image, .. } if image == gone) {
                code.image = ImageRef::Unresolved;
                lost.push(code.mapping.start);
            }
        }
        self.changed();
        for address in lost {
            self.come_upon(address);
        }
    }

    fn replace(&mut self, replaced: Replaced) {
        self.era += 1;
        if self.replaced.len() == MAX_REPLACED {
            let all = self.replaced.drain(..).reduce(|one, other| Replaced {
                time_ns: one.time_ns.min(other.time_ns),
                start: one.start.min(other.start),
                end: one.end.max(other.end),
                was: ImageRef::Unresolved,
            });
            self.replaced.extend(all);
        }
        self.replaced.push(replaced);
    }

    /// The kernel side has been told: what was replaced before is what it knows from then on.
    pub(crate) fn published(&mut self, at_ns: u64) {
        // A sample that was taken before may still be on its way.
        self.replaced.retain(|replaced| replaced.time_ns >= self.told.at_ns);
        self.told.at_ns = at_ns;
    }

    /// The ranges of which the kernel side believed at a time what was no longer so.
    pub(crate) fn stale_at(&self, time_ns: u64) -> impl Iterator<Item = &Replaced> {
        let told_ns = self.told.at_ns;
        self.replaced
            .iter()
            .filter(move |r| r.time_ns <= time_ns && (told_ns < r.time_ns || time_ns < told_ns))
    }
}
