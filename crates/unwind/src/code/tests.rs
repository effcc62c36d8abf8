//! Rules found from code, held against the call frame information of code that has it, and against musl's libc, which
//! has none.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use object::{Object as _, ObjectSymbol as _, ReadCache};

use super::{RecognizedCode, code_sections};
use crate::image::Image;
use crate::rule::{Rule, RuleKind, Slot};
use crate::{CompactTable, Options, build, lookup};

/// How far rules found from code agree with described ones, where a described one begins.
#[derive(Debug, Default)]
struct Agreement {
    described: u64,
    found: u64,
    /// Both count from the same register.
    comparable: u64,
    same_cfa: u64,
    /// Both say that rbp is on the stack, but not at the same place.
    other_place_of_fp: u64,
}

fn compare(path: &Path, agreement: &mut Agreement) {
    let cache = ReadCache::new(File::open(path).unwrap());
    let options = Options::default();
    let table = build(&cache, &options).unwrap();
    let image = Image::open(&cache, options.max_section_bytes).unwrap();
    let found = RecognizedCode::follow(&image, &code_sections(&image));
    for page in &table.pages {
        for row in table.rows_of(page) {
            let svma = (u64::from(page.index) << 16) | u64::from(row.address_low);
            let described = table.rules[usize::from(row.rule)];
            if described.kind != RuleKind::Offset || described.ra != Slot::Cfa(-1) {
                continue;
            }
            agreement.described += 1;
            let Some(rule) = rule_at(&found, svma) else { continue };
            agreement.found += 1;
            if rule.cfa_reg == described.cfa_reg {
                agreement.comparable += 1;
                agreement.same_cfa += u64::from(rule.cfa_offset == described.cfa_offset);
            }
            let both_saved = matches!((rule.fp, described.fp), (Slot::Cfa(_), Slot::Cfa(_)));
            agreement.other_place_of_fp += u64::from(both_saved && rule.fp != described.fp);
        }
    }
}

fn rule_at(found: &RecognizedCode, svma: u64) -> Option<Rule> {
    let after = found.spans.partition_point(|span| span.start <= svma);
    let span = found.spans.get(after.checked_sub(1)?)?;
    let covers = svma < span.start + u64::from(span.len);
    covers.then(|| found.rows(&(svma..svma + 1)).last().map(|(_, rule)| *rule))?
}

#[test]
fn rules_found_from_code_agree_with_call_frame_information() {
    let mut all = Agreement::default();
    for path in ["/bin/bash", "/bin/tar", "/lib/x86_64-linux-gnu/libc.so.6"] {
        compare(Path::new(path), &mut all);
    }
    println!("{all:?}");
    assert!(all.described > 30_000, "too few rows to prove anything");
    assert!(all.found * 100 >= all.described * 99);
    assert!(all.comparable * 100 >= all.found * 95);
    assert!(all.same_cfa * 100 >= all.comparable * 99);
    assert!(all.other_place_of_fp * 1000 <= all.found * 5);
}

const PROGRAM: &str = "
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
static int compare(const void *left, const void *right) { return *(const int *)left - *(const int *)right; }
static void handle(int number) { exit(number); }
static void *thread(void *argument) { return argument; }
int main(void)
{
	int numbers[] = { 3, 1, 2 };
	pthread_t id;
	signal(SIGUSR1, handle);
	pthread_create(&id, 0, thread, 0);
	qsort(numbers, 3, sizeof(int), compare);
	return printf(\"%d %f\\n\", numbers[0], 1.5);
}
";

struct Musl {
    bytes: Vec<u8>,
    table: CompactTable,
}

impl Musl {
    fn compile() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("program.c");
        let output = directory.path().join("program");
        std::fs::write(&source, PROGRAM).unwrap();
        let status = Command::new("musl-gcc")
            .args(["-O2", "-static", "-o"])
            .args([&output, &source])
            .status()
            .expect("musl-gcc is needed");
        assert!(status.success());
        let bytes = std::fs::read(output).unwrap();
        let table = build(bytes.as_slice(), &Options::default()).unwrap();
        Self { bytes, table }
    }

    fn functions(&self) -> Vec<(String, u64, u64)> {
        let image = object::File::parse(self.bytes.as_slice()).unwrap();
        let functions = image.symbols().filter(|symbol| symbol.kind() == object::SymbolKind::Text);
        functions
            .map(|symbol| (symbol.name().unwrap().to_owned(), symbol.address(), symbol.size()))
            .filter(|(name, ..)| !name.is_empty())
            .collect()
    }

    fn address_of(&self, name: &str) -> u64 {
        let image = object::File::parse(self.bytes.as_slice()).unwrap();
        image.symbol_by_name(name).expect(name).address()
    }

    fn rule_at(&self, svma: u64) -> Rule {
        *lookup(&self.table, svma).unwrap()
    }
}

