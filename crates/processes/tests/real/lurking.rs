//! Files in which an open lurks that does not return.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::child::{Cat, compile, root_for_cat};

/// The kernel lets the owner of a lease think for this long (`fs.lease-break-time`); half of it is not "at once".
const TOO_LONG: Duration = Duration::from_secs(20);

/// Takes a lease on its argument, which it keeps when it is asked to give it up; then it echoes.
const LEASE: &str = r"
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
int main(int count, char **arguments)
{
	char text[64];
	long length;
	signal(SIGIO, SIG_IGN);
	if (fcntl(open(arguments[1], O_RDWR), F_SETLEASE, F_WRLCK))
		return 1;
	while ((length = read(0, text, sizeof(text))) > 0)
		write(1, text, length);
}
";

/// A process in a container of its own: its `/etc/hostname` is read.
fn contained(root: &std::path::Path, program: &std::path::Path) -> Cat {
    Cat::start(Command::new("chroot").arg(root).arg(program))
}

#[test]
fn a_lease_on_a_file_holds_nobody_up() {
    let (_directory, holder) = compile("holder", LEASE, &[]);
    let (root, program) = root_for_cat();
    std::fs::create_dir(root.path().join("etc")).unwrap();
    let name = root.path().join("etc/hostname");
    std::fs::write(&name, "shop").unwrap();
    let _holder = Cat::start(Command::new(holder).arg(&name));
    let cat = contained(root.path(), &program);
    let start = Instant::now();
    assert!(cat.dir.read_in_root("etc/hostname", 100).is_err());
    assert!(start.elapsed() < TOO_LONG);
}

#[test]
fn a_file_that_is_exchanged_for_a_pipe_in_a_loop_holds_nobody_up() {
    let (root, program) = root_for_cat();
    let path = |name: &str| root.path().join(name);
    std::fs::write(path("file"), "shop").unwrap();
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    symlink("file", path("name")).unwrap();
    let cat = contained(root.path(), &program);
    let is_over = AtomicBool::new(false);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for target in ["pipe", "file"].into_iter().cycle() {
                symlink(target, path("next")).unwrap();
                std::fs::rename(path("next"), path("name")).unwrap();
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let mut met = [0, 0];
        while (met[0] < 100 || met[1] < 100) && start.elapsed() < TOO_LONG {
            met[usize::from(cat.dir.read_in_root("name", 100).is_ok())] += 1;
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(met[0] >= 100 && met[1] >= 100, "{met:?}");
    });
}
