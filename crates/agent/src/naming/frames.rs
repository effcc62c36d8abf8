//! From frames of the kernel side to locations with names.

use std::{collections::HashMap, io, path::PathBuf};

use infrared_bpf::{
    UserStack,
    abi::{IR_FRAME_LOW_CONFIDENCE, IR_IMAGE_FIRST, ir_frame},
};
use infrared_profile::{Builder, FrameKind, Location, LocationId};
use infrared_symbolize::{DebugSearch, ImageId, JitProcess, Limits, Open, Symbolized, Symbolizer};

use super::{
    jit::JitNames,
    kernel::{Guest, KernelNames},
    losses::Told,
    runtimes::{run_by_interpreters, runtime_location},
};
use crate::{
    images::{Image, ImageBytes, ImageSource},
    losses::Loss,
    watch::ImageRef,
    window::{ClosedWindow, ProcessRef, SampleKey},
};

/// Names frames; keeps what it has learnt between windows.
pub(crate) struct FrameNamer {
    symbolizer: Symbolizer,
    told: Told,
    kernel: KernelNames,
    jit: JitNames,
}

/// A place in an image: its number, and a stated address in it.
type Place = (u32, u64);

/// The names of one window, and the locations that its profile has of them so far.
#[derive(Default)]
pub(super) struct WindowNames {
    named: HashMap<Place, Symbolized>,
    /// By place, low confidence, and whether it is an interpreter's there.
    user: HashMap<(Place, bool, bool), LocationId>,
    /// By the address to look up, and what stood there.
    kernel: HashMap<(u64, Guest), LocationId>,
}

