//! Processes that are known before they are sampled.

use std::sync::Arc;

use super::world::World;
use crate::watch::ImageRef;

#[test]
fn a_chosen_process_is_known_and_told_of_before_it_is_sampled() {
    let mut world = World::new();
    assert!(!world.pipeline.prepare(&[5], 10), "nothing is known of it");
    world.turn(11);
    assert!(!world.pipeline.prepare(&[5], 12), "it is being read");
    world.answer(5, 13, Some("shop")).turn(14);
    assert!(!world.pipeline.prepare(&[5], 15), "its file is not found yet");
    let space = world.pipeline.table.get_mut(5).unwrap().current_mut();
    for code in Arc::make_mut(&mut space.mappings).iter_mut() {
        code.image = ImageRef::Unreadable;
    }
    assert!(!world.pipeline.prepare(&[5], 16), "the file is asked for");
    world.turn(17).answer(5, 18, Some("shop")).turn(19);
    assert!(world.pipeline.prepare(&[5], 20), "{:?}", world.asks);
    assert!(world.published.iter().any(|(pid, _)| *pid == 5));
    // What follows has a window of its own.
    world.pipeline.begin(1000);
    world.sample(1010, 5, 1).turn(1020).finish(1030);
    assert_eq!(world.services(), [("shop".to_owned(), vec![1010])]);
    assert_eq!(world.windows[0].span.start_ns, 1000);
}

#[test]
fn nobody_waits_for_a_chosen_process_that_has_ended() {
    let mut world = World::new();
    assert!(!world.pipeline.prepare(&[5], 10));
    world.exit(11, 5).turn(12);
    assert!(world.pipeline.prepare(&[5], 13));
    // One that is gone without a word has no answer.
    assert!(!world.pipeline.prepare(&[6], 20));
    world.turn(21).answer(6, 22, None).turn(23);
    assert!(world.pipeline.prepare(&[6], 24));
}
