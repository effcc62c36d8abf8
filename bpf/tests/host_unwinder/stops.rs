//! Made-up stacks, one for each reason to stop and each kind of rule.

use std::collections::BTreeSet;

use infrared_abi::{
    IR_GO_MORESTACK, IR_GO_SYSTEMSTACK, IR_IMAGE_FIRST, IR_IMAGE_NONE, IR_IMAGE_PENDING,
    IR_MAX_USER_FRAMES, IR_PROCESS_KNOWN, IR_RULE_DEREF, IR_RULE_FRAME_POINTER, IR_RULE_GUESS,
    IR_RULE_NONE, IR_RULE_OF_RUNTIME, IR_RULE_OFFSET, IR_RULE_PLT, IR_RULE_ROOT,
    IR_RULE_RUNTIME_SHIFT, IR_RULE_SIGNAL, IR_RULE_UNSUPPORTED, IR_SLOT_REGISTER, IR_SLOT_SAME,
    IR_SLOT_UNDEFINED, IR_STOP_BAD_FRAME_POINTER, IR_STOP_COMPAT, IR_STOP_COMPLETE,
    IR_STOP_GO_STATE, IR_STOP_LOOKUP_FAILED, IR_STOP_MAPPINGS_CHANGED, IR_STOP_MAX_FRAMES,
    IR_STOP_NO_CFI, IR_STOP_NO_MAPPING, IR_STOP_NO_PROGRESS, IR_STOP_NO_TABLE, IR_STOP_NOT_READY,
    IR_STOP_PROCESS_GONE, IR_STOP_REGISTER_LOST, IR_STOP_STACK_COPY_LIMIT,
    IR_STOP_STACK_UNREADABLE, IR_STOP_UNSUPPORTED_RULE, RuntimeId, STOP_REASONS, ir_frame,
    ir_go_state, ir_mapping, ir_page, ir_page_key, ir_process, ir_registers, ir_row, ir_rule,
    ir_runtime_states, stop_reason_text,
};

use crate::driver::{Environment, Script, Start};

/// Where the image is mapped; its addresses are runtime addresses. Rule `i` holds from `CODE + 0x100 * i` on.
pub(crate) const CODE: u64 = 0x40_0000;
/// In the image's mapping, but in a page that is not loaded.
const NOT_LOADED: u64 = 0x41_0010;
pub(crate) const ANONYMOUS: u64 = 0x60_0000;
pub(crate) const PENDING: u64 = 0x70_0000;
const UNMAPPED: u64 = 0x90_0000;
pub(crate) const STACK: u64 = 0x7fff_0000;

/// Return addresses into code with this rule.
pub(crate) const fn at(rule: u64) -> u64 {
    CODE + 0x100 * rule + 0x10
}

pub(crate) const fn rule(kind: u32, cfa_reg: u8, cfa_offset: i32) -> ir_rule {
    ir_rule {
        kind: kind as u8,
        cfa_reg,
        fp_slot: IR_SLOT_SAME as i16,
        rbx_slot: IR_SLOT_SAME as i16,
        ra_slot: -1,
        cfa_offset,
        cfa_offset2: 0,
    }
}

/// What Go alone can do.
const fn of_go(operation: u32) -> ir_rule {
    of_runtime(RuntimeId::Go as u8, rule(IR_RULE_NONE, 0, operation as i32))
}

/// The rule where the code is that of a runtime, which may be one that the walk does not know.
const fn of_runtime(number: u8, native: ir_rule) -> ir_rule {
    ir_rule {
        kind: native.kind | IR_RULE_OF_RUNTIME as u8,
        cfa_reg: native.cfa_reg | number << IR_RULE_RUNTIME_SHIFT,
        ..native
    }
}

/// The frame is the return address alone.
pub(crate) const LEAF: ir_rule = rule(IR_RULE_OFFSET, 7, 8);
pub(crate) const ROOT: ir_rule = rule(IR_RULE_ROOT, 0, 0);

