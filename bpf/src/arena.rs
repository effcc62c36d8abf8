//! Memory shared with the kernel side that grows by slabs: an array of maps whose inner maps hold one value each.

use std::{
    cell::RefCell,
    collections::HashMap,
    marker::PhantomData,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use infrared_abi::{Pod, bytes_of};
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};
use rustix::mm::ProtFlags;

use crate::{
    error::KernelError,
    extents::{Extent, Extents},
    mapped::Mapped,
};

/// How long slabs stay at hand. A view's pages are all mapped at once, which takes 10 µs a slab or more, and count as our memory
/// as long.
const AT_HAND: Duration = Duration::from_secs(5);

/// What a kind of slab is called and how large it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlabKind {
    pub(crate) what: &'static str,
    /// Elements in a slab.
    pub(crate) size: u32,
    /// Most slabs, from the outer map and the budget.
    pub(crate) limit: u32,
}

/// Slabs of `T`, all known to the kernel through `outer`.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    kind: SlabKind,
    outer: MapHandle,
    slabs: Vec<MapHandle>,
    extents: Extents,
    /// Slabs that are at hand. Making a view costs more than most uses of it, and uses come in a row.
    views: RefCell<HashMap<u32, Mapped>>,
    let_go_at: Instant,
    element: PhantomData<T>,
}

impl<T: Pod> Arena<T> {
    pub(crate) fn new(kind: SlabKind, outer: MapHandle) -> Self {
        let extents = Extents::new(kind.size);
        let views = RefCell::default();
        let let_go_at = Instant::now();
        Self { kind, outer, slabs: Vec::new(), extents, views, let_go_at, element: PhantomData }
    }

    /// Bytes of kernel memory that the slabs take.
    pub(crate) fn slab_bytes(&self) -> usize {
        self.slabs.len() * self.kind.size as usize * size_of::<T>()
    }

    /// Elements that there can be at most.
    pub(crate) fn capacity(&self) -> usize {
        self.kind.limit as usize * self.kind.size as usize
    }

    /// Elements that are neither in use nor at rest.
    pub(crate) fn free(&self) -> usize {
        self.capacity().saturating_sub(self.extents.used() + self.extents.resting())
    }

    /// Elements in use.
    pub(crate) fn used(&self) -> usize {
        self.extents.used()
    }

    /// Bytes of elements in use.
    pub(crate) fn used_bytes(&self) -> usize {
        self.extents.used() * size_of::<T>()
    }

    /// Room for `count` elements; fails if the budget has none.
    pub(crate) fn take(&mut self, count: usize) -> Result<Extent, KernelError> {
        let full = KernelError::Full { what: self.kind.what, limit: self.kind.limit as usize };
        let Ok(count) = u32::try_from(count) else { return Err(full) };
        if count > self.kind.size {
            return Err(full);
        }
        self.extents.settle(Instant::now());
        if let Some(extent) = self.extents.take(count) {
            return Ok(extent);
        }
        if self.extents.slabs() < self.kind.limit {
            self.add_slab()?;
        } else if self.extents.has_resting() {
            self.wait_for_readers()?;
        }
        self.extents.take(count).ok_or(full)
    }

    /// Ends every quarantine at once. An update of an array of maps returns only after all programs that could still
    /// use what was there before have ended (kernel/bpf/syscall.c, `maybe_wait_bpf_programs`, since 4.20).
    pub(crate) fn wait_for_readers(&mut self) -> Result<(), KernelError> {
        let Some(slab) = self.slabs.first() else { return Ok(()) };
        self.publish(0, slab)?;
        self.extents.settle_all();
        Ok(())
    }

    /// Makes a slab known to the kernel side.
    fn publish(&self, index: u32, slab: &MapHandle) -> Result<(), KernelError> {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&slab.as_fd());
        self.outer
            .update(&index.to_ne_bytes(), &fd.to_ne_bytes(), MapFlags::ANY)
            .map_err(|source| KernelError::Map { action: "grow", map: self.kind.what, source })
    }

    pub(crate) fn release(&mut self, extent: Extent) {
        self.extents.release(extent, Instant::now());
    }

    fn add_slab(&mut self) -> Result<(), KernelError> {
        let value_size = self.kind.size * size_of::<T>() as u32;
        let opts = libbpf_sys::bpf_map_create_opts {
            sz: size_of::<libbpf_sys::bpf_map_create_opts>() as u64,
            map_flags: libbpf_sys::BPF_F_MMAPABLE,
            ..Default::default()
        };
        let what = self.kind.what;
        let slab = MapHandle::create(MapType::Array, Some("ir_slab"), 4, value_size, 1, &opts)
            .map_err(|source| KernelError::Map { action: "create", map: what, source })?;
        self.publish(self.extents.slabs(), &slab)?;
        self.slabs.push(slab);
        self.extents.add_slab();
        Ok(())
    }

    /// Writes `elements` at the start of `extent`.
    pub(crate) fn write(&self, extent: Extent, elements: &[T]) -> Result<(), KernelError> {
        debug_assert!(elements.len() <= extent.count as usize);
        let slab = self.slab(extent.slab)?;
        // SAFETY: the view covers the whole slab, the extent lies inside it, and `elements` is our own memory, which
        // cannot overlap the slab's. The kernel reads this range only after its index entry is published.
        unsafe {
            let target = slab.add(extent.first as usize);
            std::ptr::copy_nonoverlapping(elements.as_ptr(), target, elements.len());
        }
        Ok(())
    }

    /// The elements of `extent`.
    pub(crate) fn read(&self, extent: Extent) -> Result<Vec<T>, KernelError> {
        let slab = self.slab(extent.slab)?;
        // SAFETY: the view covers the whole slab and the extent lies inside it. Nobody writes to slabs but this arena, and
        // that not before the slice is copied.
        let elements = unsafe {
            std::slice::from_raw_parts(slab.add(extent.first as usize), extent.count as usize)
        };
        Ok(elements.to_vec())
    }

    /// The elements of a slab, mapped into our memory until they are let go of.
    pub(crate) fn slab(&self, slab: u32) -> Result<*mut T, KernelError> {
        let mut views = self.views.borrow_mut();
        if let Some(view) = views.get(&slab) {
            return Ok(view.start().cast());
        }
        let view = self.map(slab)?;
        let start = view.start().cast();
        views.insert(slab, view);
        Ok(start)
    }

    /// Unmaps all slabs, if that was not done for [`AT_HAND`].
    pub(crate) fn let_go(&mut self) {
        if self.let_go_at.elapsed() >= AT_HAND {
            self.views.get_mut().clear();
            self.let_go_at = Instant::now();
        }
    }

    fn map(&self, slab: u32) -> Result<Mapped, KernelError> {
        let map =
            self.slabs.get(slab as usize).ok_or(KernelError::NoMap { name: self.kind.what })?;
        let length = (self.kind.size as usize * size_of::<T>()).next_multiple_of(4096);
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        Mapped::new(self.kind.what, map.as_fd(), protection, (0, length))
    }
}

/// Writes one entry of a map.
pub(crate) fn put<K: Pod, V: Pod>(
    map: &MapHandle,
    name: &'static str,
    key: &K,
    value: &V,
) -> Result<(), KernelError> {
    map.update(bytes_of(key), bytes_of(value), MapFlags::ANY).map_err(|source| KernelError::Map {
        action: "write",
        map: name,
        source,
    })
}
