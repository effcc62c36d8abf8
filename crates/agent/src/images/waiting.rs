//! Files that are still to be read: which is next. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::ImageId;

/// Users take turns, so that nobody's files wait for all of somebody else's. Of a user's one that a walk came upon is next,
/// else the smallest, so that a small program is not kept waiting by a large one.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// By user: bytes and number. Those that walks came upon count as the smallest.
    files: BTreeMap<u32, BTreeSet<(u64, ImageId)>>,
    places: HashMap<ImageId, (u32, u64)>,
    last: u32,
}

impl Waiting {
    pub(super) fn add(&mut self, image: ImageId, user: u32, bytes: u64) {
        self.places.insert(image, (user, bytes));
        self.files.entry(user).or_default().insert((bytes, image));
    }

    /// A walk came upon it.
    pub(super) fn hurry(&mut self, image: ImageId) {
        if let Some((user, bytes)) = self.places.get_mut(&image)
            && let Some(files) = self.files.get_mut(user)
            && files.remove(&(*bytes, image))
        {
            *bytes = 0;
            files.insert((0, image));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The file whose turn it is.
    pub(super) fn next(&self) -> Option<ImageId> {
        let after = self.last.wrapping_add(1);
        let (_, files) = self.files.range(after..).next().or_else(|| self.files.iter().next())?;
        files.first().map(|(_, image)| *image)
    }

    /// It is being read, or is gone.
    pub(super) fn remove(&mut self, image: ImageId) {
        let Some((user, bytes)) = self.places.remove(&image) else { return };
        self.last = user;
        if let Some(files) = self.files.get_mut(&user) {
            files.remove(&(bytes, image));
            if files.is_empty() {
                self.files.remove(&user);
            }
        }
    }

    pub(super) fn retain(&mut self, stays: impl Fn(ImageId) -> bool) {
        let gone: Vec<ImageId> = self.places.keys().copied().filter(|id| !stays(*id)).collect();
        for image in gone {
            self.remove(image);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_take_turns_and_of_each_what_a_walk_came_upon_and_then_the_smallest_file_is_next() {
        let mut waiting = Waiting::default();
        for (image, user, bytes) in [(1, 1000, 10), (2, 1000, 5), (3, 0, 900), (4, u32::MAX, 7)] {
            waiting.add(ImageId(image), user, bytes);
        }
        waiting.add(ImageId(5), 1000, 1);
        waiting.retain(|image| image != ImageId(1));
        waiting.hurry(ImageId(2));
        let mut order = Vec::new();
        while let Some(image) = waiting.next() {
            order.push(image.0);
            waiting.remove(image);
        }
        assert_eq!(order, [4, 3, 2, 5], "after the user who was last comes the next");
        assert!(waiting.is_empty());
    }
}