/// A stack from `STACK` on, in code with `rules`.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) rules: Vec<ir_rule>,
    pub(crate) pc: u64,
    pub(crate) rbp: u64,
    pub(crate) words: Vec<u64>,
    /// What is known of Go in the process.
    pub(crate) go: ir_go_state,
    pub(crate) damage: fn(&mut Environment),
    pub(crate) stop: u32,
    /// Addresses of the frames.
    pub(crate) frames: Vec<u64>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            name: "",
            rules: vec![LEAF, ROOT],
            pc: at(0),
            rbp: 0,
            words: Vec::new(),
            go: ir_go_state::default(),
            damage: |_| {},
            stop: IR_STOP_COMPLETE,
            frames: Vec::new(),
        }
    }
}

impl Case {
    pub(crate) fn environment(&self) -> Environment {
        let mapping =
            |start, image| ir_mapping { start, end: start + 0x2_0000, bias: 0, image, reserved: 0 };
        let mappings = vec![
            mapping(CODE, IR_IMAGE_FIRST),
            mapping(ANONYMOUS, IR_IMAGE_NONE),
            mapping(PENDING, IR_IMAGE_PENDING),
        ];
        let row = |i| ir_row { address_low: 0x100 * i, rule: i };
        let rows: Vec<_> = (0..self.rules.len() as u16).map(row).collect();
        let page = ir_page { slab: 0, first: 0, count: rows.len() as u32, last_used: 0 };
        let key = ir_page_key { image: IR_IMAGE_FIRST, page: (CODE >> 16) as u32 };
        let count = mappings.len() as u32;
        let process = ir_process { state: IR_PROCESS_KNOWN, count, ..Default::default() };
        let mut environment = Environment {
            process,
            states: ir_runtime_states { go: self.go, ..Default::default() },
            mappings,
            slabs: vec![rows],
            pages: vec![(key, page)],
            rules: self.rules.clone(),
        };
        (self.damage)(&mut environment);
        environment
    }

    pub(crate) fn start(&self) -> Start {
        let mut registers =
            ir_registers { pc: self.pc, thread_pointer: STACK, ..Default::default() };
        (registers.general[7], registers.general[6]) = (STACK, self.rbp);
        let bytes = self.words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let regions = vec![(STACK, bytes)];
        Start { registers, valid: 0xffff, return_address: false, regions }
    }
}

fn whole_stacks() -> Vec<Case> {
    let deref = ir_rule { cfa_offset2: 16, ..rule(IR_RULE_DEREF, 7, 8) };
    let plt = ir_rule { cfa_offset2: 11, ..rule(IR_RULE_PLT, 7, 8) };
    let by_frame_pointer = |name, kind| Case {
        name,
        rules: vec![rule(kind, 0, 0), ROOT],
        rbp: STACK + 8,
        words: vec![0, 0, at(1)],
        frames: vec![at(0), at(1)],
        ..Case::default()
    };
    vec![
        Case { name: "entry", words: vec![at(1)], frames: vec![at(0), at(1)], ..Case::default() },
        Case {
            name: "zero return address",
            words: vec![0],
            frames: vec![at(0)],
            ..Case::default()
        },
        Case {
            name: "CFA in memory",
            rules: vec![deref, ROOT],
            words: vec![0, STACK + 16, 0, at(1)],
            frames: vec![at(0), at(1)],
            ..Case::default()
        },
        Case {
            name: "early in a PLT stub",
            rules: vec![plt, ROOT],
            words: vec![at(1)],
            frames: vec![at(0), at(1)],
            ..Case::default()
        },
        Case {
            name: "late in a PLT stub",
            rules: vec![plt, ROOT],
            pc: CODE + 11,
            words: vec![0, at(1)],
            frames: vec![CODE + 11, at(1)],
            ..Case::default()
        },
        Case {
            name: "frame that its runtime leaves to the native rule",
            rules: vec![of_runtime(15, deref), ROOT],
            words: vec![0, STACK + 16, 0, at(1)],
            frames: vec![at(0), at(1)],
            ..Case::default()
        },
        by_frame_pointer("frame pointer", IR_RULE_FRAME_POINTER),
        by_frame_pointer("guessed frame pointer", IR_RULE_GUESS),
    ]
}

