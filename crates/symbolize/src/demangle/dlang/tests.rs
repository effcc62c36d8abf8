use super::{MAX_DEPTH, demangle};
use crate::demangle::MAX_OUTPUT;

#[test]
fn names_are_shown_as_binutils_show_them() {
    // Right of each: `c++filt --format=dlang` of binutils 2.40.
    let cases = [
        ("_D4shop4cart3addFiAyaZv", "shop.cart.add(int, immutable(char)[])"),
        ("_D4shop4Cart6__ctorMFZCQvQs", "shop.Cart.this()"),
        ("_D4shop4Cart6__dtorMFZv", "shop.Cart.~this()"),
        ("_D4shop4Cart5totalMxFNdZk", "shop.Cart.total() const"),
        ("_D4shop__T3maxTiTdZQjFNaNbidZd", "shop.max!(int, double).max(int, double)"),
        (
            "_D4shop__T5countVii42Vbi1Vai120VlN7Z5countFZi",
            "shop.count!(42, true, 'x', -7L).count()",
        ),
        ("_D4shop__T4nameVAyaa3_61620aZ4nameFZv", "shop.name!(\"ab\\n\").name()"),
        ("_D4shop__T2atVde3F8P1Z2atFZv", "shop.at!(0x3.F8p1).at()"),
        ("_D4shop__T3fixTSQo4CartZ3fixFQoZv", "shop.fix!(shop.Cart).fix(shop.Cart)"),
        ("_D4shop__T3fooS_D4shop3barFZvZQuFZv", "shop.foo!(shop.bar()).foo()"),
        ("_D4shop9__lambda1MFZ__T3getTxiZQiFZv", "shop.__lambda1().get!(const(int)).get()"),
        ("_D4shop4mainFZ5innerMFiZv", "shop.main().inner(int)"),
        (
            "_D4shop4each5applyFMDFKiZiNkPxvZi",
            "shop.each.apply(scope int(ref int) delegate, return const(void)*)",
        ),
        (
            "_D4shop3mapFHiAaG4dPFNbNiZvZv",
            "shop.map(char[][int], double[4], void() nothrow @nogc function)",
        ),
        ("_D4shop3logFAaYv", "shop.log(char[], ...)"),
        ("_D4shop3sumFAiXi", "shop.sum(int[]...)"),
        ("_D4shop3addFiQbZv", "shop.add(int, int)"),
        ("_D4shop4Cart6__initZ", "initializer for shop.Cart"),
        ("_D4shop4cart12__ModuleInfoZ", "ModuleInfo for shop.cart"),
    ];
    for (mangled, shown) in cases {
        assert_eq!(demangle(mangled).as_deref(), Some(shown), "{mangled}");
    }
}

#[test]
fn a_parameter_that_is_returned_can_be_told_before_its_scope() {
    let shown = demangle("_D3std4file8readImplFNeNkMAxaZAv");
    assert_eq!(shown.as_deref(), Some("std.file.readImpl(return scope const(char)[])"));
}

#[test]
fn damaged_names_stay() {
    let damaged = [
        "_D4shop",
        "_D4shop3addFi",
        "_D4shop3addFiZ",
        "_D4shop9999addFiZv",
        // references to themselves, before the beginning, without an end
        "_D4shop3addFQaZv",
        "_D4shop3addFQzzZv",
        "_D4shop3addFQZZZ",
        "_D4shop3addFiQcZv",
        "_D4shop__T3add",
        "_D4shop3addFG99999999999999999999iZvx",
    ];
    for name in damaged {
        assert_eq!(demangle(name), None, "{name}");
    }
}

#[test]
fn nesting_and_repetition_have_an_end() {
    let pointers = |count: u32| format!("_D1aF{}iZv", "P".repeat(count as usize));
    assert!(demangle(&pointers(MAX_DEPTH / 2)).is_some());
    assert!(demangle(&pointers(MAX_DEPTH * 2)).is_none());
    // a tuple of two, each of which is the one before it
    let mut doubling = String::from("_D1aFB2ii");
    (0..60).for_each(|_| doubling.push_str("B2QeQg"));
    assert!(demangle(&(doubling + "Zv")).is_none_or(|shown| shown.len() <= MAX_OUTPUT));
    let many = format!("_D1aFB{}vZv", u32::MAX);
    assert!(demangle(&many).is_none());
}
