//! Takes in what was read of processes, if it still holds.

use std::sync::Arc;

use infrared_processes::maps::{Mapping, MappingKind};

use super::{Pipeline, deferred_queue::News, runtimes::learn_runtimes};
use crate::{
    images::{ImageRegistry, ImageState, NewFile},
    reader::{Answer, FoundFile, FoundIdentity, FoundProcess, OpenedFile, Reply},
    watch::{Asked, ImageRef, MappedCode, MappingSet, Origin, Space, SpaceId},
};
impl Pipeline {
    /// Answers whose events are all there are looked at; the others wait.
    pub(super) fn take_replies(
        &mut self,
        replies: Vec<Reply>,
        horizon_ns: u64,
        now_ns: u64,
    ) -> News {
        let mut answers = std::mem::take(&mut self.early_answers);
        for reply in replies {
            match reply {
                Reply::Process(answer) => {
                    self.questions = self.questions.saturating_sub(1);
                    answers.push(*answer);
                }
                Reply::Alive { asked, alive } => self.forget_ended(now_ns, &asked, alive),
            }
        }
        let mut news = News::None;
        for answer in answers {
            if answer.read_ns > horizon_ns {
                self.early_answers.push(answer);
            } else {
                news = News::Some;
                self.answered_functions(&answer.ask);
                self.take_answer(answer, now_ns);
            }
        }
        news
    }

    fn take_answer(&mut self, answer: Answer, now_ns: u64) {
        let Answer { ask, read_ns, process: found, user, files, functions, runtimes } = answer;
        let Some(process) = self.table.of_space(ask.pid, ask.space) else { return };
        // What was read is of another address space if there was an exec meanwhile.
        let is_it = process.space_at(read_ns).id == ask.space
            && process.exited_ns.is_none_or(|exited_ns| exited_ns > read_ns);
        let Some(space) = process.space_mut(ask.space) else { return };
        let told = space.told_since_asked.replace(Vec::new());
        space.asked = Asked::Nothing;
        // Each has a check of its own.
        for (key, function) in functions {
            Arc::make_mut(&mut space.functions).add(key, function);
        }
        match found {
            Some(found) if ask.is_current && is_it => {
                take_process(space, found, told, read_ns);
            }
            _ if ask.is_current => space.asked = Asked::Gone,
            _ => {}
        }
        if is_it || !ask.is_current {
            take_files(space, files, (ask.pid, user), &mut self.images);
        }
        if is_it && !ask.runtimes.is_empty() && space.runtimes.attachments.take(runtimes, now_ns) {
            learn_runtimes(space, &self.images);
            space.changed();
            self.lacking_pages.insert((ask.pid, space.id));
        }
        let (pid, id, is_gone) = (ask.pid, space.id, space.asked == Asked::Gone);
        let has_more = !space.wanted_functions.is_empty();
        if is_gone {
            self.inherit(pid, id, now_ns);
        }
        self.resolve(pid, id);
        if has_more {
            self.ask_for(pid, id, true, now_ns);
        }
    }

    /// Whether something is being read that tells what code an address space has.
    pub(super) fn awaits_code(&self, pid: u32, id: SpaceId) -> bool {
        let waits = |space: &Space| !space.is_complete && matches!(space.asked, Asked::Waits(_));
        let Some(process) = self.table.with_space(pid, id) else { return false };
        let Some(space) = process.space(id).filter(|space| !space.is_complete) else {
            return false;
        };
        let origin = match space.origin {
            Origin::ForkOf(origin) => self.table.space(process.parent, origin),
            _ => None,
        };
        waits(space) || origin.is_some_and(waits)
    }

    /// What can be known of an address space that was gone before it could be read: a child that did not exec has what its
    /// parent had.
    pub(super) fn inherit(&mut self, pid: u32, id: SpaceId, now_ns: u64) {
        let Some(process) = self.table.with_space(pid, id) else { return };
        let (parent, is_readable) = (process.parent, process.is_readable(id));
        let Some(Space { origin: Origin::ForkOf(origin), is_complete: false, .. }) =
            process.space(id)
        else {
            return;
        };
        let origin = *origin;
        if is_readable {
            return;
        }
        if self.table.space(parent, origin).is_some_and(|space| !space.is_complete) {
            self.ask_for(parent, origin, true, now_ns);
        }
        let Some(origin) = self.table.space(parent, origin).filter(|space| space.is_complete)
        else {
            return;
        };
        let (mappings, start_stack) = (Arc::clone(&origin.mappings), origin.start_stack);
        let runtimes = origin.runtimes.clone();
        if let Some(process) = self.table.of_space(pid, id)
            && let Some(space) = process.space_mut(id)
        {
            space.mappings = mappings;
            space.runtimes = runtimes;
            space.start_stack = start_stack;
            space.is_complete = true;
            space.changed();
        }
    }

