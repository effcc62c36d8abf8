use super::*;
use crate::Pid;
use crate::container::locate;
use crate::process::{Cgroups, Cmdline, Environment, Executable, Stat, Status};

const ID: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

type Variables = &'static [(&'static str, &'static str)];

/// A process of `/opt/shop/bin/shopd --port 80` on the host `web1`.
fn process() -> Process {
    Process {
        pid: Pid(42),
        stat: Stat {
            comm: "shopd".into(),
            state: 'S',
            parent: Pid(1),
            flags: 0,
            user_ticks: 0,
            system_ticks: 0,
            threads: 1,
            start_ticks: 0,
            start_stack: 0,
        },
        status: Status::default(),
        cmdline: Cmdline::from_arguments(["/opt/shop/bin/shopd", "--port", "80"]),
        executable: Some(Executable { path: "/opt/shop/bin/shopd".into(), is_deleted: false }),
        working_directory: None,
        cgroups: Cgroups::default(),
        environment: Environment::default(),
        is_partial: false,
    }
}

fn service_of(process: &Process, cgroup: &str, rules: &Rules) -> Service {
    let mut process = process.clone();
    process.cgroups = Cgroups::parse(&format!("0::{cgroup}"));
    let location = locate(cgroup);
    let unit_path = location.as_ref().map_or(cgroup, |location| location.unit_path);
    decide(
        &Facts {
            process: &process,
            container: location.as_ref().map(|location| &location.container),
            unit: Unit::of_cgroup(unit_path).as_ref(),
            host_name: "web1",
            container_host_name: None,
            program: &process.program(),
        },
        rules,
    )
}

fn rule(matches: Match, service: &str) -> Rule {
    Rule { matches, service: service.to_owned() }
}

#[test]
fn the_first_rule_that_has_an_answer_counts() {
    const POD_NAME: (&str, &str) = ("HOSTNAME", "shop-api-5d4f8c7b9-x2k4q");
    use Source::{Declared, Executable, Unit, Workload};
    let pod = format!("/kubepods/pod8dbc5577-d0e2-4706-8787-57d52c03ddf2/{ID}");
    let docker = format!("/system.slice/docker-{ID}.scope");
    let unit = "/system.slice/shop.service";
    let table: &[(&str, Variables, &str, Source)] = &[
        ("/", &[], "shopd", Executable),
        (unit, &[], "shop", Unit),
        ("/user.slice/user-1.slice/session-3.scope", &[], "shopd", Executable),
        (unit, &[("DD_SERVICE", "dd")], "dd", Declared),
        (unit, &[("DD_SERVICE", "dd"), ("OTEL_SERVICE_NAME", "otel")], "otel", Declared),
        (unit, &[("OTEL_RESOURCE_ATTRIBUTES", "a=b,service.name=res")], "res", Declared),
        (unit, &[("OTEL_SERVICE_NAME", "")], "shop", Unit),
        (unit, &[("name", "pm2 app"), ("pm_id", "0")], "pm2 app", Declared),
        (unit, &[("name", "something else")], "shop", Unit),
        (unit, &[("HOSTNAME", "web1")], "shop", Unit),
        (&pod, &[POD_NAME], "shop-api", Workload),
        (&pod, &[POD_NAME, ("DD_SERVICE", "dd")], "dd", Declared),
        (&pod, &[("HOSTNAME", "web1")], "shopd", Executable),
        (&docker, &[("HOSTNAME", "0f1e2d3c4b5a")], "shopd", Executable),
        (&docker, &[("HOSTNAME", "db-main")], "db-main", Workload),
        (&docker, &[], "shopd", Executable),
        ("/lxc/web", &[("HOSTNAME", "x")], "web", Workload),
        ("/lxc/web/system.slice/nginx.service", &[], "nginx", Unit),
        ("/lxc/web/user.slice/session-1.scope", &[], "web", Workload),
    ];
    for (cgroup, environment, name, source) in table {
        let mut process = process();
        process.environment = Environment::from_pairs(environment.iter().copied());
        let service = service_of(&process, cgroup, &Rules::default());
        let found = (service.name.as_str(), service.source);
        assert_eq!(found, (*name, *source), "{cgroup} {environment:?}");
    }
}

#[test]
fn rules_of_the_configuration_come_first() {
    let all = Match {
        exe: Some("^/opt/([a-z]+)/".into()),
        cmdline: Some("--port (?P<port>[0-9]+)".into()),
        comm: Some("shop".into()),
        cgroup: Some("system\\.slice".into()),
        unit: Some("^shop\\.service$".into()),
        container: None,
    };
    let one = |matches: Match, name: &str| {
        let mut process = process();
        process.environment = Environment::from_pairs([("TIER", "gold"), ("DD_SERVICE", "dd")]);
        let rules = Rules::compile(&[rule(matches, name)]).unwrap();
        service_of(&process, "/system.slice/shop.service", &rules).name
    };
    let exe = |expression: &str| Match { exe: Some(expression.into()), ..Match::default() };
    let table = [
        (all.clone(), "$1-${port}-%TIER%", "shop-80-gold"),
        (all.clone(), "$0", "/opt/shop/"),
        (Match { comm: Some("other".into()), ..all.clone() }, "x", "dd"),
        (Match { unit: Some("other".into()), ..all.clone() }, "x", "dd"),
        (Match { cgroup: Some("other".into()), ..all.clone() }, "x", "dd"),
        (Match { container: Some("0f1e".into()), ..all.clone() }, "x", "dd"),
        (exe("shopd$"), "%ABSENT%", "dd"),
        (exe("shopd(x)?$"), "$1", "dd"),
        (exe("shopd$"), "\u{7}", "dd"),
        (exe("shopd$"), "  two\nlines ", "two lines"),
    ];
    for (matches, name, expected) in table {
        assert_eq!(one(matches.clone(), name), expected, "{matches:?} {name}");
    }
}

