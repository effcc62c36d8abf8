//! Reads beside an exec.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use infrared_processes::process::Stat;
use infrared_processes::{Error, Pid, ProcFs, ProcessDir};

/// Says that it is there, and executes itself at every line: the same file, arguments and environment each time.
const AGAIN: &str = r#"echo there; read line && exec /bin/sh -c "$AGAIN""#;

struct Again {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Again {
    fn start(command: &mut Command) -> Self {
        command.args(["/bin/sh", "-c", AGAIN]).env("AGAIN", AGAIN);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut again = Self { input: child.stdin.take(), child, output };
        again.wait();
        // the first shell has what it was started by in its environment
        again.exec();
        again
    }

    fn wait(&mut self) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line, "there\n");
    }

    fn exec(&mut self) {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
        self.wait();
    }

    fn dir(&self) -> ProcessDir {
        ProcFs::system().process(Pid(self.child.id())).unwrap()
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        drop(self.input.take());
        self.child.wait().unwrap();
    }
}

/// Whether all reads around an exec were taken for those of one address space, and how `stat` was before and after it.
fn beside_an_exec(command: &mut Command) -> (bool, Stat, Stat) {
    let again = RefCell::new(Again::start(command));
    let dir = again.borrow().dir();
    let stats = RefCell::new(Vec::new());
    let found = dir.consistent(|dir| {
        stats.borrow_mut().push(dir.stat()?);
        again.borrow_mut().exec();
        stats.borrow_mut().push(dir.stat()?);
        Ok(())
    });
    let mut stats = stats.into_inner();
    let (after, before) = (stats.pop().unwrap(), stats.pop().unwrap());
    (found.unwrap().is_some(), before, after)
}

#[test]
fn reads_of_one_address_space_belong_together() {
    let again = Again::start(&mut Command::new("env"));
    let found = again.dir().consistent(|dir| Ok(dir.stat()?.start_ticks)).unwrap();
    assert_eq!(found, Some(again.dir().stat().unwrap().start_ticks));
    let thread = ProcFs::system().process(Pid(2)).unwrap();
    assert!(
        thread.consistent(ProcessDir::stat).unwrap().is_some(),
        "kernel threads execute nothing"
    );
}

#[test]
fn reads_before_and_after_an_exec_do_not() {
    let (is_one, before, after) = beside_an_exec(&mut Command::new("env"));
    assert!(!is_one, "{before:?} {after:?}");
}

#[test]
fn nor_where_a_program_executes_itself_at_the_same_addresses() {
    let (is_one, before, after) =
        beside_an_exec(Command::new("setarch").arg("--addr-no-randomize"));
    let of = |stat: &Stat| (stat.start_ticks, stat.start_stack);
    assert_eq!(of(&before), of(&after), "nothing but the address space is another");
    assert!(!is_one);
}

#[test]
fn a_process_that_ends_meanwhile_is_gone() {
    let again = Again::start(&mut Command::new("env"));
    let dir = again.dir();
    let found = dir.consistent(|_| {
        drop(again);
        Ok(())
    });
    assert!(matches!(found, Err(Error::Gone(_))), "{found:?}");
}
