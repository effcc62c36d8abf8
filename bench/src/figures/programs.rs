//! Programs as their packages ship them, with much code that compilers did not make: how many of their stacks reach the
//! thread's entry without a guess.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Load, Machine, Recording, Request, Target, built, free_address, javas, scratch_dir};

use crate::profile_json::Profile;
use crate::report::Row;

const HZ: u32 = 499;
const TIME: Duration = Duration::from_secs(10);

/// The part of the stacks that is asked for.
#[derive(Clone, Copy)]
struct Bar {
    part: f64,
    text: &'static str,
    with_guesses: bool,
}

const MOST: Bar = Bar { part: 0.995, text: "≥ 99.5 %", with_guesses: false };
/// Of programs that have much assembly without unwind information, and of services in other languages.
const SOME: Bar = Bar { part: 0.99, text: "≥ 99 %", with_guesses: false };
/// Of programs that bring a compiler of their own: the callers of its code are guesses, and said to be.
const GUESSED: Bar = Bar { part: 0.99, text: "≥ 99 % with guesses", with_guesses: true };

pub(crate) fn openssl() -> Result<Vec<Row>> {
    let speed = "while openssl speed -seconds 1 -evp aes-256-gcm && openssl speed -seconds 1 sha256 rsa2048; do :; done";
    scripted("openssl", speed, MOST)
}

pub(crate) fn git() -> Result<Vec<Row>> {
    let repack = "git init -q . && i=0 && while [ $i -lt 400 ]; do seq $i 7 $((i * 40 + 9000)) > f$i; i=$((i + 1)); done; \
        git add . && git -c user.name=a -c user.email=a@b commit -qm all && \
        while git repack -adfq --window=50 && git grep -c '7.*9' >/dev/null; do :; done";
    scripted("git", repack, MOST)
}

pub(crate) fn ripgrep() -> Result<Vec<Row>> {
    let search =
        "seq 1 2000000 > text && while rg -c '(7|8)+[0-9]*(1|2)3' text >/dev/null; do :; done";
    scripted("ripgrep", search, MOST)
}

pub(crate) fn ffmpeg() -> Result<Vec<Row>> {
    let encode =
        "ffmpeg -v error -f lavfi -i testsrc2=size=1280x720:rate=30 -c:v libx264 -f null -";
    scripted("ffmpeg", encode, SOME)
}

pub(crate) fn php() -> Result<Vec<Row>> {
    let work = r#"php -r '$t = str_repeat("lorem ipsum 42 dolor ", 2000);
        while (true) { preg_match_all("/(\w+)\s+(\d+)/", $t, $m); md5($t); usort($m[0], "strcmp"); }'"#;
    scripted("php", work, GUESSED)
}

pub(crate) fn memcached() -> Result<Vec<Row>> {
    let address = free_address()?;
    let mut server = Command::new("memcached");
    server.args(["-u", "nobody", "-l", "127.0.0.1", "-p", &address.port().to_string()]);
    let client = format!(
        "import socket\n\
         s = socket.create_connection(('127.0.0.1', {}))\n\
         ask = b''.join(b'set k%d 0 0 100\\r\\n%s\\r\\nget k%d\\r\\n' % (i, b'x' * 100, i) for i in range(200))\n\
         while True:\n  s.sendall(ask)\n  got = 0\n  while got < 200:\n    got += s.recv(1 << 20).count(b'END')\n",
        address.port()
    );
    let mut load = Command::new("python3");
    load.args(["-c", &client]);
    served("memcached", server, address, load)
}

pub(crate) fn mariadb() -> Result<Vec<Row>> {
    let dir = scratch_dir()?;
    let address = free_address()?;
    let data = format!("--datadir={}/data", dir.path().display());
    let made = Command::new("mariadb-install-db")
        .args(["--no-defaults", "--user=root", "--skip-test-db", &data])
        .arg("--auth-root-authentication-method=normal")
        .output()
        .context("cannot run mariadb-install-db")?;
    ensure!(made.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&made.stderr));
    let mut server = Command::new("/usr/sbin/mariadbd");
    server.args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1", &data]);
    server.arg(format!("--socket={}/socket", dir.path().display()));
    server.arg(format!("--port={}", address.port()));
    let mut load = Command::new("mariadb-slap");
    load.args(["--no-defaults", "-h", "127.0.0.1", "-u", "root"]);
    load.arg(format!("--port={}", address.port()));
    load.args(["--auto-generate-sql", "--auto-generate-sql-load-type=mixed", "--concurrency=4"]);
    load.args(["--auto-generate-sql-add-autoincrement", "--iterations=100000"]);
    served("mariadb", server, address, load)
}

