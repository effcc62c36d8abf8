//! Verdicts over made-up machines.

use infrared_bpf::{SamplerReport, features::Features};
use infrared_processes::{Capabilities, PidView, host::Host};

use super::{
    facts::{Cgroups, Facts, Kallsyms},
    limits::{Limits, Lockdown},
    render,
    verdict::{State, judge},
};

fn good() -> Facts {
    let report =
        SamplerReport { cpus: vec![0, 1], failed: Vec::new(), unheard: Vec::new(), restarted: 0 };
    Facts {
        host: Host {
            name: "box".into(),
            kernel_release: "6.1.0-18-amd64".into(),
            machine: "x86_64".into(),
            page_size: 4096,
            memory_bytes: 1 << 30,
        },
        cpus: 2,
        features: Some(Features {
            btf: Ok(()),
            cpu_clock: Ok(()),
            tracepoint: Ok(()),
            typed_tracepoint: Ok(()),
            uprobe: Ok(()),
            ring_buffer: Ok(()),
            run_time: Ok(()),
            sampler: Ok(report),
        }),
        capabilities: Some(Capabilities { effective: u64::MAX, is_initial_user_namespace: true }),
        btf: true,
        pids: PidView::Machine,
        kallsyms: Kallsyms::Readable,
        has_modules_file: true,
        perf_event_paranoid: Some(2),
        kptr_restrict: Some(0),
        bpf_stats_enabled: Some(0),
        limits: Limits {
            open_files: Some(524_288),
            locked_memory: Some(8 << 20),
            perf_locked_kib: Some(516),
            sample_rate: Some(100_000),
            cpu_time_percent: Some(25),
            lockdown: Lockdown::None,
            follows_map_files: true,
        },
        cgroups: Cgroups::V2,
    }
}

fn with(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = good();
    change(&mut facts);
    facts
}

fn features(facts: &mut Facts) -> &mut Features {
    facts.features.as_mut().unwrap()
}

#[test]
fn a_good_machine_lacks_nothing() {
    let verdicts = judge(&good());
    assert!(verdicts.iter().all(|verdict| verdict.state == State::Ok), "{verdicts:#?}");
    assert!(render::table(&good(), &verdicts, false).ends_with("\nEverything works.\n"));
}

#[test]
fn each_lack_is_judged() {
    let refused = || Err("Operation not permitted".to_owned());
    for (facts, name, state) in [
        (with(|facts| facts.btf = false), "BTF", State::Impossible),
        (with(|facts| facts.pids = PidView::Namespace), "processes", State::Impossible),
        (with(|facts| facts.pids = PidView::Foreign), "processes", State::Impossible),
        (with(|facts| features(facts).cpu_clock = refused()), "sampling timer", State::Impossible),
        (
            with(|f| features(f).typed_tracepoint = refused()),
            "typed tracepoints",
            State::Impossible,
        ),
        (with(|facts| features(facts).tracepoint = refused()), "tracepoints", State::Limited),
        (with(|facts| features(facts).uprobe = refused()), "uprobes", State::Limited),
        (with(|facts| features(facts).ring_buffer = refused()), "ring buffer", State::Impossible),
        (
            with(|facts| features(facts).sampler = Err("refused".into())),
            "sampler",
            State::Impossible,
        ),
        (
            with(|facts| {
                let report = features(facts).sampler.as_mut().unwrap();
                report.unheard = vec![(1, "refused".into())];
            }),
            "sampler",
            State::Limited,
        ),
        (with(|facts| facts.kallsyms = Kallsyms::Masked), "kernel names", State::Limited),
        (with(|facts| facts.has_modules_file = false), "kernel modules", State::Ok),
        (with(|facts| facts.host.kernel_release = "4.19.0".into()), "kernel", State::Impossible),
        (with(|facts| facts.host.kernel_release = "5.16.0".into()), "kernel", State::Impossible),
        (with(|facts| facts.limits.open_files = Some(1024)), "open files", State::Limited),
        (with(|facts| facts.limits.open_files = None), "open files", State::Ok),
        (with(|facts| facts.limits.sample_rate = Some(50)), "sampling rate", State::Limited),
        (with(|facts| facts.limits.sample_rate = Some(99)), "sampling rate", State::Ok),
        (with(|f| f.limits.lockdown = Lockdown::Integrity), "lockdown", State::Ok),
        (with(|f| f.limits.lockdown = Lockdown::Confidentiality), "lockdown", State::Ok),
        (with(|facts| facts.limits.follows_map_files = false), "mapped files", State::Limited),
        (with(|facts| facts.cgroups = Cgroups::V1), "cgroups", State::Limited),
    ] {
        let verdicts = judge(&facts);
        let verdict = verdicts.iter().find(|verdict| verdict.name == name).unwrap();
        assert_eq!(verdict.state, state, "{verdict:?}");
        assert_eq!(state == State::Ok, verdict.loss.is_empty(), "{verdict:?}");
        let others = verdicts.iter().filter(|v| v.name != name && v.state != State::Ok);
        assert_eq!(others.count(), 0, "{name}: {verdicts:#?}");
    }
}

