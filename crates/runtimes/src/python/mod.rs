//! `CPython`: what its frames run.

mod code;
mod detect;
mod layout;
mod lines;
mod text;

pub use code::CodeLayout;
pub(crate) use detect::{SYMBOLS, detect};
pub use layout::Version;
pub use lines::LineTable;
