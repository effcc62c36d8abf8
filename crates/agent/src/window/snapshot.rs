//! The images of a window as they were when it closed, for the naming thread.

use std::collections::HashMap;

use crate::images::{Image, ImageId, ImageRegistry};

/// Images by number.
#[derive(Debug, Default)]
pub(crate) struct ImageSnapshot(HashMap<u32, Image>);

impl ImageSnapshot {
    /// Those that are known of the images that frames are in, whose files stay at hand, and of those that are mapped.
    pub(crate) fn take(
        images: &ImageRegistry,
        framed: impl Iterator<Item = ImageId>,
        mapped: impl Iterator<Item = ImageId>,
    ) -> Self {
        let mut found: HashMap<u32, Image> = HashMap::new();
        for id in framed {
            if !found.contains_key(&id.0)
                && let Some(image) = images.get_for_names(id)
            {
                found.insert(id.0, image.clone());
            }
        }
        for id in mapped {
            if !found.contains_key(&id.0)
                && let Some(image) = images.get(id)
            {
                found.insert(id.0, image.clone());
            }
        }
        Self(found)
    }

    pub(crate) fn get(&self, image: u32) -> Option<&Image> {
        self.0.get(&image)
    }
}