#[test]
fn a_missing_capability_says_what_is_lost_and_how_to_get_it() {
    let nobody = Capabilities { effective: 0, is_initial_user_namespace: true };
    let facts = with(|facts| facts.capabilities = Some(nobody));
    let verdicts = judge(&facts);
    for (name, state) in [("CAP_BPF", State::Impossible), ("CAP_SYSLOG", State::Limited)] {
        let verdict = verdicts.iter().find(|verdict| verdict.name == name).unwrap();
        assert_eq!(verdict.state, state);
        assert!(!verdict.loss.is_empty() && verdict.remedy.contains("setcap"), "{verdict:?}");
    }
    let table = render::table(&facts, &verdicts, false);
    assert!(table.contains("Nothing can be recorded here"), "{table}");
    assert!(!table.contains('\u{1b}'));
    let json: serde_json::Value =
        serde_json::from_str(&render::json(&facts, &verdicts).unwrap()).unwrap();
    assert_eq!(json["can_record"], false);
}

#[test]
fn rings_are_charged_to_what_perf_allows_and_then_to_locked_memory() {
    const IPC_LOCK: u64 = 1 << 14;
    let of = |effective| Some(Capabilities { effective, is_initial_user_namespace: true });
    for (perf_kib, memory, capabilities, paranoid, state) in [
        (516, Some(0), of(!IPC_LOCK), 2, State::Ok),
        (256, Some(1 << 20), of(!IPC_LOCK), 2, State::Ok),
        (256, Some(64 << 10), of(!IPC_LOCK), 2, State::Limited),
        (-1, Some(64 << 10), of(!IPC_LOCK), 2, State::Limited),
        (256, Some(64 << 10), of(u64::MAX), 2, State::Ok),
        (256, Some(64 << 10), of(!IPC_LOCK), -1, State::Ok),
        (256, None, of(!IPC_LOCK), 2, State::Ok),
    ] {
        let facts = with(|facts| {
            facts.limits.perf_locked_kib = Some(perf_kib);
            facts.limits.locked_memory = memory;
            facts.capabilities = capabilities;
            facts.perf_event_paranoid = Some(paranoid);
        });
        let verdicts = judge(&facts);
        let verdict = verdicts.iter().find(|verdict| verdict.name == "locked memory").unwrap();
        assert_eq!(verdict.state, state, "{perf_kib} {memory:?} {paranoid}: {verdict:?}");
        let others = verdicts.iter().filter(|v| v.name != "locked memory" && v.state != State::Ok);
        assert_eq!(others.count(), 0, "{verdicts:#?}");
    }
}

#[test]
fn a_lockdown_that_refuses_the_sampler_is_named() {
    let facts = with(|facts| {
        facts.limits.lockdown = Lockdown::Confidentiality;
        features(facts).sampler = Err("Operation not permitted".into());
    });
    let verdicts = judge(&facts);
    let verdict = verdicts.iter().find(|verdict| verdict.name == "lockdown").unwrap();
    assert_eq!(verdict.state, State::Impossible);
    assert!(verdict.remedy.contains("lockdown=integrity"), "{verdict:?}");
}

#[test]
fn a_right_that_is_missing_is_told_once() {
    const CHECKPOINT_RESTORE_AND_ADMIN: u64 = 1 << 40 | 1 << 21;
    let facts = with(|facts| {
        let effective = !CHECKPOINT_RESTORE_AND_ADMIN;
        facts.capabilities = Some(Capabilities { effective, is_initial_user_namespace: true });
        facts.limits.follows_map_files = false;
    });
    let verdicts = judge(&facts);
    let told: Vec<_> = verdicts.iter().filter(|verdict| verdict.state != State::Ok).collect();
    assert!(matches!(told[..], [one] if one.name == "CAP_CHECKPOINT_RESTORE"), "{told:#?}");
}
