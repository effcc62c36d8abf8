//! Programs whose stacks or files are hard to follow, in one recording of the whole machine.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::Launch::{
    Chroot, Deleted, Memory, MountNamespace, Plain, Plugin, Replaced, ResolveEachCall, SecondMode,
};
use e2e::{Actor, Folded, Launch, Machine, Meter, Need, Observed, Recording, Request, Supply};

const HZ: u32 = 499;
const WORK: Duration = Duration::from_secs(6);
/// Processor time that each program is to have, and for how long its turn waits for it on a busy machine.
const ENOUGH: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(36);
/// Of each program's samples; one stray sample is allowed where that would be less than one.
const WHOLE: f64 = 0.99;
const FEWEST: u64 = 10;
/// The part of a program's time that each function takes that is asked for, at least.
const PART: f64 = 0.05;

/// Service, program, how it is started.
const CAST: &[(&str, &str, Launch)] = &[
    ("recursion", "recursion", Plain),
    ("signal", "signal", Plain),
    ("signal-own-stack", "signal", SecondMode),
    ("dlopen", "dlopen", Plugin),
    ("deleted", "simple", Deleted),
    ("replaced", "simple", Replaced),
    ("chroot", "simple-static", Chroot),
    ("mount-namespace", "simple", MountNamespace),
    ("memory", "simple-static", Memory),
    ("static", "simple-static", SecondMode),
    ("static-pie", "simple-static-pie", SecondMode),
    ("musl", "simple-musl", SecondMode),
    ("debug-frame", "simple-debug-frame", SecondMode),
    ("frame-pointers", "simple-frame-pointers", SecondMode),
    ("neither", "simple-neither", SecondMode),
    ("threads", "simple", SecondMode),
    ("stack-layout", "stack-layout", Plain),
    ("stack-drap", "stack-drap", Plain),
    ("vdso", "vdso", Plain),
    ("plt", "plt", Plain),
    ("resolver", "plt", ResolveEachCall),
    ("jit", "jit", Plain),
    ("jit-map", "jit", SecondMode),
    ("jit-reuse", "jit-reuse", Plain),
    ("children", "children", Plain),
    ("syscalls", "syscalls", Plain),
    ("jumps", "jumps", Plain),
    ("coroutines", "coroutines", Plain),
    ("inlined", "inlined", Plain),
    ("assembly", "assembly", Plain),
    ("churn", "churn", Plain),
    ("registers", "registers", Plain),
    ("go-stacks", "go-stacks", Plain),
];

/// Programs that work at the same time.
const TURN: usize = 7;

/// Without unwind information, cut by intent in parts, or judged by their depth: not whole altogether.
const NOT_WHOLE: [&str; 4] = ["assembly", "neither", "registers", "recursion"];

struct Scene {
    folded: Folded,
    /// By service.
    supplies: BTreeMap<&'static str, Supply>,
}

static SCENE: LazyLock<Result<Scene, String>> =
    LazyLock::new(|| record().map_err(|error| format!("{error:?}")));

/// All are started before the recording; they work and end in turns.
fn record() -> Result<Scene> {
    let _machine = Machine::reserve()?;
    let start = |&(service, program, launch): &(&'static str, &str, Launch)| {
        anyhow::Ok((service, Actor::start(&service_name(service), program, launch)?))
    };
    let mut actors = CAST.iter().map(start).collect::<Result<Vec<_>>>()?;
    let mut recording = Recording::start(Request::machine(HZ))?;
    let mut supplies = BTreeMap::new();
    while !actors.is_empty() {
        let mut turn: Vec<_> = actors.drain(..TURN.min(actors.len())).collect();
        let meter = |(_, actor): &(_, Actor)| Meter::start(actor.target.pid());
        let meters = turn.iter().map(meter).collect::<Result<Vec<_>>>()?;
        turn.iter_mut().try_for_each(|(_, actor)| actor.target.release())?;
        let had = work(&mut recording, &meters)?;
        supplies.extend(turn.iter().map(|&(service, _)| service).zip(had));
        turn.into_iter().try_for_each(|(_, actor)| actor.target.stop())?;
    }
    Ok(Scene { folded: recording.finish()?.folded, supplies })
}

