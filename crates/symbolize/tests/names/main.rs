//! Names against what the tools of each language say, on programs built here and on the system's libc.
//!
//! Needed: `llvm` (llvm-symbolizer), `clang`, `lld`, `gcc`, `g++`, `binutils`, `xz-utils`, `libc6-dbg`,
//! `nodejs`, `rustc` and Go. A missing tool fails the test.

#[path = "../../examples/compare_llvm/compare.rs"]
mod compare;

mod go;
mod headerless;
mod hostile;
mod kept;
mod llvm;
mod programs;
mod separate;
mod special;
mod split;
mod unnamed;
