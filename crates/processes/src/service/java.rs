//! The JVM: archives and main classes.

use super::arguments::{Item, Items, Syntax};
use super::jar::name_and_version;
use super::program::{Program, Run};

/// Options of the java launcher whose value is the next argument (its manual page).
const JAVA: Syntax = Syntax {
    is_single_dash_long: true,
    ..Syntax::new(
        "",
        &[
            "-jar",
            "-cp",
            "-classpath",
            "--class-path",
            "-p",
            "--module-path",
            "-m",
            "--module",
            "--add-modules",
            "--add-opens",
            "--add-exports",
            "--add-reads",
            "--patch-module",
            "--limit-modules",
            "--upgrade-module-path",
            "--enable-native-access",
            "--source",
            "-d",
            "--describe-module",
        ],
    )
};

/// Main classes of servers that are known by another name.
const KNOWN: &[(&str, &str)] = &[
    ("kafka.Kafka", "kafka"),
    ("org.apache.cassandra.service.CassandraDaemon", "cassandra"),
    ("org.apache.catalina.startup.Bootstrap", "tomcat"),
    ("org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "flink-taskmanager"),
    ("org.apache.hadoop.hdfs.server.datanode.DataNode", "hdfs-datanode"),
    ("org.apache.hadoop.hdfs.server.namenode.NameNode", "hdfs-namenode"),
    ("org.apache.kafka.connect.cli.ConnectDistributed", "kafka-connect"),
    ("org.apache.spark.executor.CoarseGrainedExecutorBackend", "spark-executor"),
    ("org.apache.zookeeper.server.quorum.QuorumPeerMain", "zookeeper"),
    ("org.codehaus.plexus.classworlds.launcher.Launcher", "maven"),
    ("org.elasticsearch.bootstrap.Elasticsearch", "elasticsearch"),
    ("org.gradle.launcher.daemon.bootstrap.GradleDaemon", "gradle"),
    ("org.jboss.modules.Main", "jboss"),
    ("org.logstash.Logstash", "logstash"),
    ("org.opensearch.bootstrap.OpenSearch", "opensearch"),
];

/// Class names that say nothing without their package.
const GENERIC_CLASSES: &[&str] = &[
    "App",
    "Application",
    "Bootstrap",
    "Cli",
    "Daemon",
    "Launcher",
    "Main",
    "Program",
    "Run",
    "Runner",
    "Server",
    "Service",
    "Start",
    "Starter",
    "Startup",
    "Worker",
];

pub(super) fn program(run: Run<'_>) -> Option<Program> {
    let mut items = Items::new(run.arguments, JAVA);
    let mut class_path = None;
    let mut spring_name = None;
    let mut found = None;
    for item in items.by_ref() {
        match item {
            Item::Long("-jar", Some(path)) => {
                found = Some(archive(path));
                break;
            }
            Item::Long("-cp" | "-classpath" | "--class-path", value) => class_path = value,
            Item::Long("-Dspring.application.name", value) => spring_name = value,
            Item::Long("-m" | "--module", Some(module)) => {
                let class = module.split_once('/').map_or(module, |(_, class)| class);
                found = Some(Program::script(class_name(class)));
                break;
            }
            Item::Plain(word) if word.starts_with('@') => {}
            Item::Plain(class) => {
                found = Some(main_class(class, class_path));
                break;
            }
            _ => {}
        }
    }
    let in_arguments = items
        .rest()
        .iter()
        .find_map(|argument| argument.strip_prefix("--spring.application.name="));
    match spring_name.or(in_arguments).filter(|name| !name.is_empty()) {
        Some(name) => Some(Program {
            version: found.and_then(|found| found.version),
            ..Program::script(name)
        }),
        None => found,
    }
}

fn archive(path: &str) -> Program {
    let (name, version) = name_and_version(path);
    Program { version, ..Program::script(name) }
}

/// Spring Boot's launchers are the main class of any application that is packed with them.
fn main_class(class: &str, class_path: Option<&str>) -> Program {
    let packed = class_path.and_then(|path| path.split(':').find(|entry| entry.ends_with("ar")));
    match packed {
        Some(packed) if class.starts_with("org.springframework.boot.loader.") => archive(packed),
        _ => Program::script(class_name(class)),
    }
}

fn class_name(class: &str) -> String {
    if let Some((_, name)) = KNOWN.iter().find(|(known, _)| *known == class) {
        return (*name).to_owned();
    }
    let simple = class.rsplit('.').next().unwrap_or(class);
    if GENERIC_CLASSES.contains(&simple) { class.to_owned() } else { simple.to_owned() }
}