    /// Follows the images of an address space as far as they are known by now. Returns whether anything changed.
    pub(super) fn resolve(&mut self, pid: u32, id: SpaceId) -> bool {
        let Some(process) = self.table.of_space(pid, id) else { return false };
        let Some(space) = process.space_mut(id) else { return false };
        if !space.is_unresolved {
            return false;
        }
        let images = &mut self.images;
        let known: Vec<ImageRef> = space.mappings.iter().map(|code| follow(code, images)).collect();
        let is_changed =
            space.mappings.iter().zip(&known).any(|(code, image)| code.image != *image);
        if is_changed {
            let set = Arc::make_mut(&mut space.mappings);
            set.iter_mut().zip(&known).for_each(|(code, image)| code.image = *image);
            space.changed();
            learn_runtimes(space, images);
            self.lacking_pages.insert((pid, id));
        }
        // Of very many, those that nobody has come upon stay as they are.
        let is_crowded = space.mappings.is_crowded();
        let is_open = |image: &ImageRef| match image {
            ImageRef::Unresolved => !is_crowded,
            image => matches!(image, ImageRef::Known { bias: None, .. }),
        };
        space.is_unresolved = known.iter().any(is_open) || space.has_come_upon();
        is_changed
    }
}

/// `told`: mappings that came to be since the question, with their times.
fn take_process(
    space: &mut Space,
    found: FoundProcess,
    told: Option<Vec<(u64, Mapping)>>,
    read_ns: u64,
) {
    space.start_stack = found.start_stack;
    if let (Some(mappings), Some(told)) = (found.mappings, told) {
        let mut set = MappingSet::default();
        let later = told.into_iter().filter(|(time_ns, _)| *time_ns > read_ns);
        for mapping in mappings.into_iter().chain(later.map(|(_, mapping)| mapping)) {
            set.insert(mapping);
        }
        space.mappings = Arc::new(set);
        space.is_complete = true;
    }
    if let Some(FoundIdentity { labels, is_heritable }) = found.identity {
        space.identity = Some(Arc::new(labels));
        space.is_heritable = is_heritable;
    }
    space.changed();
}

/// Gives mappings the images of the files that were opened for them.
fn take_files(
    space: &mut Space,
    files: Vec<FoundFile>,
    (pid, user): (u32, u32),
    images: &mut ImageRegistry,
) {
    if files.is_empty() {
        return;
    }
    let set = Arc::make_mut(&mut space.mappings);
    for FoundFile { mapping, file } in files {
        let path = String::from_utf8_lossy(&mapping.name).into_owned();
        let image = file.and_then(|OpenedFile { file, identity, root }| {
            images.of_file(NewFile {
                file,
                identity,
                mapping: &mapping,
                pid,
                user,
                path: &path,
                root: &root,
            })
        });
        let image =
            image.map_or(ImageRef::Unreadable, |image| ImageRef::Known { image, bias: None });
        set.resolve(&mapping, image);
    }
    space.changed();
}

/// What is known of the image behind a mapping by now: its bias as soon as its headers are read, and the image that stands
/// for all with the same contents.
fn follow(code: &MappedCode, images: &mut ImageRegistry) -> ImageRef {
    let is_vdso = code.mapping.kind == MappingKind::Vdso;
    let begun = match code.image {
        ImageRef::Unresolved if is_vdso => images.vdso(),
        known => known,
    };
    let ImageRef::Known { image, bias: None } = begun else { return begun };
    let canonical = images.canonical(image);
    // It made room for others: its file is looked for again.
    let Some(found) = images.get(canonical) else { return ImageRef::Unresolved };
    match found.state {
        ImageState::Pending => ImageRef::Known { image: canonical, bias: None },
        ImageState::Unreadable if found.segments.0.is_empty() => ImageRef::Unreadable,
        _ => match found.segments.svma_bias(&code.mapping) {
            Some(bias) => ImageRef::Known { image: canonical, bias: Some(bias) },
            None => ImageRef::Unreadable,
        },
    }
}
