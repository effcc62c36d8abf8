//! What can be measured, one module each.

mod beside;
mod conservation;
mod cost;
mod first_stack;
mod large_process;
mod memory;
mod names;
mod opentelemetry;
mod page;
mod programs;
mod ratios;
mod rooted;
mod shares;
mod tables;
mod unwinding;

use anyhow::Result;

use crate::report::Row;

/// A measurement that a name on the command line selects.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) measure: fn() -> Result<Vec<Row>>,
}

/// The order is that of the report; the long ones come last.
pub(crate) const FIGURES: &[Figure] = &[
    Figure {
        name: "conservation",
        about: "samples ÷ Hz against accounted CPU time, 1 and 4 threads (1 min)",
        measure: conservation::measure,
    },
    Figure {
        name: "shares",
        about: "known shares of C, C++, Rust and Go programs, and their rooted stacks (2 min)",
        measure: shares::measure,
    },
    Figure {
        name: "rooted-servers",
        about: "rooted stacks of nginx, PostgreSQL, Redis and a Go server, one after the other (1 min)",
        measure: rooted::servers,
    },
    Figure {
        name: "rooted-machine",
        about: "rooted stacks of the whole machine while gcc and rustc build (30 s)",
        measure: rooted::machine,
    },
    Figure {
        name: "rooted-openssl",
        about: "rooted stacks without guesses: openssl speed: AES-GCM, SHA-256, RSA (10 s)",
        measure: programs::openssl,
    },
    Figure {
        name: "rooted-java",
        about: "rooted stacks without guesses: a web server of the JDK, a pool of threads (15 s)",
        measure: programs::java,
    },
    Figure {
        name: "rooted-java-virtual",
        about: "rooted stacks without guesses: the same with a virtual thread for each request (15 s)",
        measure: programs::java_virtual,
    },
    Figure {
        name: "rooted-python",
        about: "rooted stacks without guesses: a web server of Python's library (15 s)",
        measure: programs::python,
    },
    Figure {
        name: "rooted-git",
        about: "rooted stacks without guesses: git repack and grep (10 s)",
        measure: programs::git,
    },
    Figure {
        name: "rooted-ripgrep",
        about: "rooted stacks without guesses: ripgrep (10 s)",
        measure: programs::ripgrep,
    },
    Figure {
        name: "rooted-ffmpeg",
        about: "rooted stacks without guesses: ffmpeg with libx264 (10 s)",
        measure: programs::ffmpeg,
    },
    Figure {
        name: "rooted-php",
        about: "rooted stacks without guesses: PHP with pcre2's JIT (10 s)",
        measure: programs::php,
    },
    Figure {
        name: "rooted-memcached",
        about: "rooted stacks without guesses: memcached (10 s)",
        measure: programs::memcached,
    },
    Figure {
        name: "rooted-mariadb",
        about: "rooted stacks without guesses: MariaDB (10 s)",
        measure: programs::mariadb,
    },
    Figure {
        name: "rooted-haproxy",
        about: "rooted stacks without guesses: haproxy with TLS (10 s)",
        measure: programs::haproxy,
    },
    Figure {
        name: "rooted-cgo",
        about: "rooted stacks without guesses: Go with cgo (10 s)",
        measure: programs::cgo,
    },
    Figure {
        name: "first-stack",
        about: "from a new process's first sample to its first complete, named stack (20 s)",
        measure: first_stack::measure,
    },
    Figure {
        name: "large-process",
        about: "start beside a process with 1.5 GB of libraries (30 s)",
        measure: large_process::measure,
    },
    Figure {
        name: "unwinding",
        about: "BPF run time per unwound frame, 20 to 60 frames deep (1 min)",
        measure: unwinding::measure,
    },
    Figure {
        name: "frame-ratio",
        about: "a frame against the kernel's own walk by frame pointers (1 min)",
        measure: ratios::frame,
    },
    Figure {
        name: "sample-ratio",
        about: "a sample, and all that is lost, against an empty program on the same timer (4 min)",
        measure: ratios::sample,
    },
    Figure {
        name: "tables",
        about: "bytes of unwind tables per row and for the whole machine (30 s)",
        measure: tables::measure,
    },
    Figure {
        name: "names",
        about: "names of sampled addresses against llvm-symbolizer (2 min)",
        measure: names::measure,
    },
    Figure {
        name: "page",
        about: "the page with a tree of 200,000 nodes in Chromium (1 min)",
        measure: page::measure,
    },
    Figure {
        name: "builds",
        about: "the infrared process beside gcc and rustc: processor time and memory (1 min)",
        measure: beside::builds,
    },
    Figure {
        name: "six-services",
        about: "the infrared process beside g++, Redis, Go, Python, a JVM and Node.js (1 min)",
        measure: beside::six_services,
    },
    Figure {
        name: "opentelemetry",
        about: "the kernel side beside that of OpenTelemetry's profiler, if OTEL_PROFILER names one (4 min)",
        measure: opentelemetry::measure,
    },
    Figure {
        name: "cost",
        about: "throughput of a CPU-bound load with infrared up on and off, in pairs (10 min)",
        measure: cost::measure,
    },
    Figure {
        name: "memory",
        about: "resident memory of infrared up with about 100 processes (10 min)",
        measure: memory::measure,
    },
];
