use super::demangle;
use crate::demangle::MAX_OUTPUT;

#[test]
fn names_are_shown_with_their_labels_and_without_types() {
    let cases = [
        ("$s4main3fooyyF", "main.foo()"),
        ("$s4main3FooC3baryyFZ", "main.Foo.bar()"),
        ("_$s3foo3barC3bas3zimyAaEC_tF", "foo.bar.bas(zim:)"),
        ("_$sSC3fooyS2d_SdtF", "__C_Synthesized.foo(_:_:)"),
        ("$s4main3bar_1bS2i_SitF", "main.bar(_:b:)"),
        ("$S3abc6testityySiF", "abc.testit(_:)"),
        ("_T03foo3barC3basyAA3zimCAE_tF", "foo.bar.bas(zim:)"),
        ("_T08mangling14varargsVsArrayySi3arrd_SS1ntF", "mangling.varargsVsArray(arr:n:)"),
        ("$ss5print_9separator10terminatoryypd_S2StF", "Swift.print(_:separator:terminator:)"),
        ("$sSa6appendyyxnF", "Swift.Array.append(_:)"),
        ("$s7example1fyyYaKF", "example.f()"),
        ("$s4main3FooCACycfc", "main.Foo.init()"),
        ("$s4main3FooCfD", "main.Foo.__deallocating_deinit"),
        ("$s4main3FooC5countSivg", "main.Foo.count.getter"),
        ("$s4main3FooCySiSicig", "main.Foo.subscript(_:).getter"),
        ("$s4main5outeryyF5innerL_yyF", "main.outer().inner()"),
        ("$s4main3FooC3bar33_0123456789ABCDEF0123456789ABCDEFLLyyF", "main.Foo.bar()"),
        ("$s4main4testyyFySiXEfU0_TA", "partial apply forwarder for closure #2 in main.test()"),
        // a type of another module, words of names before, an operator, an associated type
        (
            "$Ss10DictionaryV3t17E6Index2V1loiySbAEyxq__G_AGtFZ",
            "Swift.Dictionary.Index2.< infix(_:_:)",
        ),
        (
            "_$Ss17MutableCollectionP1asAARzs012RandomAccessB0RzsAA11SubSequences013BidirectionalB0PRpzsAdHRQlE06rotatecD015shiftingToStart5Indexs01_A9IndexablePQzAN_tFAKs01_M4BasePQzAQcfU_",
            "closure #1 in Swift.MutableCollection.rotateRandomAccess(shiftingToStart:)",
        ),
        ("$s8mangling0030Proprostnemluvesky_uybCEdmaEBayyF", "mangling.Pročprostěnemluvíčesky()"),
    ];
    for (mangled, shown) in cases {
        assert_eq!(demangle(mangled).as_deref(), Some(shown), "{mangled}");
    }
}

#[test]
fn what_the_compiler_makes_of_functions_and_types_says_of_which() {
    let cases = [
        ("_$s3foo3barC3bas3zimyAaEC_tFTo", "@objc foo.bar.bas(zim:)"),
        (
            "_T013call_protocol1CCAA1PA2aDP3fooSiyFTW",
            "protocol witness for call_protocol.P.foo() in conformance call_protocol.C",
        ),
        ("$s1A1gyyxlFx_qd__t_Ti5", "specialized A.g(_:)"),
        ("$s4main3foo1ayx_tlFSi_Tg5Tf4d_n", "specialized specialized main.foo(a:)"),
        (
            "$S4main5inneryys5Int32Vz_yADctF25closure_with_box_argumentxz_Bi32__lXXTf1nc_n",
            "specialized main.inner(_:_:)",
        ),
        ("_T0S2SSbIxxxd_S2SSbIxiid_TRTA", "partial apply forwarder for reabstraction thunk helper"),
        ("$s4main6testityyYaFTQ0_", "(1) await resume partial function for main.testit()"),
        ("$s4main1x_WZ", "one-time initialization function for main.x"),
        ("$s4main3FooCMa", "type metadata accessor for main.Foo"),
        ("$s4main3FooVwxx", "destroy value witness for main.Foo"),
        ("_T0SqWOy", "outlined copy of Swift.Optional"),
    ];
    for (mangled, shown) in cases {
        assert_eq!(demangle(mangled).as_deref(), Some(shown), "{mangled}");
    }
}

#[test]
fn damaged_and_unknown_names_stay() {
    let names = [
        "$s",
        "$sSS",
        "$syQo",
        "$s4main3foo",
        "$s4main99fooyyF",
        "_T0s3SetVyxGs10CollectiotySivm",
        "_$S3BBBBi0602365061_",
        "$sA99999999999999999999_",
        "$s4main3fooyyFHF",
        "$s0059xxxxxxxxxxxxxxx_ttttttttBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBee",
    ];
    for name in names {
        assert_eq!(demangle(name), None, "{name}");
    }
}

#[test]
fn repetition_has_an_end() {
    let many = format!("$s4main{}", "A2000a".repeat(1000));
    assert!(demangle(&many).is_none());
    let long = format!("$s4main{}3fooyyF", "3abcV".repeat(3000));
    assert!(demangle(&long).is_none_or(|shown| shown.len() <= MAX_OUTPUT));
}
