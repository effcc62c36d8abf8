//! A file of an ordinary user that is a FIFO when somebody opens it: whoever waits there waits for ever.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::Launch::{Nobody, Plain};
use e2e::{Machine, Meter, Up};

use crate::{service, start};

/// So often that many children are seen in their millisecond.
const HZ: u32 = 997;
const SWAPS: Duration = Duration::from_secs(3);
/// Until a sample is on the page, which has a window of ten seconds at a time.
const RIGHT_AGAIN: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_secs(10);

#[test]
fn a_file_that_turns_into_a_fifo_holds_up_nothing() {
    scene().unwrap_or_else(|error| panic!("{error:?}"));
}

fn scene() -> Result<()> {
    let _machine = Machine::reserve()?;
    let up = Up::start_at(HZ)?;
    let mut swap = start("swap", "file-swap", Nobody)?;
    let meter = Meter::start(swap.target.pid())?;
    swap.target.release()?;
    meter.await_cpu(SWAPS)?;
    swap.target.stop()?;

    let mut after = start("after-swap", "simple", Plain)?;
    after.target.release()?;
    let seen = up
        .await_stack(&service("after-swap"), RIGHT_AGAIN, |stack| stack.has("simple_burn"))
        .context("what came after the swaps is not named");
    let (status, health) = up.get("/healthz")?;
    ensure!(status == 200, "after the swaps it is not well: {health}");
    seen?;
    after.target.stop()?;
    up.terminate(END)
}
