//! Linker names to source names: Rust (legacy and v0), C++ (Itanium ABI), D and Swift. Bounded, since names
//! come from the files of others: a short mangled name can stand for gigabytes.

mod dlang;
mod swift;

use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, ParseOptions, Symbol};

/// Bytes of a linker name that demangling is tried on.
const MAX_INPUT: usize = 16 << 10;
/// Bytes of output; beyond it the linker name stays.
const MAX_OUTPUT: usize = 16 << 10;
const MAX_RECURSION: u32 = 128;

/// The name as written in the source, or `system_name` itself when it is not mangled. Rust's hash
/// suffix (`::h…`) is left out. What follows an `@` (`@plt`, the version of a symbol) stays as it is.
pub fn demangle(system_name: &str) -> String {
    let (name, after) = system_name.split_at(system_name.find('@').unwrap_or(system_name.len()));
    let mangled = is_mangled(name) && name.len() <= MAX_INPUT;
    let demangled = mangled.then(|| demangled(name)).flatten();
    demangled.map_or_else(|| system_name.to_owned(), |name| name + after)
}

pub(crate) fn is_mangled(name: &str) -> bool {
    name.starts_with("_Z")
        || name.starts_with("_R")
        || dlang::is_mangled(name)
        || swift::is_mangled(name)
}

fn demangled(name: &str) -> Option<String> {
    if dlang::is_mangled(name) {
        return with_clones(name, dlang::demangle);
    }
    if swift::is_mangled(name) {
        return with_clones(name, swift::demangle);
    }
    rust(name).or_else(|| cpp(name))
}

/// Demangles what is before the first dot. Compilers append to it, with a dot, which copy or part of a function it is;
/// that is shown as for C++.
fn with_clones(name: &str, demangle: impl FnOnce(&str) -> Option<String>) -> Option<String> {
    let (name, suffix) = name.split_at(name.find('.').unwrap_or(name.len()));
    let mut shown = demangle(name)?;
    let mut rest = suffix;
    while let Some(clone) = rest.strip_prefix('.') {
        // a number belongs to the word before it
        let word = clone.find('.').unwrap_or(clone.len());
        let next = clone[word..].split('.').nth(1).unwrap_or_default();
        let is_number = !next.is_empty() && next.bytes().all(|b| b.is_ascii_digit());
        let end = word + if is_number { 1 + next.len() } else { 0 };
        shown.extend([" [clone .", &clone[..end], "]"]);
        rest = &clone[end..];
    }
    (shown.len() <= MAX_OUTPUT).then_some(shown)
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
            ("_ZN3foo3barEv@plt", "foo::bar()@plt"),
            ("_ZN3foo3barEv@@LIB_1", "foo::bar()@@LIB_1"),
            ("_ZN3foo3barEv.part.0.cold@plt", "foo::bar() [clone .part.0] [clone .cold]@plt"),
            ("_ZN3foo3barEv.llvm.123", "foo::bar() [clone .llvm.123]"),
            (
                "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE.llvm.1@plt",
                "core::fmt::Formatter::pad@plt",
            ),
            ("_Znot mangled@plt", "_Znot mangled@plt"),
            ("_D4shop3addFiZv.part.0.cold@plt", "shop.add(int) [clone .part.0] [clone .cold]@plt"),
            ("$s4main3fooyyFTm.17", "merged main.foo() [clone .17]"),
            ("$s4main3fooyyF@plt", "main.foo()@plt"),
            ("$special", "$special"),
            ("_D4shop", "_D4shop"),
            ("_Dlang", "_Dlang"),
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
        // a type that refers to all that is before it, again and again
        let mut d = String::from("_D1aF");
        (0..2000).for_each(|_| d.push_str("SQcQb"));
        let d_deep = format!("_D1aF{}iZv", "P".repeat(10_000));
        for name in [name, deep, v0, d, d_deep, "_Z".repeat(40_000)] {
            assert!(demangle(&name).len() <= name.len().max(MAX_OUTPUT));
        }
    }
}
