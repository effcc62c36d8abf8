//! Who a process is and what it has mapped: `/proc`, mappings, containers, units, services.
//!
//! Everything comes from `/proc` and from what the kernel shows there of cgroups and namespaces: no
//! daemon is asked, no container runtime's socket is opened. Content is hostile: a process chooses
//! its own name, arguments, environment and mappings.
//!
//! This crate neither reads symbols nor watches for events: it answers when it is asked.

mod capabilities;
pub mod container;
mod error;
mod group;
pub mod host;
pub mod identity;
pub mod image;
mod listener;
pub mod maps;
pub mod memory;
mod mounts;
mod namespace;
pub mod process;
mod procfs;
mod records;
mod regular;
pub mod service;
mod spawn;
pub mod systemd;

pub use capabilities::{Capabilities, Capability, Need};
pub use error::Error;
pub use identity::{Identifier, Identity};
pub use listener::Listener;
pub use mounts::FileSystem;
pub use namespace::{Namespaces, PidView};
pub use process::Process;
pub use procfs::{Pid, ProcFs, ProcessDir};
pub use spawn::{HeldChild, spawn_held};
