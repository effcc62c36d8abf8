//! The images of a window as they were when it closed, for the naming thread.

use std::collections::HashMap;

use crate::images::{Image, ImageId, ImageRegistry};

/// Images by number.
#[derive(Debug, Default)]
pub(crate) struct ImageSnapshot(HashMap<u32, Image>);

impl ImageSnapshot {
    /// Those of `ids` that are known.
    pub(crate) fn take(images: &ImageRegistry, ids: impl Iterator<Item = ImageId>) -> Self {
        let mut found = HashMap::new();
        for id in ids {
            if let Some(image) = images.get(id) {
                found.entry(id.0).or_insert_with(|| image.clone());
            }
        }
        Self(found)
    }

    pub(crate) fn get(&self, image: u32) -> Option<&Image> {
        self.0.get(&image)
    }
}
