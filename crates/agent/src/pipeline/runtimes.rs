//! What is known of the runtimes of an address space, and has to be known before its frames are seen.

use std::sync::Arc;

use infrared_bpf::PageKey;
use infrared_runtimes::{Attached, Found, Mapped, Namer};
use infrared_unwind::PAGE_SHIFT;

use super::{Pipeline, Tables};
use crate::{
    images::{ImageId, ImageRegistry},
    watch::{AttachWanted, ImageRef, MappedCode, MappingSet, Space},
};

/// Pages of unwind tables that are made of one image before a walk comes upon them. The C library has 25, a virtual machine some 300,
/// Node.js some 900.
const MOST_PAGES: u64 = 64;
const MOST_PAGES_OF_RUNTIME: u64 = 1280;

/// By its images, and by what its memory has told.
pub(super) fn learn_runtimes(space: &mut Space, images: &ImageRegistry) {
    let found: Vec<(&Found, Mapped)> = runtimes_of(&space.mappings, images).collect();
    let wanted = found.iter().filter(|(runtime, _)| runtime.is_attached());
    let wanted = wanted
        .map(|(runtime, mapped)| AttachWanted { runtime: Arc::clone(runtime), mapped: *mapped });
    let runtimes = &mut space.runtimes;
    runtimes.attachments.want(wanted.collect());
    let attached = &runtimes.attachments.found;
    let namers = attached.iter().map(Attached::namer);
    let mut known: Vec<Namer> = Vec::new();
    for namer in found.iter().filter_map(|(runtime, _)| runtime.namer()).chain(namers) {
        if known.iter().all(|other| other.runtime() != namer.runtime()) {
            known.push(namer);
        }
    }
    runtimes.namers = known;
    runtimes.states = infrared_runtimes::states(found, attached);
}

/// The runtimes in the images that a process maps.
fn runtimes_of<'i>(
    mapped: &MappingSet,
    images: &'i ImageRegistry,
) -> impl Iterator<Item = (&'i Found, Mapped)> {
    let with_bias = mapped.iter().filter_map(|code| match code.image {
        ImageRef::Known { image, bias: Some(bias) } => Some((images.get(image)?, Mapped { bias })),
        _ => None,
    });
    with_bias.flat_map(|(image, mapped)| image.runtimes.iter().map(move |found| (found, mapped)))
}

impl Pipeline {
    /// A stack that waits for a page has no frames of interpreters: what is mapped beside one has its pages made at once.
    pub(super) fn want_pages_of_runtimes(&mut self, tables: &dyn Tables) {
        for (pid, id) in std::mem::take(&mut self.lacking_pages) {
            let Some(process) = self.table.get(pid) else { continue };
            let space = process.current();
            if space.id != id || space.runtimes.namers.is_empty() {
                continue;
            }
            let images = &self.images;
            let keys = space.mappings.iter().flat_map(|code| pages_of(code, images));
            for key in keys.collect::<Vec<_>>() {
                self.images.want_ahead(key, tables);
            }
        }
    }
}

/// The pages of a mapping, unless they are many.
fn pages_of(code: &MappedCode, images: &ImageRegistry) -> impl Iterator<Item = PageKey> + use<> {
    let has_runtime = |image| images.get(image).is_some_and(|image| !image.runtimes.is_empty());
    let (image, pages) = match code.image {
        ImageRef::Known { image, bias: Some(bias) } => {
            let page = |address: u64| address.wrapping_sub(bias) >> PAGE_SHIFT;
            (image.0, page(code.mapping.start)..page(code.mapping.end - 1) + 1)
        }
        _ => (0, 0..0),
    };
    let most = if has_runtime(ImageId(image)) { MOST_PAGES_OF_RUNTIME } else { MOST_PAGES };
    let is_small = pages.end.saturating_sub(pages.start) <= most;
    let pages = if is_small { pages } else { 0..0 };
    pages.filter_map(move |page| Some(PageKey { image, page: u32::try_from(page).ok()? }))
}
