//! Budgets that are used up by many or by one: what that costs the others, and that it passes. Needs root, and fails
//! without.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod recording;

use std::{
    fmt::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command},
};

use infrared_agent::{AgentConfig, Loss, Target};

use recording::{compile, folder, is_truncated, record, run};

/// An ordinary user.
const NOBODY: u32 = 65534;

/// Burns so many milliseconds below two calls whose names begin with NAME.
fn burner(name: &str) -> String {
    format!(
        r"
        #include <stdlib.h>
        #include <time.h>
        volatile unsigned long sum;
        __attribute__((noinline)) void {name}_leaf(void)
        {{
            for (int i = 0; i < 100000; i++)
                sum += i * i;
        }}
        __attribute__((noinline)) void {name}_work(long ms)
        {{
            while (clock() < ms * (CLOCKS_PER_SEC / 1000))
                {name}_leaf();
            sum++;
        }}
        int main(int count, char **arguments)
        {{
            {name}_work(atol(arguments[1]));
            return 0;
        }}
        "
    )
}

fn config() -> AgentConfig {
    AgentConfig { frequency_hz: 499, ..AgentConfig::default() }
}

/// Asserts of a program's samples that nearly all are whole and named by its own functions.
fn assert_whole(recorded: &recording::Recorded, service: &str, name: &str) {
    let work = format!("{name}_work");
    let is_right = |frames: &[String]| !is_truncated(frames) && frames.contains(&work);
    let (right, all) = recorded.share(service, is_right);
    assert!(all > 50, "{service}: {all} samples");
    // Start and end of the process are elsewhere.
    assert!(right * 100 >= all * 95, "{service}: {right} of {all}");
}

/// A C file that takes a compiler some seconds.
fn much_to_compile() -> String {
    let mut text = String::new();
    for number in 0..700 {
        writeln!(
            text,
            "int f{number}(int *a, int n) {{ int s = {number}; for (int i = 0; i < n; i++) \
             {{ if (a[i] % 7 == {number} % 7) s += a[i] * i; else s ^= a[n - i] << 3; \
             switch (s & 7) {{ case 1: s *= 3; break; case 4: s -= a[i]; break; case 6: s /= 5; }} }} \
             return s; }}"
        )
        .unwrap();
    }
    text
}

#[test]
fn a_budget_of_one_mebibyte_still_gives_whole_stacks_of_a_large_program() {
    let folder = folder();
    let source = folder.path().join("much.c");
    std::fs::write(&source, much_to_compile()).unwrap();
    let mine = compile(folder.path(), "modest", &[("main.c", &burner("modest"))], &[]);
    // Twice as often as by default, and the test's own programs alone: tables of compilers that others run would be in the budget.
    let config = AgentConfig {
        table_budget_bytes: 1 << 20,
        frequency_hz: 199,
        target: Target::Processes(vec![std::process::id()]),
        exclude_self: true,
        ..config()
    };
    let recorded = record(config, |_| {
        let compiler = Command::new("gcc")
            .args(["-O2", "-c", "-o", "/dev/null"])
            .arg(&source)
            .status()
            .unwrap();
        assert!(compiler.success());
        run(&mine, &["500"]);
    });
    let (truncated, all) = recorded.share("cc1", is_truncated);
    println!("{truncated} of {all} truncated, {:?}", recorded.stats.tables);
    assert!(all > 100, "{all} samples of the compiler");
    let stacks = &recorded.stats.stacks;
    assert!(truncated * 100 <= all * 2, "{truncated} of {all}: {stacks:?}");
    assert_whole(&recorded, "modest", "modest");
    assert!(recorded.stats.tables.evicted_pages > 0, "{:?}", recorded.stats.tables);
    assert!(recorded.stats.tables.slab_bytes <= 1 << 20);
}

/// A function with so many different rules.
fn many_rules(rules: u32) -> String {
    let mut text =
        String::from(".text\n.globl many\n.type many, @function\nmany:\n.cfi_startproc\n");
    for number in 0..rules {
        writeln!(text, "nop\n.cfi_def_cfa_offset {}", 16 + number * 8).unwrap();
    }
    text.push_str(".cfi_def_cfa_offset 8\nret\n.cfi_endproc\n.size many, .-many\n");
    text.push_str(".section .note.GNU-stack,\"\",@progbits\n");
    text
}