/// A turn: the longer, the busier the machine is with other things.
fn work(recording: &mut Recording, meters: &[Meter]) -> Result<Vec<Supply>> {
    let begun = Instant::now();
    loop {
        recording.go_on_for(WORK)?;
        let supplies = meters.iter().map(Meter::read).collect::<Result<Vec<_>>>()?;
        if supplies.iter().all(|had| had.cpu >= ENOUGH) || begun.elapsed() >= PATIENCE {
            return Ok(supplies);
        }
    }
}

fn service_name(service: &str) -> String {
    format!("e2e-{service}")
}

#[track_caller]
fn scene() -> &'static Scene {
    match &*SCENE {
        Ok(scene) => scene,
        Err(error) => panic!("the scene could not be recorded: {error}"),
    }
}

#[track_caller]
fn observed(service: &str) -> Observed {
    Observed::of(&scene().folded, &[&service_name(service)])
}

/// Fails as starved or as wrong if `of_service` has too few samples.
#[track_caller]
fn assert_seen(service: &str, of_service: &Observed, samples: u64, part: f64) {
    let need = Need { samples, part, hz: HZ };
    if let Some(shortage) = scene().supplies[service].shortage(of_service.samples(), need) {
        panic!("{service}: {shortage}; of all:\n{}", observed(service).examples(|_| true));
    }
}

/// At least `WHOLE` of `total`, or all but one.
fn nearly_all(part: u64, total: u64) -> bool {
    part + 1 >= total || part as f64 >= WHOLE * total as f64
}

#[track_caller]
fn assert_whole(observed: &Observed, what: &str) {
    let error = not_whole(observed);
    assert!(error.is_none(), "{what}: {}", error.unwrap_or_default());
}

fn not_whole(observed: &Observed) -> Option<String> {
    let (total, cut) = (observed.samples(), observed.count(|stack| stack.truncated.is_some()));
    let examples = || observed.examples(|stack| !stack.is_rooted());
    let whole = nearly_all(total - cut, total);
    (!whole).then(|| format!("{cut} of {total} truncated:\n{}", examples()))
}

/// The stacks of `service` that have the last of `frames` have all of `frames` in this order.
#[track_caller]
fn assert_named(service: &str, frames: &[&str]) {
    let those = observed(service).with(frames.last().copied().unwrap_or_default());
    assert_seen(service, &those, FEWEST, PART);
    assert_right(&those, frames);
}

#[track_caller]
fn assert_right(observed: &Observed, frames: &[&str]) {
    let (right, total) = (observed.count(|stack| stack.has_in_order(frames)), observed.samples());
    let examples = observed.examples(|stack| !stack.has_in_order(frames));
    assert!(nearly_all(right, total), "{right} of {total} stacks have {frames:?}:\n{examples}");
}

macro_rules! named {
    ($($name:ident: $service:literal $frames:expr;)*) => {$(
        #[test]
        fn $name() {
            assert_named($service, &$frames);
        }
    )*};
}

