//! The images of a window as they were when it closed, for the naming thread.

use std::collections::HashMap;

use super::accumulate::ClosedWindow;
use crate::{
    images::{Image, ImageId, ImageRegistry},
    watch::ImageRef,
};

/// Images by number.
#[derive(Debug, Default)]
pub(crate) struct ImageSnapshot(HashMap<u32, Image>);

impl ImageSnapshot {
    /// The images that the window's stacks and mappings refer to.
    pub(crate) fn take(images: &ImageRegistry, window: &ClosedWindow) -> Self {
        let framed = window
            .user_stacks
            .values()
            .flat_map(|stack| stack.frames.iter().map(|frame| ImageId(frame.image)));
        let mapped =
            window.processes.iter().flat_map(|process| process.mappings.iter()).filter_map(
                |code| match code.image {
                    ImageRef::Known { image, .. } => Some(image),
                    _ => None,
                },
            );
        let mut found = HashMap::new();
        for id in framed.chain(mapped) {
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
