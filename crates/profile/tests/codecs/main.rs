//! Every reader and writer of profiles, on profiles that look like real ones and on generated ones.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod callers_callees;
mod folded;
mod functions;
mod html;
mod json;
mod merge;
mod pprof;
mod profiles;
mod speedscope;
mod svg;
mod tree;
