//! Who may depend on whom. Agent and server never meet but through what `profile` and `wire` define.

use anyhow::Result;
use serde::Deserialize;

use crate::tree::Tree;

/// A package, and those of ours that it may build on.
const ARROWS: &[(&str, &[&str])] = &[
    ("infrared-abi", &[]),
    ("infrared-elf", &[]),
    ("infrared-profile", &[]),
    ("infrared-processes", &[]),
    ("infrared-symbolize", &["infrared-elf", "infrared-profile"]),
    ("infrared-wire", &["infrared-profile"]),
    ("infrared-store", &["infrared-profile"]),
    ("infrared-unwind", &["infrared-abi", "infrared-elf"]),
    ("infrared-runtimes", &["infrared-abi", "infrared-profile", "infrared-unwind"]),
    ("infrared-bpf", &["infrared-abi"]),
    ("infrared-server", &["infrared-profile", "infrared-store", "infrared-wire"]),
    (
        "infrared-agent",
        &[
            "infrared-abi",
            "infrared-bpf",
            "infrared-processes",
            "infrared-profile",
            "infrared-runtimes",
            "infrared-symbolize",
            "infrared-unwind",
            "infrared-wire",
        ],
    ),
    (
        "infrared-cli",
        &[
            "infrared-agent",
            "infrared-bpf",
            "infrared-processes",
            "infrared-profile",
            "infrared-server",
            "infrared-store",
            "infrared-wire",
        ],
    ),
    (
        "infrared-fuzz",
        &[
            "infrared-processes",
            "infrared-profile",
            "infrared-symbolize",
            "infrared-unwind",
            "infrared-wire",
        ],
    ),
    ("e2e", &[]),
    ("infrared-bench", &["e2e", "infrared-bpf"]),
    ("xtask", &[]),
];

/// Libraries that stay behind one package each, so that they can be replaced.
const OWNERS: &[(&str, &str)] = &[
    ("libbpf-rs", "infrared-bpf"),
    ("libbpf-sys", "infrared-bpf"),
    ("libbpf-cargo", "infrared-bpf"),
    ("perf-event-open-sys2", "infrared-bpf"),
    ("clap", "infrared-cli"),
    ("clap_complete", "infrared-cli"),
    ("parquet", "infrared-store"),
    ("libfuzzer-sys", "infrared-fuzz"),
];

#[derive(Deserialize)]
struct Package {
    name: String,
    license: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None` is a normal dependency.
    kind: Option<String>,
    path: Option<String>,
}

pub(crate) fn check(tree: &Tree) -> Result<Vec<String>> {
    Ok(tree.packages()?.iter().flat_map(complaints).collect())
}

fn complaints(package: &Package) -> Vec<String> {
    let name = &package.name;
    let mut complaints = Vec::new();
    if package.license.is_none() {
        complaints.push(format!("{name}: no license in Cargo.toml"));
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(of, _)| of == name) else {
        complaints
            .push(format!("{name}: xtask/src/tidy/arrows.rs does not say what it may depend on"));
        return complaints;
    };
    for dependency in &package.dependencies {
        let is_ours = dependency.path.is_some();
        let is_for_tests = dependency.kind.as_deref() == Some("dev");
        let other = dependency.name.as_str();
        if is_ours && !is_for_tests && !allowed.contains(&other) {
            complaints.push(format!("{name}: must not depend on {other}"));
        }
        // Not even their tests may meet.
        let ends = [name.as_str(), other];
        if is_for_tests && ends.contains(&"infrared-agent") && ends.contains(&"infrared-server") {
            complaints.push(format!("{name}: its tests must not depend on {other}"));
        }
        if let Some((_, owner)) =
            OWNERS.iter().find(|(library, owner)| *library == other && owner != name)
        {
            complaints.push(format!("{name}: only {owner} may name {other}"));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said about a package that has one dependency.
    fn said(name: &str, dependency: &str, kind: Option<&str>, is_ours: bool) -> Vec<String> {
        complaints(&Package {
            name: name.into(),
            license: Some("Apache-2.0".into()),
            dependencies: vec![Dependency {
                name: dependency.into(),
                kind: kind.map(str::to_owned),
                path: is_ours.then(|| "there".into()),
            }],
        })
    }

    #[test]
    fn arrows_run_down_only() {
        for (name, dependency, kind, is_ours, is_allowed) in [
            ("infrared-agent", "infrared-bpf", None, true, true),
            ("infrared-agent", "infrared-server", None, true, false),
            ("infrared-agent", "infrared-store", None, true, false),
            ("infrared-server", "infrared-agent", None, true, false),
            ("infrared-server", "infrared-agent", Some("dev"), true, false),
            ("infrared-server", "infrared-symbolize", None, true, false),
            ("infrared-profile", "infrared-wire", None, true, false),
            ("infrared-runtimes", "infrared-unwind", None, true, true),
            ("infrared-unwind", "infrared-runtimes", None, true, false),
            ("infrared-runtimes", "infrared-processes", None, true, false),
            ("infrared-wire", "infrared-store", Some("dev"), true, true),
            ("infrared-bpf", "libbpf-rs", None, false, true),
            ("infrared-cli", "libbpf-rs", None, false, false),
            ("infrared-server", "clap", None, false, false),
            ("infrared-server", "parquet", Some("dev"), false, false),
            ("infrared-unheard-of", "serde", None, false, false),
        ] {
            let said = said(name, dependency, kind, is_ours);
            assert_eq!(said.is_empty(), is_allowed, "{name} -> {dependency}: {said:?}");
        }
    }

    #[test]
    fn a_package_without_a_licence_is_named() {
        let package = Package { name: "xtask".into(), license: None, dependencies: Vec::new() };
        assert_eq!(complaints(&package), ["xtask: no license in Cargo.toml"]);
    }
}
