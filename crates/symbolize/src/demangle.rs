//! Linker names to source names: Rust (legacy and v0) and C++ (Itanium ABI). Bounded, since names
//! come from the files of others: a short mangled name can stand for gigabytes.

use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, ParseOptions, Symbol};

/// Bytes of a linker name that demangling is tried on.
const MAX_INPUT: usize = 16 << 10;
/// Bytes of output; beyond it the linker name stays.
const MAX_OUTPUT: usize = 16 << 10;
const MAX_RECURSION: u32 = 128;

/// The name as written in the source, or `system_name` itself when it is not mangled. Rust's hash
/// suffix (`::h…`) is left out.
pub fn demangle(system_name: &str) -> String {
    let mangled = is_mangled(system_name) && system_name.len() <= MAX_INPUT;
    let demangled = mangled.then(|| rust(system_name).or_else(|| cpp(system_name))).flatten();
    demangled.unwrap_or_else(|| system_name.to_owned())
}

pub(crate) fn is_mangled(name: &str) -> bool {
    name.starts_with("_Z") || name.starts_with("_R")
}

fn rust(name: &str) -> Option<String> {
    let demangled = rustc_demangle::try_demangle(name).ok()?;
    // A C++ name without parameters parses as legacy Rust; only Rust's ends with a hash.
    if name.starts_with("_Z") && !has_legacy_hash(&demangled) {
        return None;
    }
    let mut out = Bounded::default();
    write!(out, "{demangled:#}").ok()?;
    Some(out.0)
}

fn has_legacy_hash(demangled: &rustc_demangle::Demangle<'_>) -> bool {
    let mut with = Bounded::default();
    let mut without = Bounded::default();
    write!(with, "{demangled}").is_ok()
        && write!(without, "{demangled:#}").is_ok()
        && with.0.len() > without.0.len()
}

fn cpp(name: &str) -> Option<String> {
    let parse = ParseOptions::default().recursion_limit(MAX_RECURSION);
    let symbol = Symbol::new_with_options(name, &parse).ok()?;
    let options = DemangleOptions::default().recursion_limit(MAX_RECURSION);
    let mut out = Bounded::default();
    symbol.structured_demangle(&mut out, &options).ok()?;
    (!out.0.is_empty()).then_some(out.0)
}

/// A string that refuses to grow beyond [`MAX_OUTPUT`].
#[derive(Default)]
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if self.0.len() + s.len() > MAX_OUTPUT {
            return Err(fmt::Error);
        }
        self.0.push_str(s);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_the_source_writes_them() {
        let cases = [
            ("main", "main"),
            ("_ZN3foo3barEi", "foo::bar(int)"),
            ("_ZN3foo3barE", "foo::bar"),
            ("_Z3fooi.cold", "foo(int) [clone .cold]"),
            (
                "_ZNSt6vectorIiSaIiEE9push_backERKi",
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
            ),
            ("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad"),
            (
                "_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930b740aa94f1d3aE",
                "<Test + 'static as foo::Bar<Test>>::bar",
            ),
            ("_RNvC6_123foo3bar", "123foo::bar"),
            ("_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>"),
            ("_Znot mangled", "_Znot mangled"),
            ("memcpy@plt", "memcpy@plt"),
        ];
        for (system, shown) in cases {
            assert_eq!(demangle(system), shown, "{system}");
        }
    }

    #[test]
    fn a_name_that_expands_without_end_stays_mangled() {
        // S_ refers to what went before, so each level doubles the output
        let mut name = String::from("_Z1fI1aE");
        for level in 0..64 {
            write!(name, "N1bIS{level}_S{level}_EE").unwrap();
        }
        let deep = format!("_Z1f{}i", "P".repeat(10_000));
        let v0 = format!("_RMC0{}p", "RT".repeat(4000));
        for name in [name, deep, v0, "_Z".repeat(40_000)] {
            assert!(demangle(&name).len() <= name.len().max(MAX_OUTPUT));
        }
    }
}