#[test]
fn a_program_with_more_rules_than_there_are_leaves_those_of_others() {
    let folder = folder();
    // The compiler's own leaf calls what has the rules, so that its page is walked.
    let greedy = burner("greedy").replace("sum += i * i;", "sum += i * i; many();");
    let greedy = greedy
        .replace("volatile unsigned long sum;", "volatile unsigned long sum; void many(void);");
    let greedy = greedy.replace("i < 100000", "i < 100");
    let sources = [("main.c", &*greedy), ("many.s", &*many_rules(36_000))];
    let greedy = compile(folder.path(), "greedy", &sources, &[]);
    let modest = compile(folder.path(), "modest", &[("main.c", &burner("modest"))], &[]);
    let recorded = record(config(), |_| {
        run(&greedy, &["600"]);
        run(&modest, &["500"]);
    });
    let over = recorded.stats.losses.get(Loss::RowsOverRules);
    assert!(over > 0, "{:?}", recorded.stats.losses);
    assert!(recorded.stats.tables.rules < 10_000, "{:?}", recorded.stats.tables);
    assert_whole(&recorded, "modest", "modest");
}

/// Maps so many memory files as code and burns so many milliseconds.
const FLOOD: &str = r"
    #define _GNU_SOURCE
    #include <stdlib.h>
    #include <sys/mman.h>
    #include <time.h>
    #include <unistd.h>
    volatile unsigned long sum;
    int main(int count, char **arguments)
    {
        for (int left = atoi(arguments[1]); left > 0; left--) {
            int file = memfd_create(arguments[0], 0);
            if (file < 0 || ftruncate(file, 4096) ||
                mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0) == MAP_FAILED)
                return 1;
            close(file);
        }
        while (clock() < atol(arguments[2]) * (CLOCKS_PER_SEC / 1000))
            for (int i = 0; i < 100000; i++)
                sum += i * i;
        return 0;
    }";

fn as_nobody(program: &Path, arguments: &[&str]) -> Child {
    Command::new(program).args(arguments).uid(NOBODY).spawn().unwrap()
}

#[test]
fn a_flood_of_images_crowds_out_nobody_but_its_own_user() {
    let folder = folder();
    let flood = compile(folder.path(), "flood", &[("main.c", FLOOD)], &[]);
    let before = compile(folder.path(), "before", &[("main.c", &burner("before"))], &[]);
    let after = compile(folder.path(), "after", &[("main.c", &burner("after"))], &[]);
    let recorded = record(config(), |_| {
        run(&before, &["100"]);
        // More than there is room for; one with more than are looked at one by one.
        let mut floods: Vec<Child> = (0..20).map(|_| as_nobody(&flood, &["500", "150"])).collect();
        floods.push(as_nobody(&flood, &["8000", "300"]));
        for flood in &mut floods {
            assert!(flood.wait().unwrap().success());
        }
        run(&before, &["400"]);
        run(&after, &["500"]);
    });
    let stats = &recorded.stats;
    println!("{:?}, {} images", stats.image_counts, stats.images);
    assert!(stats.image_counts.evicted > 0 && stats.images <= 8192);
    assert!(stats.image_counts.open_files <= 1024, "{:?}", stats.image_counts);
    for name in ["before", "after"] {
        assert_whole(&recorded, name, name);
    }
}

#[test]
fn a_build_id_that_two_programs_have_gives_neither_the_names_of_the_other() {
    let folder = folder();
    let build_id = ["-Wl,--build-id=0x112233445566778899aabbccddeeff0011223344"];
    let program = |name| compile(folder.path(), name, &[("main.c", &burner(name))], &build_id);
    // Names of one length: the files have one layout.
    let (alpha, gamma) = (program("alpha"), program("gamma"));
    let recorded = record(config(), |_| {
        run(&alpha, &["400"]);
        run(&gamma, &["400"]);
        run(&alpha, &["200"]);
    });
    assert_whole(&recorded, "alpha", "alpha");
    assert_whole(&recorded, "gamma", "gamma");
}