pub(crate) fn haproxy() -> Result<Vec<Row>> {
    let dir = scratch_dir()?;
    let address = free_address()?;
    let path = dir.path().display();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"])
        .args(["-days", "2", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(dir.path())
        .output()?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    let both = ["cert.pem", "key.pem"].map(|name| std::fs::read(dir.path().join(name)));
    let [certificate, key] = both;
    std::fs::write(dir.path().join("both.pem"), [certificate?, key?].concat())?;
    // An answer of its own has to fit into a buffer of 16 KiB.
    std::fs::write(dir.path().join("body"), "x".repeat(14_000))?;
    let configuration = format!(
        "defaults\n mode http\n timeout client 10s\n timeout connect 5s\n timeout server 10s\n\
         frontend tls\n bind {address} ssl crt {path}/both.pem\n\
         http-request return status 200 content-type text/plain file {path}/body\n"
    );
    let file = dir.path().join("haproxy.cfg");
    std::fs::write(&file, configuration)?;
    let mut server = Command::new("haproxy");
    server.args(["-db", "-f"]).arg(&file);
    let mut load = Command::new("wrk");
    load.args(["-t", "1", "-c", "16", "-d", "3600s", &format!("https://{address}/")]);
    served("haproxy", server, address, load)
}

pub(crate) fn java() -> Result<Vec<Row>> {
    java_server(Path::new("java"), "java", &[])
}

pub(crate) fn java_virtual() -> Result<Vec<Row>> {
    let java = javas()?.into_iter().find(|java| has_virtual_threads(java));
    let java = java.context("no Java is here that has virtual threads: 21 or newer")?;
    java_server(&java, "java with virtual threads", &["virtual"])
}

/// As `java --version` says: `openjdk 25.0.3 2026-04-21`.
fn has_virtual_threads(java: &Path) -> bool {
    let said = Command::new(java).arg("--version").output().map(|output| output.stdout);
    let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
    let number = said.split_whitespace().nth(1).and_then(|version| version.split('.').next());
    number.and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| number >= 21)
}

fn java_server(java: &Path, name: &str, arguments: &[&str]) -> Result<Vec<Row>> {
    let address = free_address()?;
    let mut server = Command::new(java);
    server.arg("-jar").arg(built("server.jar")?);
    server.arg(address.port().to_string()).args(arguments);
    served_to(SOME, name, (server, web_load(address)), address)
}

pub(crate) fn python() -> Result<Vec<Row>> {
    let address = free_address()?;
    let mut server = Command::new("python3");
    server.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/programs/python/server.py"));
    server.arg(address.port().to_string());
    served_to(SOME, "python", (server, web_load(address)), address)
}

fn web_load(address: SocketAddr) -> Command {
    let mut load = Command::new("wrk");
    load.args(["-t", "1", "-c", "16", "-d", "3600s", &format!("http://{address}/")]);
    load
}

pub(crate) fn cgo() -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let dir = scratch_dir()?;
    let mut command = Command::new(built("cgo")?);
    command.env("OTEL_SERVICE_NAME", service("cgo"));
    let mut target = Target::start(command)?;
    target.release()?;
    let rows = record("cgo", dir.path(), MOST)?;
    target.stop()?;
    Ok(rows)
}

fn service(name: &str) -> String {
    format!("bench-{name}")
}

/// A script that works without end, in a folder of its own.
fn scripted(name: &str, script: &str, bar: Bar) -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let dir = scratch_dir()?;
    let mut command = Command::new("sh");
    command.env("OTEL_SERVICE_NAME", service(name)).args(["-c", script]).current_dir(dir.path());
    let mut load = Load::start([command])?;
    let rows = record(name, dir.path(), bar)?;
    load.check().context("the program has ended")?;
    Ok(rows)
}

fn served(name: &str, server: Command, address: SocketAddr, load: Command) -> Result<Vec<Row>> {
    served_to(MOST, name, (server, load), address)
}

fn served_to(
    bar: Bar,
    name: &str,
    (mut server, load): (Command, Command),
    address: SocketAddr,
) -> Result<Vec<Row>> {
    let _machine = Machine::reserve()?;
    let dir = scratch_dir()?;
    server.env("OTEL_SERVICE_NAME", service(name));
    let mut server = Load::start([server])?;
    server.await_listener(address)?;
    let mut load = Load::start([load])?;
    let rows = record(name, dir.path(), bar)?;
    server.check()?;
    load.check()?;
    Ok(rows)
}

fn record(name: &str, dir: &Path, bar: Bar) -> Result<Vec<Row>> {
    let output = dir.join("profile.json");
    let mut recording = Recording::start_as(Request::machine(HZ), "json", &output)?;
    recording.go_on_for(TIME)?;
    recording.interrupt()?;
    recording.ended()?;
    let profile = Profile::read(&output)?;
    let (mut all, mut rooted, mut guessed) = (0, 0, 0);
    let ours = service(name);
    for sample in &profile.samples {
        if profile.label(sample, "service.name") != Some(&ours) {
            continue;
        }
        all += sample.value;
        if profile.frames_of(sample).any(|frame| frame.kind == "truncated") {
            continue;
        }
        if profile.frames_of(sample).any(|frame| frame.low_confidence) {
            guessed += sample.value;
        } else {
            rooted += sample.value;
        }
    }
    ensure!(all > 0, "nothing was seen of {name}");
    let part = |count: u64| count as f64 / all as f64;
    let measured = format!(
        "{:.2} % of {all} samples; guessed {:.2} %",
        part(rooted) * 100.0,
        part(guessed) * 100.0
    );
    let row = Row::new(format!("rooted without a guess, {name}"), measured);
    let judged = if bar.with_guesses { rooted + guessed } else { rooted };
    Ok(vec![row.against(bar.text, part(judged) >= bar.part)])
}