#[test]
fn musls_functions_start_with_the_return_address_on_top_of_the_stack() {
    let musl = Musl::compile();
    let mut checked = 0;
    for (name, address, size) in musl.functions() {
        if size == 0 || matches!(name.as_str(), "_start" | "__restore_rt" | "__restore") {
            continue;
        }
        let rule = musl.rule_at(address);
        assert_eq!(
            (rule.kind, rule.cfa_reg, rule.cfa_offset, rule.ra),
            (RuleKind::Offset, 7, 8, Slot::Cfa(-1)),
            "{name}"
        );
        checked += 1;
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn musls_entries_and_trampoline_are_recognised() {
    let musl = Musl::compile();
    let start = musl.address_of("_start");
    assert_eq!(musl.rule_at(start).kind, RuleKind::Root);
    assert_eq!(musl.rule_at(start + 0x15).kind, RuleKind::Root, "after the call of _start_c");

    let trampoline = musl.address_of("__restore_rt");
    assert_eq!(musl.rule_at(trampoline), Rule::signal(0));
    assert_eq!(musl.rule_at(trampoline - 1), Rule::signal(0), "a return address is looked up so");

    // The child's side of __clone: xor ebp, ebp; pop rdi; call r9
    let clone = musl.address_of("__clone");
    assert_eq!(musl.rule_at(clone).kind, RuleKind::Offset);
    let image = object::File::parse(musl.bytes.as_slice()).unwrap();
    let text =
        object::ObjectSection::data_range(&image.section_by_name(".text").unwrap(), clone, 64);
    let child = [0x31, 0xed, 0x5f, 0x41, 0xff, 0xd1];
    let at = text.unwrap().unwrap().windows(child.len()).position(|code| code == child).unwrap();
    let call_end = clone + (at + child.len()) as u64;
    assert_eq!(musl.rule_at(call_end - 1).kind, RuleKind::Root);
}

#[test]
fn a_function_that_makecontext_starts_returns_to_the_end_of_its_stack() {
    let libc = std::fs::read("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
    let image = Image::open(&libc[..], 64 << 20).unwrap();
    let start = super::returned_to::start_context(&image).expect("glibc has makecontext");
    let table = crate::build(&libc[..], &crate::Options::default()).unwrap();
    assert_eq!(crate::lookup(&table, start - 1).map(|rule| rule.kind), Some(crate::RuleKind::Root));
    assert_ne!(crate::lookup(&table, start - 2).map(|rule| rule.kind), Some(crate::RuleKind::Root));
}

#[test]
fn a_function_that_is_jumped_to_has_its_return_address_on_top_of_the_stack() {
    // pop rcx; push 0 (four times); push rcx; jmp over int3
    let mut code = vec![0x59, 0x6a, 0, 0x6a, 0, 0x6a, 0, 0x6a, 0, 0x51, 0xeb, 0x04];
    code.resize(16, 0xcc);
    // push rbp; mov rbp, rsp; call rbx; leave; ret
    code.extend([0x55, 0x48, 0x89, 0xe5, 0xff, 0xd3, 0xc9, 0xc3]);
    let read = |_, _| None;
    let mut flow = super::flow::Flow::new(&read);
    flow.add_range(0x1000, &code);
    flow.follow_functions([0x1000].into());
    let mut offsets = Vec::new();
    flow.for_each_run(|range, rule| offsets.push((range.start, rule.cfa_offset)));
    assert!(offsets.contains(&(0x100a, 40)), "before the jump: {offsets:x?}");
    assert!(offsets.contains(&(0x1010, 8)) && offsets.contains(&(0x1011, 16)), "{offsets:x?}");
}

#[test]
fn the_shortest_section_has_rules() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("program.c");
    let output = directory.path().join("program");
    std::fs::write(&source, "int main(void) { return 0; }").unwrap();
    let status = Command::new("gcc").arg("-o").args([&output, &source]).status();
    assert!(status.expect("gcc is needed").success());
    let bytes = std::fs::read(output).unwrap();
    let table = build(bytes.as_slice(), &Options::default()).unwrap();
    let image = Image::open(&bytes[..], 64 << 20).unwrap();
    let fini = image.section(".fini").expect("gcc's start-up files have it");
    assert!(fini.size < 16, "{} bytes", fini.size);
    // sub rsp, 8; add rsp, 8; ret
    let offsets = (0..fini.size).map(|offset| {
        let rule = crate::lookup(&table, fini.address + offset);
        rule.map(|rule| (rule.kind, rule.cfa_reg, rule.cfa_offset))
    });
    assert!(
        offsets.clone().all(|found| {
            found == Some((RuleKind::Offset, 7, 8)) || found == Some((RuleKind::Offset, 7, 16))
        }),
        "{:?}",
        offsets.collect::<Vec<_>>()
    );
}

/// A library without unwind information of `functions` functions, of which `with_frames` in a hundred set up a frame.
fn undescribed(functions: u32, with_frames: u32) -> CompactTable {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("functions.s");
    let output = directory.path().join("functions.so");
    let rest = 100 - with_frames;
    let code = format!(
        ".text\n.rept {}\n\
         .rept {with_frames}\npush %rbp\nmov %rsp, %rbp\n.fill 90, 1, 0x90\npop %rbp\nret\n.endr\n\
         .rept {rest}\nsub $8, %rsp\n.fill 90, 1, 0x90\nadd $8, %rsp\nret\n.endr\n\
         .endr\n",
        functions / 100
    );
    std::fs::write(&source, code).unwrap();
    let status =
        Command::new("gcc").args(["-shared", "-nostdlib", "-o"]).args([&output, &source]).status();
    assert!(status.expect("gcc is needed").success());
    build(std::fs::read(output).unwrap().as_slice(), &Options::default()).unwrap()
}

/// The rules of all rows.
fn kinds(table: &CompactTable) -> HashSet<RuleKind> {
    table.rows.iter().map(|row| table.rules[usize::from(row.rule)].kind).collect()
}

#[test]
fn much_code_is_a_guess_where_nearly_all_of_it_keeps_frame_pointers() {
    let guessed = kinds(&undescribed(40_000, 100));
    assert!(guessed.contains(&RuleKind::Guess), "{guessed:?}");
    for with_frames in [0, 2] {
        let not_guessed = kinds(&undescribed(40_000, with_frames));
        assert!(!not_guessed.contains(&RuleKind::Guess), "{with_frames}: {not_guessed:?}");
    }
}

#[test]
fn little_code_is_followed_and_never_a_guess() {
    let followed = kinds(&undescribed(1000, 100));
    assert!(followed.contains(&RuleKind::Offset), "{followed:?}");
    assert!(!followed.contains(&RuleKind::Guess), "{followed:?}");
}

/// Rules of a stripped library that consists of `code`, at each of the first `bytes` of its text.
fn rules_of(code: &str, bytes: u64) -> Vec<Option<Rule>> {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("code.s");
    let output = directory.path().join("code.so");
    std::fs::write(&source, format!(".text\n.p2align 4\n{code}")).unwrap();
    let status = Command::new("gcc")
        .args(["-shared", "-nostdlib", "-s", "-o"])
        .args([&output, &source])
        .status();
    assert!(status.expect("gcc is needed").success());
    let file = std::fs::read(output).unwrap();
    let table = build(file.as_slice(), &Options::default()).unwrap();
    let image = Image::open(&file[..], 64 << 20).unwrap();
    let text = image.section(".text").unwrap().address;
    let known = |rule: &&Rule| rule.kind != RuleKind::None;
    (text..text + bytes).map(|svma| lookup(&table, svma).filter(known).copied()).collect()
}

#[test]
fn vector_code_that_is_called_by_its_address_has_its_return_address_on_top_of_the_stack() {
    let encodings = [
        "vpaddd %zmm18, %zmm20, %zmm19",
        "vinserti32x4 $0x2, (%rdi,%rax,1), %zmm20, %zmm20",
        "vpternlogd $0xb1, %zmm1, %zmm2, %zmm3{%k1}{z}",
        "vpdpbusd %zmm1, %zmm2, %zmm3",
        "vaddph %zmm1, %zmm2, %zmm3",
        "vfmaddsubps %ymm1, %ymm2, %ymm3, %ymm4",
    ];
    for instruction in encodings {
        let code = format!("mov $9, %ecx\n1: {instruction}\n dec %ecx\n jnz 1b\n ret\n");
        for (offset, rule) in rules_of(&code, 10).into_iter().enumerate() {
            let rule = rule.unwrap_or_else(|| panic!("{instruction}: no rule at {offset}"));
            assert_eq!((rule.cfa_reg, rule.cfa_offset), (7, 8), "{instruction} at {offset}");
        }
    }
}

#[test]
fn an_unknown_instruction_ends_what_is_known() {
    // 0x06 is no instruction of 64-bit code; what is behind it looks like a function's last instructions.
    let code =
        "sub $24, %rsp\n nop\n .byte 0x06\n .byte 0x01, 0xc0, 0xc3\n .byte 0x89, 0xc8, 0xc3\n";
    let rules = rules_of(code, 12);
    assert_eq!(rules[4].map(|rule| rule.cfa_offset), Some(32), "before it");
    assert!(rules[5..].iter().all(Option::is_none), "{rules:?}");
}

#[test]
fn code_behind_a_jump_is_an_entry_only_if_it_shows_that() {
    // The frame is lost by the alignment; what the second jump skips ends in a jump to an unknown place.
    let code = "push %rbx\n and $-64, %rsp\n jmp *%rax\n mov %eax, %ecx\n jmp *%rcx\n";
    let rules = rules_of(code, 11);
    assert!(rules[5..].iter().all(Option::is_none), "{rules:?}");
    // A function that starts like one, and is called by its address alone.
    let code = "ret\n.p2align 4\n push %rbx\n mov (%rdi), %rax\n pop %rbx\n jmp *%rax\n";
    let rules = rules_of(code, 20);
    assert_eq!(rules[16].map(|rule| rule.cfa_offset), Some(8));
    assert_eq!(rules[17].map(|rule| rule.cfa_offset), Some(16));
}

#[test]
fn what_follows_a_call_that_does_not_return_says_nothing_of_the_caller() {
    // Reached by nothing, with 24 bytes of frame, and behind it another function.
    let code = "and $-64, %rsp\n jmp *%rax\n mov %eax, %edi\n call *%rcx\n sub $8, %rsp\n nop\n add $8, %rsp\n ret\n";
    let rules = rules_of(code, 10);
    assert!(rules[6..10].iter().all(Option::is_none), "{rules:?}");
}

#[test]
fn a_loop_that_is_left_in_its_middle_does_not_hide_the_return() {
    let code = "1: test %edi, %edi\n je 2f\n dec %edi\n jmp 1b\n2: ret\n";
    let rules = rules_of(code, 9);
    assert!(rules.iter().all(|rule| rule.is_some_and(|rule| rule.cfa_offset == 8)), "{rules:?}");
}

#[test]
fn code_that_is_not_understood_has_no_rule_however_short_it_is() {
    let code = "sub $24, %rsp\n1: jmp 1b\n mov %eax, %ecx\n jmp *%rcx\n\
                .p2align 4\n push %rbx\n pop %rbx\n ret\n";
    let rules = rules_of(code, 17);
    assert_eq!(rules[4].map(|rule| rule.cfa_offset), Some(32), "{rules:?}");
    assert!(rules[6..10].iter().all(Option::is_none), "{rules:?}");
    assert_eq!(rules[16].map(|rule| rule.cfa_offset), Some(8), "{rules:?}");
}

#[test]
fn a_stack_begins_where_a_fibre_does() {
    let code = "lea 1f(%rip), %rax\n mov %rax, 56(%rdi)\n lea 2f(%rip), %rcx\n mov %rcx, 48(%rdi)\n ret\n\
                1: push %rbp\n jmp *%rbx\n\
                2: xor %rdi, %rdi\n call exit@plt\n hlt\n\
                .p2align 4\n mov %rdi, %rax\n ret\n";
    let rules = rules_of(code, 52);
    let kinds: Vec<_> = rules.iter().map(|rule| rule.map(|rule| rule.kind)).collect();
    let [jump, exit, next] = [23, 26, 48];
    assert_eq!(kinds[jump - 1], Some(RuleKind::Offset), "what takes the addresses");
    // The jump, and the byte before what its function returns to, which is looked up for that return address.
    assert!(kinds[jump..exit + 9].iter().all(|kind| *kind == Some(RuleKind::Root)), "{kinds:?}");
    assert_eq!(rules[next].map(|rule| rule.cfa_offset), Some(8), "{rules:?}");
}

#[test]
fn a_call_that_does_not_return_has_the_caller_of_its_function() {
    // Its address is taken, but what is before it calls: a return address here may be that call's.
    let code = "sub $8, %rsp\n lea 2f(%rip), %rcx\n call exit@plt\n2: xor %rdi, %rdi\n call exit@plt\n hlt\n";
    let rules = rules_of(code, 16);
    assert_eq!(rules[15].map(|rule| (rule.kind, rule.cfa_offset)), Some((RuleKind::Offset, 16)));
}

#[test]
fn a_function_that_aligns_its_stack_is_known_by_the_register_that_keeps_it() {
    let code = "ret\n.p2align 4\n\
                mov %rsp, %rcx\n and $-32, %rsp\n sub $96, %rsp\n call 1f\n mov 16(%rcx), %eax\n\
                mov %rcx, %rsp\n ret\n.p2align 4\n\
                1: movdqa %xmm0, 8(%rsp)\n xor %eax, %eax\n ret\n";
    let rules = rules_of(code, 48);
    let cfa = |at: usize| rules[at].map(|rule| (rule.cfa_reg, rule.cfa_offset));
    assert_eq!((cfa(16), cfa(19)), (Some((7, 8)), Some((7, 8))), "before it is aligned");
    assert_eq!(
        (cfa(23), cfa(31), cfa(32)),
        (Some((2, 8)), Some((2, 8)), Some((2, 8))),
        "{rules:?}"
    );
    assert_eq!((cfa(38), cfa(48 - 1)), (Some((7, 8)), Some((7, 8))), "{rules:?}");
}

#[test]
fn a_register_that_kept_the_stack_is_not_believed_once_it_was_copied() {
    // In its second round the loop has another value in it.
    let code = "ret\n.p2align 4\n\
                mov %rsp, %rcx\n and $-32, %rsp\n sub $96, %rsp\n mov %rcx, 64(%rsp)\n\
                1: add $4, %rdi\n mov (%rdi), %ecx\n test %ecx, %ecx\n jnz 1b\n\
                mov 64(%rsp), %rsp\n ret\n";
    let rules = rules_of(code, 48);
    assert_eq!(rules[27].map(|rule| (rule.cfa_reg, rule.cfa_offset)), Some((2, 8)), "{rules:?}");
    assert!(rules[32..46].iter().all(Option::is_none), "{rules:?}");
}