named! {
    a_signal_handler_stands_on_what_it_interrupted: "signal" ["main", "interrupted", "on_signal", "burn_in_handler"];
    a_signal_handler_on_a_stack_of_its_own_does_too: "signal-own-stack" ["main", "interrupted", "on_signal", "burn_in_handler"];
    a_library_loaded_later_is_named: "dlopen" ["main", "use_plugin", "plugin_entry", "plugin_burn"];
    a_callback_from_a_library_loaded_later_has_its_callers: "dlopen" ["main", "use_plugin", "plugin_entry", "called_back"];
    a_deleted_binary_is_named: "deleted" ["main", "simple_caller", "simple_burn"];
    a_replaced_binary_is_named_by_what_runs: "replaced" ["main", "simple_caller", "simple_burn"];
    a_program_in_a_chroot_is_named: "chroot" ["main", "simple_caller", "simple_burn"];
    a_program_in_a_mount_namespace_is_named_by_what_runs: "mount-namespace" ["main", "simple_caller", "simple_burn"];
    a_program_in_memory_is_named: "memory" ["main", "simple_caller", "simple_burn"];
    a_static_program_is_whole: "static" ["main", "simple_caller", "simple_burn"];
    a_static_program_s_thread_is_whole: "static" ["thread_main", "thread_burn"];
    a_static_pie_is_whole: "static-pie" ["main", "simple_caller", "simple_burn"];
    a_static_pie_s_thread_is_whole: "static-pie" ["thread_main", "thread_burn"];
    a_static_musl_program_is_whole: "musl" ["main", "simple_caller", "simple_burn"];
    a_static_musl_program_s_thread_is_whole: "musl" ["thread_main", "thread_burn"];
    a_program_with_debug_frames_only_is_whole: "debug-frame" ["main", "simple_caller", "simple_burn"];
    a_thread_with_debug_frames_only_is_whole: "debug-frame" ["thread_main", "thread_burn"];
    a_large_program_with_frame_pointers_only_is_whole: "frame-pointers" ["main", "simple_caller", "simple_burn"];
    a_thread_with_frame_pointers_only_is_whole: "frame-pointers" ["thread_main", "thread_burn"];
    a_thread_reaches_its_entry: "threads" ["thread_main", "thread_burn"];
    an_array_of_run_time_length_is_stepped_over: "stack-layout" ["main", "with_array"];
    memory_taken_from_the_stack_is_stepped_over: "stack-layout" ["main", "with_alloca"];
    a_realigned_stack_is_stepped_over: "stack-layout" ["main", "with_realignment"];
    a_realigned_stack_with_its_own_argument_pointer_is_too: "stack-drap" ["main", "with_drap"];
    an_array_on_a_stack_with_an_argument_pointer_is_too: "stack-drap" ["main", "with_array"];
    the_kernel_s_user_page_has_its_callers: "vdso" ["main", "read_clock", "__vdso_clock_gettime"];
    a_call_through_the_linkage_table_has_its_callers: "plt" ["main", "call_through_plt", "tiny"];
    what_the_resolver_found_has_its_callers: "resolver" ["main", "call_through_plt"];
    code_called_from_a_jit_has_its_callers: "jit" ["main", "run_jit", "burn_under_jit"];
    jit_code_is_named_by_its_perf_map: "jit-map" ["main", "run_jit", "jitted_loop", "burn_under_jit"];
    a_forked_worker_has_its_callers: "children" ["main", "with_fork", "forked_burn"];
    a_vforked_child_has_its_callers: "children" ["main", "with_vfork", "vforked_burn"];
    a_spawned_child_is_whole: "children" ["main", "spawned_burn"];
    a_read_has_its_callers: "syscalls" ["main", "read_random"];
    a_small_system_call_has_its_callers: "syscalls" ["main", "ask_parent"];
    a_stack_that_is_jumped_from_is_whole: "jumps" ["main", "jump_around", "dig", "dig", "burn_before_jump"];
    after_a_long_jump_the_left_frames_are_gone: "jumps" ["main", "jump_around", "burn_after_jump"];
    a_coroutine_reaches_its_entry: "coroutines" ["coroutine", "burn_in_coroutine"];
    inlined_functions_are_frames: "inlined" ["main", "real_function", "inlined_middle", "inlined_leaf"];
    a_goroutine_reaches_its_entry: "go-stacks" ["goexit", "main.main", "burnInGoroutine"];
    a_process_that_maps_without_end_is_whole: "churn" ["main", "burn_between"];
}