/// Whole stacks that depend on where the return address is, and on where its rule is looked up.
fn return_addresses() -> Vec<Case> {
    let in_rdi = ir_rule { ra_slot: IR_SLOT_REGISTER as i16 | 5, ..LEAF };
    vec![
        // A call that does not return may be the last instruction of what its rule is about.
        Case {
            name: "return address behind its rule",
            rules: vec![LEAF, rule(IR_RULE_NONE, 0, 0), ROOT],
            words: vec![CODE + 0x100, at(2)],
            frames: vec![at(0), CODE + 0x100, at(2)],
            ..Case::default()
        },
        Case {
            name: "leaf at the first instruction of its rule",
            rules: vec![rule(IR_RULE_NONE, 0, 0), LEAF, ROOT],
            pc: CODE + 0x100,
            words: vec![at(2)],
            frames: vec![CODE + 0x100, at(2)],
            ..Case::default()
        },
        // vfork's, whose return address must not be on the stack that the child shares.
        Case {
            name: "empty frame with its return address in a register",
            rules: vec![ir_rule { cfa_offset: 0, ..in_rdi }],
            frames: vec![at(0)],
            ..Case::default()
        },
        Case {
            name: "return address in a register",
            rules: vec![in_rdi],
            words: vec![0],
            frames: vec![at(0)],
            ..Case::default()
        },
    ]
}

/// Walks that leave the stack they are on.
fn switched_stacks() -> Vec<Case> {
    let go = ir_go_state {
        g_tls_offset: 8,
        g_m: 0,
        m_curg: 0,
        g_sched_sp: 16,
        g_sched_pc: 24,
        g_sched_bp: 32,
        present: 1,
    };
    // g = m = curg = the stack: *(thread pointer + 8) = g, *(g + 0) = m, *(m + 0) = curg
    let goroutine = vec![STACK, STACK, STACK + 40, at(1), 0, at(1)];
    let mut interrupted = vec![0; 64];
    // gregs at 40: rsp is the 16th, rip the 17th (asm/sigcontext.h).
    (interrupted[5 + 15], interrupted[5 + 16]) = (STACK + 8 * 40, at(1));
    interrupted[40] = at(2);
    vec![
        Case {
            name: "signal",
            rules: vec![rule(IR_RULE_SIGNAL, 0, 0), LEAF, ROOT],
            words: interrupted,
            frames: vec![at(0), at(1), at(2)],
            ..Case::default()
        },
        Case {
            name: "systemstack",
            rules: vec![of_go(IR_GO_SYSTEMSTACK), ROOT],
            words: goroutine.clone(),
            go,
            frames: vec![at(0), at(1)],
            ..Case::default()
        },
        Case {
            name: "morestack",
            rules: vec![of_go(IR_GO_MORESTACK), ROOT],
            words: goroutine,
            go,
            frames: vec![at(0), at(1)],
            ..Case::default()
        },
    ]
}

fn cut_by_tables() -> Vec<Case> {
    let case = |name, stop, words: Vec<u64>, frames: Vec<u64>| Case {
        name,
        words,
        stop,
        frames,
        ..Case::default()
    };
    let with = |name, stop, kind: u32| Case {
        name,
        stop,
        rules: vec![rule(kind, 7, 8)],
        words: vec![at(0)],
        frames: vec![at(0)],
        ..Case::default()
    };
    let of_runtime = |name, stop, rule| Case { rules: vec![rule], ..with(name, stop, 0) };
    let deep = vec![at(0); IR_MAX_USER_FRAMES as usize + 88];
    let frames = vec![at(0); IR_MAX_USER_FRAMES as usize];
    let damaged = |name, damage| Case {
        name,
        stop: IR_STOP_LOOKUP_FAILED,
        words: vec![at(1)],
        frames: vec![at(0)],
        damage,
        ..Case::default()
    };
    vec![
        case("too deep", IR_STOP_MAX_FRAMES, deep, frames),
        case("to no mapping", IR_STOP_NO_MAPPING, vec![UNMAPPED], vec![at(0)]),
        case("to an unloaded page", IR_STOP_NO_TABLE, vec![NOT_LOADED], vec![at(0), NOT_LOADED]),
        case("to a pending image", IR_STOP_NO_TABLE, vec![PENDING + 16], vec![at(0), PENDING + 16]),
        with("hole", IR_STOP_NO_CFI, IR_RULE_NONE),
        with("expression", IR_STOP_UNSUPPORTED_RULE, IR_RULE_UNSUPPORTED),
        with("no kind of rule", IR_STOP_UNSUPPORTED_RULE, 200),
        of_runtime("not a Go process", IR_STOP_GO_STATE, of_go(IR_GO_MORESTACK)),
        of_runtime("nothing that Go does", IR_STOP_UNSUPPORTED_RULE, of_go(99)),
        damaged("slab that is not there", |e| e.pages[0].1.slab = 7),
        damaged("rule that is not there", |e| e.slabs[0][0].rule = 99),
        damaged("page without rows", |e| e.pages[0].1.count = 0),
    ]
}