#[test]
fn a_container_is_matched_by_the_beginning_of_its_id() {
    let matches = Match { container: Some("0f1e2d".into()), ..Match::default() };
    let rules = Rules::compile(&[rule(matches, "mine")]).unwrap();
    let cgroup = format!("/docker/{ID}");
    assert_eq!(service_of(&process(), &cgroup, &rules).name, "mine");
    assert_eq!(service_of(&process(), "/docker/other", &rules).name, "shopd");
}

#[test]
fn rules_are_read_from_the_configuration() {
    #[derive(serde::Deserialize)]
    struct Config {
        service_rules: Vec<Rule>,
    }
    let config: Config = toml::from_str(
        "[[service_rules]]\nmatch = { exe = '^/opt/([a-z]+)/' }\nservice = '$1-%TIER%'\n",
    )
    .unwrap();
    let rules = Rules::compile(&config.service_rules).unwrap();
    let mut process = process();
    process.environment = Environment::from_pairs([("TIER", "gold")]);
    let service = service_of(&process, "/", &rules);
    assert_eq!((service.name.as_str(), service.source), ("shop-gold", Source::Rule));
    let wanted = format!("{:?}", rules.wanted_variables());
    assert!(wanted.contains("TIER") && wanted.contains("DD_SERVICE"), "{wanted}");
    let unknown = "[[service_rules]]\nmatch = { path = 'x' }\nservice = 'y'\n";
    assert!(toml::from_str::<Config>(unknown).is_err_and(|error| error.message().contains("path")));
}

#[test]
fn a_rule_that_is_wrong_is_refused_with_its_number() {
    let exe = |expression: &str| Match { exe: Some(expression.into()), ..Match::default() };
    let empty_container = Match { container: Some(String::new()), ..Match::default() };
    let table = [
        (rule(exe("("), "x"), "service rule 2: the expression for exe is wrong"),
        (rule(exe("(?:a{1000}){1000}"), "x"), "service rule 2: the expression for exe is wrong"),
        (rule(exe("a"), ""), "service rule 2: the service name \"\" is empty"),
        (rule(exe("a"), "$1"), "refers to \"1\", which no expression captures"),
        (rule(exe("(a)"), "$2"), "refers to \"2\", which no expression captures"),
        (rule(exe("(?P<a>a)"), "${b}"), "refers to \"b\", which no expression captures"),
        (rule(exe("a"), "50%"), "has a % without %NAME%"),
        (rule(Match::default(), "x"), "service rule 2: it matches nothing in particular"),
        (rule(empty_container, "x"), "service rule 2: it matches nothing in particular"),
    ];
    for (wrong, message) in table {
        let error = Rules::compile(&[rule(exe("good"), "good"), wrong]).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let many = vec![rule(exe("a"), "a"); 1001];
    assert_eq!(Rules::compile(&many).unwrap_err(), RuleError::TooMany(1001));
}

#[test]
fn a_version_is_what_the_service_tells() {
    let table: &[(Variables, &[&str], Option<&str>)] = &[
        (&[], &["/opt/shop/bin/shopd"], None),
        (&[("DD_VERSION", "7")], &["shopd"], Some("7")),
        (
            &[("OTEL_RESOURCE_ATTRIBUTES", "service.version=8"), ("DD_VERSION", "7")],
            &["shopd"],
            Some("8"),
        ),
        (&[], &["java", "-Ddd.version=9", "-jar", "shop-1.2.jar"], Some("9")),
    ];
    for (environment, arguments, version) in table {
        let mut process = process();
        process.environment = Environment::from_pairs(environment.iter().copied());
        process.cmdline = Cmdline::from_arguments(arguments.iter().copied());
        let service = service_of(&process, "/", &Rules::default());
        assert_eq!(service.version.as_deref(), *version, "{environment:?} {arguments:?}");
    }
}

#[test]
fn a_name_is_one_line_of_bounded_length() {
    for (name, cleaned) in [
        ("shop", Some("shop")),
        (" a\tb\x1b[31m\n", Some("a b [31m")),
        ("\u{85}\u{7f}", None),
        ("", None),
    ] {
        assert_eq!(clean(name).as_deref(), cleaned);
    }
    assert_eq!(clean(&"é".repeat(1000)).unwrap().chars().count(), LONGEST_NAME);
}

#[test]
fn a_kernel_thread_belongs_to_the_kernel() {
    let mut thread = process();
    thread.stat.flags = 0x0020_8040;
    thread.executable = None;
    thread.cmdline = Cmdline::default();
    let service = service_of(&thread, "/", &Rules::default());
    assert_eq!((service.name.as_str(), service.source), ("kernel", Source::Kernel));
}
