use super::*;
use proptest::prelude::*;

/// A table of `testdata/programs`; its first line names the columns.
fn check(table: &str) {
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [executable, comm, directory, name, source, arguments] = columns[..] else {
            panic!("not six columns: {line}");
        };
        let arguments: Vec<String> = arguments.split('|').map(str::to_owned).collect();
        let program = program_of(&Invocation {
            executable: Some(executable).filter(|name| !name.is_empty()),
            arguments: &arguments,
            comm,
            working_directory: Some(Path::new(directory)),
        });
        let source = match source {
            "script" => Source::Script,
            "executable" => Source::Executable,
            other => panic!("no source: {other}"),
        };
        assert_eq!((program.name.as_str(), program.source), (name, source), "{line}");
    }
}

#[test]
fn an_executable_goes_by_the_name_it_was_started_under() {
    check(include_str!("../../testdata/programs/executables.tsv"));
}

#[test]
fn python_goes_by_its_script_module_or_application() {
    check(include_str!("../../testdata/programs/python.tsv"));
}

#[test]
fn javascript_goes_by_its_script_or_tool() {
    check(include_str!("../../testdata/programs/javascript.tsv"));
}

#[test]
fn java_goes_by_its_archive_class_or_name() {
    check(include_str!("../../testdata/programs/java.tsv"));
}

#[test]
fn other_interpreters_go_by_their_scripts() {
    check(include_str!("../../testdata/programs/interpreters.tsv"));
}

#[test]
fn a_wrapper_goes_by_what_it_wraps() {
    check(include_str!("../../testdata/programs/wrappers.tsv"));
}

#[test]
fn the_version_of_an_archive_is_told() {
    let arguments = ["java", "-jar", "/opt/shop-api-1.2.3-all.jar"].map(str::to_owned);
    let invocation = Invocation {
        executable: Some("java"),
        arguments: &arguments,
        comm: "java",
        working_directory: None,
    };
    assert_eq!(program_of(&invocation).version.as_deref(), Some("1.2.3"));
}

proptest! {
    #[test]
    fn no_command_line_makes_it_panic(
        executable in "(python3|node|java|ruby|perl|php-fpm|php|bash|dotnet|beam.smp|deno|bun|sudo|busybox|uwsgi|ld-linux.so|x)",
        arguments in proptest::collection::vec("(-m|-c|-[a-zA-Z]{1,4}|--[a-z]{0,5}=?|-jar|-cp|exec|run|gunicorn|celery|bundle|[ /:\\[\\]()=@.é]{0,4}|[a-z/.é]{0,9})", 0..6),
        comm in "\\PC{0,15}",
        directory in "(/[a-zé.]{0,5}){0,3}",
    ) {
        program_of(&Invocation {
            executable: Some(&executable),
            arguments: &arguments,
            comm: &comm,
            working_directory: Some(Path::new(&directory)),
        });
    }
}