fn cut_by_stacks() -> Vec<Case> {
    let case = |name, stop, rule: ir_rule| Case {
        name,
        stop,
        rules: vec![rule],
        words: vec![0; 8],
        frames: vec![at(0)],
        ..Case::default()
    };
    let anonymous = |name, stop, rbp| Case {
        pc: ANONYMOUS,
        rbp,
        frames: vec![ANONYMOUS],
        ..case(name, stop, LEAF)
    };
    let lost = Case {
        words: vec![at(1)],
        rules: vec![LEAF, rule(IR_RULE_OFFSET, 12, 8)],
        frames: vec![at(0), at(1)],
        ..case("register of the leaf in its caller", IR_STOP_REGISTER_LOST, LEAF)
    };
    let no_return = ir_rule { ra_slot: IR_SLOT_UNDEFINED as i16, ..LEAF };
    vec![
        lost,
        case("no return address", IR_STOP_REGISTER_LOST, no_return),
        case("CFA past the stack", IR_STOP_STACK_UNREADABLE, rule(IR_RULE_OFFSET, 7, 4096)),
        case("signal frame past the stack", IR_STOP_STACK_UNREADABLE, rule(IR_RULE_SIGNAL, 7, 0)),
        case("CFA in unreadable memory", IR_STOP_STACK_UNREADABLE, rule(IR_RULE_DEREF, 7, 4096)),
        case("frame of no size", IR_STOP_NO_PROGRESS, rule(IR_RULE_OFFSET, 7, 0)),
        case("CFA going down", IR_STOP_NO_PROGRESS, rule(IR_RULE_OFFSET, 7, -16)),
        Case {
            rbp: STACK - 8,
            ..case("guess below the stack", IR_STOP_BAD_FRAME_POINTER, rule(IR_RULE_GUESS, 0, 0))
        },
        anonymous("frame pointer below the stack", IR_STOP_NO_CFI, STACK - 8),
        anonymous("crooked frame pointer", IR_STOP_NO_CFI, STACK + 3),
        anonymous("frame pointer past the stack", IR_STOP_NO_CFI, STACK + 0x1_0000),
    ]
}

/// Not this unwinder's to give: (reason, who gives it).
const GIVEN_BY_OTHERS: [(u32, &str); 5] = [
    (IR_STOP_STACK_COPY_LIMIT, "HostUnwinder, where the copied stack ends"),
    (IR_STOP_PROCESS_GONE, "the agent"),
    (IR_STOP_COMPAT, "the sampler, before it unwinds"),
    (IR_STOP_NOT_READY, "the sampler, before it unwinds"),
    (IR_STOP_MAPPINGS_CHANGED, "the agent"),
];

#[test]
fn every_reason_to_stop_is_given_where_it_applies() {
    let cases: Vec<_> = whole_stacks()
        .into_iter()
        .chain(return_addresses())
        .chain(switched_stacks())
        .chain(cut_by_tables())
        .chain(cut_by_stacks())
        .collect();
    let mut script = Script::new("stops");
    for case in &cases {
        script.environment(&case.environment());
        script.walk(&case.start());
    }
    let mut seen: BTreeSet<u32> = GIVEN_BY_OTHERS.iter().map(|(reason, _)| *reason).collect();
    for (case, walked) in cases.iter().zip(script.run_walks()) {
        let addresses: Vec<_> = walked.frames.iter().map(ir_frame::address).collect();
        assert_eq!(
            (stop_reason_text(walked.stop), addresses),
            (stop_reason_text(case.stop), case.frames.clone()),
            "{}",
            case.name
        );
        seen.insert(walked.stop);
    }
    let all: BTreeSet<u32> = STOP_REASONS.iter().map(|(id, ..)| *id).collect();
    assert_eq!(seen, all, "every reason of the list is given by some case");
}
