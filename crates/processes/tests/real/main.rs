//! Real processes of this machine: deleted, replaced and moved programs, other roots and mount
//! namespaces. Needs root, and fails without.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod child;
mod consistent;
mod identities;
mod images;
mod lurking;
mod moved;
