//! Five leaves burn known shares, reached through generic functions and closures.

use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const LEAVES: [(&str, f64, fn(u64) -> u64); 5] = [
    ("burn_a", 0.50, burn_a),
    ("burn_b", 0.75, burn_b),
    ("burn_c", 0.90, burn_c),
    ("burn_d", 0.97, burn_d),
    ("burn_e", 1.00, burn_e),
];

macro_rules! leaves {
    ($($name:ident $own:literal)*) => {$(
        #[inline(never)]
        fn $name(iterations: u64) -> u64 {
            // A number of its own keeps the compiler from folding equal functions into one.
            burn_loop(black_box(iterations)).wrapping_add($own)
        }
    )*};
}
leaves!(burn_a 1 burn_b 2 burn_c 3 burn_d 4 burn_e 5);

#[inline(always)]
fn burn_loop(iterations: u64) -> u64 {
    let mut x = iterations | 1;
    for _ in 0..iterations {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x = black_box(x);
    }
    x
}

macro_rules! ring {
    ($($name:ident $next:ident $words:literal;)*) => {$(
        #[inline(never)]
        fn $name<F: Fn(u64) -> u64>(leaf: &F, iterations: u64, left: u32) -> u64 {
            let frame = black_box([u64::from(left) ^ iterations; $words]);
            let result = if left > 1 { $next(leaf, iterations, left - 1) } else { leaf(iterations) };
            black_box(&frame);
            black_box(result) ^ frame[0]
        }
    )*};
}
ring! {
    hop_0 hop_1 1;
    hop_1 hop_2 4;
    hop_2 hop_3 2;
    hop_3 hop_4 33;
    hop_4 hop_5 6;
    hop_5 hop_6 3;
    hop_6 hop_7 17;
    hop_7 hop_8 5;
    hop_8 hop_9 9;
    hop_9 hop_0 12;
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

const PROCESS_CPU: i32 = 2;
const THREAD_CPU: i32 = 3;

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

fn clock_ns(clock: i32) -> u64 {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: `time` is a valid timespec that outlives the call.
    unsafe { clock_gettime(clock, &mut time) };
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

struct Options {
    seconds: f64,
    turn_us: f64,
    threads: u64,
    depth: f64,
}

impl Options {
    fn read() -> Self {
        let mut options = Self { seconds: 3600.0, turn_us: 5000.0, threads: 1, depth: 58.0 };
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        for pair in arguments.chunks_exact(2) {
            let value: f64 = pair[1].parse().expect("a number");
            match pair[0].as_str() {
                "--seconds" => options.seconds = value,
                "--turn-us" => options.turn_us = value,
                "--threads" => options.threads = value as u64,
                "--depth" => options.depth = value,
                other => panic!("unknown option {other}"),
            }
        }
        options
    }
}

#[derive(Default)]
struct Account {
    cpu_ns: [u64; 5],
    turns: u64,
}

impl Account {
    fn take_turn(&mut self, random: &mut Random, options: &Options, iterations_per_us: f64) {
        let at = random.unit();
        let index = LEAVES.iter().position(|(_, below, _)| at < *below).unwrap_or(4);
        let depth = 1 + (random.unit() * options.depth) as u32;
        let iterations = (random.exponential(options.turn_us) * iterations_per_us) as u64;
        let leaf = black_box(LEAVES[index].2);
        let before = clock_ns(THREAD_CPU);
        black_box(hop_0(&|n| leaf(n).wrapping_add(1), iterations, depth));
        self.cpu_ns[index] += clock_ns(THREAD_CPU) - before;
        self.turns += 1;
    }
}

#[inline(never)]
fn work(seed: u64, options: &Options, iterations_per_us: f64, stopped: &AtomicBool) -> Account {
    let mut account = Account::default();
    let mut random = Random(seed | 1);
    let deadline = Instant::now() + Duration::from_secs_f64(options.seconds);
    while !stopped.load(Relaxed) {
        account.take_turn(&mut random, options, iterations_per_us);
        if Instant::now() >= deadline {
            stopped.store(true, Relaxed);
        }
    }
    account
}

/// Reads one line or the end of the input; false at the end.
fn read_line() -> bool {
    let mut byte = [0];
    while let Ok(1) = std::io::stdin().read(&mut byte) {
        if byte[0] == b'\n' {
            return true;
        }
    }
    false
}

fn print(total: &Account) {
    let shares: Vec<String> =
        LEAVES.iter().zip(total.cpu_ns).map(|((name, ..), ns)| format!("\"{name}\":{ns}")).collect();
    println!(
        "{{\"turns\":{},\"process_cpu_ns\":{},\"cpu_ns\":{{{}}}}}",
        total.turns,
        clock_ns(PROCESS_CPU),
        shares.join(",")
    );
}

fn main() {
    let options = Options::read();
    let before = clock_ns(THREAD_CPU);
    black_box(burn_loop(black_box(20_000_000)));
    let iterations_per_us = 20_000_000.0 / ((clock_ns(THREAD_CPU) - before) as f64 / 1000.0);
    let stopped = AtomicBool::new(false);
    println!("READY");
    std::io::stdout().flush().expect("standard output is open");
    if !read_line() {
        std::process::exit(1);
    }
    let (stopped, options) = (&stopped, &options);
    let total = std::thread::scope(|scope| {
        scope.spawn(|| {
            read_line();
            stopped.store(true, Relaxed);
        });
        let others: Vec<_> = (1..options.threads)
            .map(|i| {
                let seed = clock_ns(0).wrapping_mul(2_654_435_761).wrapping_add(i * 7919);
                scope.spawn(move || work(seed, options, iterations_per_us, stopped))
            })
            .collect();
        let mut total = work(clock_ns(0), options, iterations_per_us, stopped);
        for other in others {
            let account = other.join().expect("a worker does not panic");
            total.turns += account.turns;
            for (sum, ns) in total.cpu_ns.iter_mut().zip(account.cpu_ns) {
                *sum += ns;
            }
        }
        print(&total);
        total
    });
    black_box(total);
    while read_line() {}
}
