//! Where profiles are kept: one trait, [`ProfileStore`], and the engines behind it.
//!
//! Typed plans go in ([`Selection`], [`Query`]) and typed results come out. No engine's query language crosses this
//! boundary, and nothing here knows of HTTP.
//!
//! Invariant: a write that returned `Ok` survives `kill -9` and power loss.

mod api;
#[cfg(test)]
mod conformance;
mod coverage;
pub mod embedded;
mod error;
mod query;

pub use api::{Maintenance, ProfileStore, SeriesTotal, SeriesTotals, Stats, label_values};
pub use coverage::Coverage;
pub use embedded::{EmbeddedStore, Options, Retention};
pub use error::StoreError;
pub use query::{
    Budget, Group, Keep, Matcher, Query, Selected, Selection, TimeRange, Timeline, TimelineGroup,
    TimelineSpec,
};
