//! What is not known stays so: no rule is better than one from bytes that are cut in the wrong place.

use std::collections::BTreeSet;

use super::flow::Flow;

const START: u64 = 0x1000;

/// For each byte of `code`, in which one function is known to start at its first, the CFA's distance from its register.
fn distances(code: &[u8]) -> Vec<Option<i32>> {
    let read = |_, _| None;
    let mut flow = Flow::new(&read);
    flow.add_range(START, code);
    flow.follow_functions(BTreeSet::from([START]));
    flow.follow_the_rest();
    let mut found = vec![None; code.len()];
    flow.for_each_run(|range, rule| {
        let offset = |svma: u64| (svma - START) as usize;
        found[offset(range.start)..offset(range.end)].fill(Some(rule.cfa_offset));
    });
    found
}

#[test]
fn an_unknown_instruction_ends_what_is_known() {
    // push rbx; an opcode that is none; what would be pushes and a return if it were cut elsewhere
    let code = [0x53, 0x0f, 0x04, 0x50, 0x50, 0x50, 0xc3];
    assert_eq!(distances(&code), [Some(8), None, None, None, None, None, None]);
}

#[test]
fn a_function_that_is_known_is_followed_again_after_an_unknown_instruction() {
    // call to the second function, an opcode that is none; push rbx; pop rbx; ret
    let code = [0xe8, 3, 0, 0, 0, 0x0f, 0x04, 0x50, 0x53, 0x5b, 0xc3];
    let found = distances(&code);
    assert_eq!(found[..6], [Some(8), Some(8), Some(8), Some(8), Some(8), None]);
    assert_eq!(found[8..], [Some(8), Some(16), Some(8)]);
}

#[test]
fn what_only_follows_a_jump_is_no_entry() {
    // jmp to the return; push rax; jmp back: nothing leads to it, nor from it to a return; ret
    let code = [0xeb, 3, 0x50, 0xeb, 0xfd, 0xc3];
    assert_eq!(distances(&code), [Some(8), Some(8), None, None, None, Some(8)]);
}

#[test]
fn avx_512_is_followed() {
    // push rbx; vpaddd zmm19, zmm20, zmm18; vmovdqa32 zmm22, [rdi]; pop rbx; ret
    let code =
        [0x53, 0x62, 0xa1, 0x5d, 0x40, 0xfe, 0xda, 0x62, 0xe1, 0x7d, 0x48, 0x6f, 0x37, 0x5b, 0xc3];
    let mut expected = vec![Some(16); code.len()];
    expected[0] = Some(8);
    expected[14] = Some(8);
    assert_eq!(distances(&code), expected);
}