#[test]
fn stacks_of_every_program_are_whole() {
    let services = CAST.iter().map(|&(service, ..)| service);
    let judged = services.filter(|service| !NOT_WHOLE.contains(service));
    let errors: Vec<String> = judged
        .filter_map(|service| Some(format!("{service}: {}", not_whole(&observed(service))?)))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn every_program_is_seen() {
    for &(service, ..) in CAST {
        assert_seen(service, &observed(service), 10 * FEWEST, 0.8);
    }
}

#[test]
fn a_recursion_400_deep_is_whole() {
    let bottom = observed("recursion").with("burn_at_bottom");
    assert_seen("recursion", &bottom, FEWEST, PART);
    assert_whole(&bottom, "recursion");
}

#[test]
fn a_recursion_400_deep_has_each_of_its_frames() {
    let bottom = observed("recursion").with("burn_at_bottom");
    let depth =
        |stack: &e2e::Stack| stack.frames.iter().filter(|frame| frame.is("descend")).count();
    let right =
        bottom.count(|stack| depth(stack) == 400 && stack.has_in_order(&["main", "descend"]));
    let depths: Vec<usize> = bottom.stacks.iter().map(depth).collect();
    assert!(nearly_all(right, bottom.samples()), "depths: {depths:?}");
}

#[test]
fn the_loop_of_a_jit_is_the_leaf() {
    let leaf = observed("jit-map")
        .only(|stack| stack.user_leaf().is_some_and(|frame| frame.is("jitted_loop")));
    assert_seen("jit-map", &leaf, FEWEST, PART);
}

/// Whether it was the one or the other is not always known: then it has no name.
#[test]
fn jit_code_is_never_called_what_came_later_to_its_place() {
    let reuse = observed("jit-reuse");
    for (other, callee) in [("jit_beta", "burn_under_alpha"), ("jit_alpha", "burn_under_beta")] {
        let those = reuse.with(callee);
        let wrong = those.with(other);
        let examples = those.examples(|_| true);
        assert!(wrong.samples() == 0, "{} of {}:\n{examples}", wrong.samples(), those.samples());
    }
    // What stays has its name in the end, however late its map is read; what goes need not have one where the reader is late.
    let alpha = reuse.with("jit_alpha").with("burn_under_alpha");
    assert_seen("jit-reuse", &alpha, FEWEST, PART);
}

#[test]
fn a_tiny_library_function_is_not_lost_in_the_linkage_table() {
    for service in ["plt", "resolver"] {
        // Between its turns the program asks whether it is to stop; in the end it has no user side.
        let burning = observed(service).only(|stack| {
            let leaf = stack.user_leaf();
            leaf.is_some_and(|leaf| !leaf.is("main"))
                && !["poll", "__poll", "read", "__read", "exit", "_exit"]
                    .iter()
                    .any(|name| stack.has(name))
        });
        let right = burning.count(|stack| stack.has_in_order(&["main", "call_through_plt"]));
        let examples = burning.examples(|stack| !stack.has("call_through_plt"));
        assert!(nearly_all(right, burning.samples()), "{service}:\n{examples}");
    }
}

#[test]
fn a_read_ends_in_the_kernel() {
    let reads = observed("syscalls").with("read_random");
    let inside = reads.count(|stack| stack.frames.last().is_some_and(e2e::Frame::is_kernel));
    let examples = reads.examples(|_| true);
    assert!(inside * 10 >= reads.samples() * 9, "{inside} of {}:\n{examples}", reads.samples());
}

#[test]
fn code_without_unwind_information_is_whole_only_with_its_true_callers() {
    let known = [
        "without_cfi",
        "call_assembly",
        "main",
        "_start",
        "__libc_start_main",
        "__libc_start_main_impl",
        "__libc_start_call_main",
    ];
    let inside = observed("assembly")
        .only(|stack| stack.user_leaf().is_some_and(|frame| frame.is("without_cfi")));
    assert_seen("assembly", &inside, FEWEST, PART);
    for stack in &inside.stacks {
        let has_its_callers = stack.has_in_order(&["main", "call_assembly", "without_cfi"]);
        assert!(stack.truncated.is_some() || has_its_callers, "says that it is whole:\n{stack}");
        let invented = stack
            .frames
            .iter()
            .find(|frame| !frame.is_kernel() && !known.iter().any(|name| frame.is(name)));
        assert!(invented.is_none(), "{invented:?} is no caller:\n{stack}");
    }
}

#[test]
fn without_unwind_information_and_frame_pointers_nothing_is_guessed() {
    let inside = observed("neither")
        .only(|stack| stack.user_leaf().is_some_and(|frame| frame.is("simple_burn")));
    assert_seen("neither", &inside, FEWEST, PART);
    for stack in &inside.stacks {
        assert_eq!(stack.truncated.as_deref(), Some("no unwind info"), "{stack}");
        let user = stack.frames.iter().filter(|frame| !frame.is_kernel()).count();
        assert_eq!(user, 1, "callers out of nothing:\n{stack}");
    }
}

#[test]
fn work_on_go_s_system_stack_leads_back_to_its_goroutine() {
    let inside =
        observed("go-stacks").only(|stack| stack.has("allocateLarge") && stack.has("systemstack"));
    assert_seen("go-stacks", &inside, FEWEST, PART);
    assert_right(&inside, &["goexit", "main.main", "allocateLarge", "systemstack"]);
}

#[test]
fn a_growing_go_stack_leads_back_to_its_goroutine() {
    let inside = observed("go-stacks").only(|stack| stack.has("newstack") && stack.has("grow"));
    assert_seen("go-stacks", &inside, 3, 0.01);
    assert_right(&inside, &["goexit", "growStack", "grow", "newstack"]);
}

#[test]
fn a_frame_told_by_a_register_that_the_leaf_has_left_alone_is_whole() {
    let kept = observed("registers").with("leaves_rax_alone");
    assert_seen("registers", &kept, FEWEST, PART);
    assert_whole(&kept, "leaves_rax_alone");
    let frames = ["main", "call_with_register", "with_cfa_in_register", "leaves_rax_alone"];
    assert_right(&kept, &frames);
}

#[test]
fn a_frame_told_by_a_register_that_the_leaf_has_used_is_never_wrong() {
    let lost = observed("registers").with("uses_rax");
    assert_seen("registers", &lost, FEWEST, PART);
    let frames = ["main", "call_with_lost_register", "with_cfa_in_lost_register", "uses_rax"];
    let wrong = lost.only(|stack| stack.truncated.is_none() && !stack.has_in_order(&frames));
    assert!(wrong.stacks.is_empty(), "says that it is whole:\n{}", wrong.examples(|_| true));
}

/// No sample of any program is somewhere that its sources do not explain.
#[test]
fn every_program_s_stacks_start_where_its_threads_start() {
    let starts =
        ["main", "thread_main", "coroutine", "main.main", "goexit", "mcall", "mstart", "rt0_go"];
    let cut = ["assembly", "neither", "registers"];
    for (service, ..) in CAST.iter().filter(|(service, ..)| !cut.contains(service)) {
        let whole = observed(service).only(|stack| {
            stack.truncated.is_none() && stack.frames.iter().any(|frame| !frame.is_kernel())
        });
        // What forks and execs is sampled in the loader and in exit as well.
        let wanted = if *service == "children" { 0.85 } else { 0.97 };
        let explained = whole.count(|stack| starts.iter().any(|start| stack.has(start)));
        let share = explained as f64 / whole.samples().max(1) as f64;
        let examples = whole.examples(|stack| !starts.iter().any(|start| stack.has(start)));
        assert!(share >= wanted, "{service}: {share:.3} explained:\n{examples}");
    }
}