impl FrameNamer {
    pub(crate) fn new(budget_bytes: usize) -> Self {
        let limits = Limits {
            result_bytes: budget_bytes / 3,
            index_bytes: budget_bytes / 3,
            packed_bytes: budget_bytes / 4,
            ..Limits::default()
        };
        Self {
            symbolizer: Symbolizer::new(limits),
            told: Told::default(),
            kernel: KernelNames::new(),
            jit: JitNames::new(),
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let masked = "the kernel hides its addresses (kptr_restrict, or CAP_SYSLOG is missing): kernel functions have no names";
        self.kernel.is_masked().then(|| masked.to_owned()).into_iter().collect()
    }

    /// What could not be had since this was asked last.
    pub(super) fn take_losses(&mut self) -> Vec<(Loss, u64)> {
        self.told.news(self.symbolizer.stats(), self.jit.take_losses())
    }

    /// Names every place of the window, an image at a time.
    pub(super) fn name_window(&mut self, window: &ClosedWindow) -> WindowNames {
        self.refresh_perf_maps(window);
        self.kernel.follow(window);
        let mut by_image: HashMap<u32, Vec<u64>> = HashMap::new();
        for (key, _) in window.all_samples() {
            let Some(stack) = window.user_stack(key.user_stack) else { continue };
            let process = window.processes.get(key.process as usize);
            for (image, svma) in stack.frames.iter().filter_map(|frame| place(frame, process)) {
                by_image.entry(image).or_default().push(svma);
            }
        }
        let mut named = HashMap::new();
        for (number, mut svmas) in by_image {
            svmas.sort_unstable();
            svmas.dedup();
            let Some(image) = window.images.get(number) else { continue };
            let found = self.symbolize(number, image, &svmas);
            named.extend(svmas.into_iter().map(|svma| (number, svma)).zip(found));
        }
        WindowNames { named, user: HashMap::new(), kernel: HashMap::new() }
    }

    fn symbolize(&mut self, number: u32, image: &Image, svmas: &[u64]) -> Vec<Symbolized> {
        // Our numbers are never used twice, and one stands for one contents. A build id does not: any file can have any.
        let id = ImageId::File { device: 0, inode: number.into(), modified_ns: 0 };
        let search = DebugSearch {
            binary: PathBuf::from(&*image.path),
            root: PathBuf::from(if image.root.is_empty() { "/" } else { &image.root }),
            global: vec![PathBuf::from("/usr/lib/debug")],
            open: crate::foreign::open_below,
        };
        let open: Box<Open<'_>> = Box::new(|| open_image(&image.source));
        self.symbolizer
            .symbolize(&infrared_symbolize::Image { id: &id, open: &*open, search: &search }, svmas)
    }

    /// JIT code is named by the map that its runtime writes, if it does.
    fn refresh_perf_maps(&mut self, window: &ClosedWindow) {
        let anonymous = |(key, _): (&crate::window::SampleKey, &Vec<u64>)| {
            let stack = window.user_stack(key.user_stack)?;
            let process = window.processes.get(key.process as usize)?;
            stack.has_anonymous_code().then_some(process.seen.jit_id)
        };
        let mut processes: Vec<JitProcess> = window.all_samples().filter_map(anonymous).collect();
        processes.sort_unstable();
        processes.dedup();
        for process in processes {
            self.jit.read(process);
        }
    }

    /// Takes in what a process's perf map has got since it was read last.
    pub(crate) fn read_perf_map(&mut self, process: JitProcess) {
        self.jit.read(process);
    }

    /// Whether the addresses of a sample's stacks are of the same code at both times (`CLOCK_MONOTONIC`).
    pub(super) fn is_same_code(
        &mut self,
        window: &ClosedWindow,
        (key, process): (&SampleKey, &ProcessRef),
        (a_ns, b_ns): (u64, u64),
    ) -> bool {
        self.is_same_kernel_code(window, key, (a_ns, b_ns))
            && self.is_same_jit_code(window, (key, process), (a_ns, b_ns))
    }

    fn is_same_jit_code(
        &mut self,
        window: &ClosedWindow,
        (key, process): (&SampleKey, &ProcessRef),
        (a_ns, b_ns): (u64, u64),
    ) -> bool {
        let jit_id = process.seen.jit_id;
        if self.jit.is_settled(jit_id) {
            return true;
        }
        let Some(stack) = window.user_stack(key.user_stack) else { return true };
        stack.frames.iter().map(ir_frame::lookup_address).all(|address| {
            self.jit.name(jit_id, address, a_ns) == self.jit.name(jit_id, address, b_ns)
        })
    }

    fn is_same_kernel_code(
        &mut self,
        window: &ClosedWindow,
        key: &SampleKey,
        (a_ns, b_ns): (u64, u64),
    ) -> bool {
        let kernel = window.kernel_stack(key.kernel_stack);
        let addresses = kernel.map_or(&[][..], |stack| &stack.addresses);
        addresses.iter().enumerate().all(|(depth, address)| {
            let address = looked_up(depth, *address);
            self.kernel.guest_at(address, a_ns) == self.kernel.guest_at(address, b_ns)
        })
    }

    /// The locations of a user stack, leaf first, as things were at a time (`CLOCK_MONOTONIC`).
    pub(super) fn user_locations(
        &mut self,
        builder: &mut Builder,
        window: &ClosedWindow,
        names: &mut WindowNames,
        (stack, process): (&UserStack, &ProcessRef),
        time_ns: u64,
    ) -> Vec<LocationId> {
        let runs = run_by_interpreters(&stack.frames);
        let locate = |(depth, frame)| {
            let is_runtime = runs.get(depth).copied().unwrap_or(false);
            runtime_location(builder, frame, process)
                .or_else(|| names.user_location(builder, window, (frame, is_runtime), process))
                .unwrap_or_else(|| self.anonymous_location(builder, frame, process, time_ns))
        };
        stack.frames.iter().enumerate().map(locate).collect()
    }

    fn anonymous_location(
        &mut self,
        builder: &mut Builder,
        frame: &ir_frame,
        process: &ProcessRef,
        time_ns: u64,
    ) -> LocationId {
        let address = frame.lookup_address();
        let name = self.jit.name(process.seen.jit_id, address, time_ns);
        let mapped = process.mappings.find(address);
        let display =
            mapped.map_or_else(|| "[unmapped]".to_owned(), |code| code.mapping.display_name());
        let unnamed = name.is_none();
        let function = name.unwrap_or_else(|| {
            let offset = mapped
                .map_or(address, |code| address - code.mapping.start + code.mapping.file_offset);
            format!("{display}+0x{offset:x}")
        });
        let lines = vec![builder.line(&function, "", "", 0)];
        let module = Some(builder.module(&display, ""));
        builder.location(Location {
            kind: FrameKind::Jit,
            module,
            address,
            lines,
            low_confidence: true,
            unnamed,
        })
    }

    /// The locations of a kernel stack, leaf first, as things were at a time (`CLOCK_MONOTONIC`).
    pub(super) fn kernel_locations(
        &mut self,
        builder: &mut Builder,
        names: &mut WindowNames,
        addresses: &[u64],
        time_ns: u64,
    ) -> Vec<LocationId> {
        let mut locations = Vec::with_capacity(addresses.len());
        for (depth, address) in addresses.iter().enumerate() {
            let address = looked_up(depth, *address);
            let guest = self.kernel.guest_at(address, time_ns);
            let location = names.kernel.entry((address, guest));
            locations
                .push(*location.or_insert_with(|| self.kernel_location(builder, address, time_ns)));
        }
        if self.kernel.is_masked() {
            locations.dedup();
        }
        locations
    }

    fn kernel_location(&mut self, builder: &mut Builder, address: u64, time_ns: u64) -> LocationId {
        let name = self.kernel.name(address, time_ns);
        let lines = vec![builder.line(&name.function, "", "", 0)];
        let module = Some(builder.module(&name.module, ""));
        let unnamed = !name.is_named;
        builder.location(Location {
            kind: FrameKind::Kernel,
            module,
            address: if self.kernel.is_masked() { 0 } else { address },
            lines,
            low_confidence: false,
            unnamed,
        })
    }
}

impl WindowNames {
    /// For another profile, which has its own locations.
    pub(super) fn without_places(self) -> Self {
        Self { named: self.named, ..Self::default() }
    }

