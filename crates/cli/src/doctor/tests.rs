//! Verdicts over made-up machines.

use infrared_bpf::{Clock, SamplerReport, features::Features};
use infrared_processes::{Capabilities, PidView, host::Host};

use super::{
    facts::{Cgroups, Facts, Kallsyms},
    render,
    verdict::{State, judge},
};

fn good() -> Facts {
    let report = SamplerReport {
        clock: Clock::Cycles,
        cpus: vec![0, 1],
        failed: Vec::new(),
        unheard: Vec::new(),
    };
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
            cycles: Ok(()),
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
        locked_memory: None,
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
        (with(|facts| features(facts).cycles = refused()), "sampling timer", State::Limited),
        (
            with(|facts| {
                features(facts).cycles = refused();
                features(facts).cpu_clock = refused();
            }),
            "sampling timer",
            State::Impossible,
        ),
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
        (with(|facts| facts.locked_memory = Some(64 << 10)), "locked memory", State::Ok),
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
