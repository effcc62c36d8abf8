//! Recorded inputs, replayed: what happens to processes between two samples, in every order that matters.

mod chosen;
mod functions;
mod identities;
mod losses;
mod mappings;
mod runtimes;
mod waiting;
mod world;