    /// The location of a frame of an image; `None` for other code.
    fn user_location(
        &mut self,
        builder: &mut Builder,
        window: &ClosedWindow,
        (frame, is_runtime): (&ir_frame, bool),
        process: &ProcessRef,
    ) -> Option<LocationId> {
        let low_confidence = frame.has(IR_FRAME_LOW_CONFIDENCE);
        let place = place(frame, Some(process))?;
        let key = (place, low_confidence, is_runtime);
        if let Some(location) = self.user.get(&key) {
            return Some(*location);
        }
        let image = window.images.get(place.0)?;
        let symbolized = self.named.get(&place)?;
        let module = Some(builder.module(&image.path, &image.build_id));
        let location = Location { module, address: place.1, low_confidence, ..Location::default() };
        let location = named_location(builder, image, symbolized, (location, is_runtime));
        self.user.insert(key, location);
        Some(location)
    }
}

fn named_location(
    builder: &mut Builder,
    image: &Image,
    symbolized: &Symbolized,
    (mut location, is_runtime): (Location, bool),
) -> LocationId {
    location.lines = symbolized
        .lines
        .iter()
        .map(|line| builder.line(&line.function, &line.system_name, &line.file, line.line))
        .collect();
    location.unnamed = symbolized.unnamed;
    let address = location.address;
    let of_runtime = || image.runtimes.iter().find_map(|runtime| runtime.frame_kind(address));
    location.kind = match &*image.path {
        "[vdso]" => FrameKind::Vdso,
        _ if is_runtime => FrameKind::Runtime,
        _ => of_runtime().unwrap_or(FrameKind::Native),
    };
    builder.location(location)
}

/// Of a kernel stack, what a frame is looked up by: all but the leaf are return addresses.
fn looked_up(depth: usize, address: u64) -> u64 {
    if depth == 0 { address } else { address.saturating_sub(1) }
}

/// The image and stated address of a frame; `None` where no image stands behind it.
fn place(frame: &ir_frame, process: Option<&ProcessRef>) -> Option<Place> {
    let address = frame.lookup_address();
    if frame.image() >= IR_IMAGE_FIRST {
        return Some((frame.image(), address));
    }
    // The kernel had no table for it, but there may be a file with names.
    match process?.mappings.find(address)?.image {
        ImageRef::Known { image, bias: Some(bias) } => Some((image.0, address.wrapping_sub(bias))),
        _ => None,
    }
}

fn open_image(source: &ImageSource) -> io::Result<Box<dyn infrared_symbolize::ReadAt>> {
    match source.open()? {
        ImageBytes::File(file) => Ok(Box::new(file.try_clone()?)),
        ImageBytes::Memory(bytes) => Ok(Box::new(bytes)),
    }
}

impl std::fmt::Debug for FrameNamer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameNamer").field("symbolizer", &self.symbolizer).finish_non_exhaustive()
    }
}

/// A thread's name as the kernel keeps it: bytes up to the first zero.
pub(crate) fn thread_name(comm: &[u8; 16]) -> String {
    let bytes = comm.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut name = String::new();
    for c in String::from_utf8_lossy(bytes).chars() {
        // A name of its owner's choosing must not break a line of text.
        if c.is_control() {
            name.extend(c.escape_default());
        } else {
            name.push(c);
        }
    }
    name
}

#[cfg(test)]
mod tests;
