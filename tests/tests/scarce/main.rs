//! Neighbours without any rights that use up what is finite, processes that are not what they seem, and events that are
//! lost: what is said of others meanwhile, and whether all is right again when it is over.
//!
//! What a budget alone does is tested where it is kept (`crates/agent/tests/scarce`); here is what a whole machine does.

mod attached;
mod crowded;
mod served;
mod swapped;

use e2e::{Actor, Folded, Launch, Need, Observed, Stack, Supply};

const HZ: u32 = 499;
const WHOLE: f64 = 0.99;
const FEWEST: u64 = 50;

/// What a scene knows of one program.
#[derive(Debug)]
struct Seen {
    observed: Observed,
    supply: Supply,
}

impl Seen {
    fn of(folded: &Folded, name: &str, supply: Supply) -> Self {
        Self { observed: Observed::of(folded, &[&service(name)]), supply }
    }

    /// Fails as starved or as wrong if fewer samples than this part of its time are `those`.
    #[track_caller]
    fn assert_seen(&self, those: &Observed, part: f64) {
        if let Some(shortage) = self.supply.shortage(those.samples(), need(part)) {
            panic!("{shortage}; of all:\n{}", self.observed.examples(|_| true));
        }
    }

    /// What has the last of `frames` is most of it, is whole, and has all of them in this order.
    #[track_caller]
    fn assert_right(&self, frames: &[&str]) {
        let those = self.observed.with(frames.last().copied().unwrap_or_default());
        self.assert_seen(&those, 0.5);
        let is_right = |stack: &Stack| stack.is_rooted() && stack.has_in_order(frames);
        let (right, total) = (those.count(is_right), those.samples());
        let examples = those.examples(|stack| !is_right(stack));
        assert!(right as f64 >= WHOLE * total as f64, "{right} of {total}:\n{examples}");
    }
}

fn need(part: f64) -> Need {
    Need { samples: FEWEST, part, hz: HZ }
}

fn service(name: &str) -> String {
    format!("e2e-{name}")
}

fn start(name: &str, program: &str, launch: Launch) -> anyhow::Result<Actor> {
    Actor::start(&service(name), program, launch)
}

#[track_caller]
fn of<T>(scene: &'static Result<T, String>) -> &'static T {
    match scene {
        Ok(scene) => scene,
        Err(error) => panic!("the scene could not be recorded: {error}"),
    }
}
