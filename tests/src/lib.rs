//! The ground truth that the profiler is held against: programs of known shares and awkward stacks, servers under
//! load, and the reading of what `infrared record` says about them.
//!
//! No part of the profiler is linked here: it is run as people run it, and judged by its output alone.
//! Everything that keeps a test from running is an error, never a skip.

mod builds;
mod chain;
mod cpu_time;
mod folded;
mod held;
mod interpreters;
mod interval;
mod launch;
mod machine;
mod memory;
mod observed;
mod programs;
mod recording;
mod scratch;
mod servers;
mod shares;
mod silence;
mod supply;
mod target;
mod up;
mod ways;

pub use builds::Builds;
pub use chain::{Ring, chain_error};
pub use cpu_time::{ended_children_cpu_ns, process_cpu_ns, stolen_ns, tree_cpu_ns};
pub use folded::{Folded, FoldedError, Frame, Stack};
pub use held::{Held, await_state};
pub use interpreters::{Interpreter, javas, nodes, pythons};
pub use interval::{Interval, binomial_interval};
pub use launch::{Actor, Launch, copy_program};
pub use machine::{Machine, infrared_binary};
pub use memory::resident_mib;
pub use observed::Observed;
pub use programs::{Program, built, programs};
pub use recording::{Outcome, Recording, Request, Stats};
pub use scratch::scratch_dir;
pub use servers::{GoHttp, Load, Nginx, Postgres, Redis, Server, ServerKind, free_address};
pub use shares::{Cast, Share, SharesRun};
pub use silence::silence;
pub use supply::{Meter, Need, Shortage, Supply};
pub use target::{Target, Truth};
pub use up::Up;
pub use ways::{Ways, WaysRun};
