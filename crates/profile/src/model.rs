//! The tables of a profile. The shape is OTLP's and pprof's: locations with inlined lines, stacks of locations, samples.

use std::collections::BTreeMap;

use crate::intern::{Interner, StringId, Strings};

/// Names of series labels: OpenTelemetry resource and sample attributes.
pub mod labels {
    pub const SERVICE: &str = "service.name";
    pub const HOST: &str = "host.name";
    pub const PID: &str = "process.pid";
    pub const EXECUTABLE: &str = "process.executable.name";
    pub const EXECUTABLE_PATH: &str = "process.executable.path";
    pub const BUILD_ID: &str = "process.executable.build_id.gnu";
    pub const VERSION: &str = "service.version";
    pub const CONTAINER_ID: &str = "container.id";
    pub const CONTAINER_NAME: &str = "container.name";
    pub const POD_UID: &str = "k8s.pod.uid";
    pub const THREAD_NAME: &str = "thread.name";
    pub const SYSTEMD_UNIT: &str = "linux.systemd.unit";
    /// `true` on what the profiler itself burns.
    pub const SELF: &str = "infrared.self";
}

/// What kind of code a location is in. Decides the colour and the `_[k]` suffix.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    #[default]
    Native,
    Kernel,
    Go,
    /// Code with no file behind it (a JIT), named by a perf map or not at all.
    Jit,
    Vdso,
    /// A function of Python, run by its interpreter.
    Python,
    /// A method of Java or another language of its virtual machine, interpreted or compiled.
    Java,
    /// A function of JavaScript, interpreted or compiled.
    #[serde(rename = "javascript")]
    JavaScript,
    /// A runtime's own frame: interpreter loop, garbage collector.
    Runtime,
    /// Not code: says why the stack does not reach its thread's entry, `[truncated: REASON]`.
    Truncated,
    /// Not code: an event that the profiler counts, such as lost samples.
    Event,
}

/// An executable, library or pseudo-module (`[vdso]`, `[kernel]`, a kernel module).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Module {
    /// Path as the process sees it, or a bracketed pseudo name.
    pub path: StringId,
    /// GNU build id as lower-case hex; empty if the file has none.
    pub build_id: StringId,
}

/// Index into [`Profile::modules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(pub u32);

/// One function at a location. For inlined code a location has several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Line {
    /// Demangled, as a person reads it; `module+0xoffset` where nothing names it, of the function's start if that is
    /// known.
    pub function: StringId,
    /// The linker's name; empty where equal to `function` or unknown.
    pub system_name: StringId,
    /// Source file; empty if unknown.
    pub file: StringId,
    /// 1-based source line; 0 if unknown.
    pub line: u32,
}

/// A place in code, or a pseudo frame ([`FrameKind::Truncated`], [`FrameKind::Event`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Location {
    pub kind: FrameKind,
    pub module: Option<ModuleId>,
    /// Stated virtual address in the module (ELF `p_vaddr` space); absolute for the kernel and JIT code.
    pub address: u64,
    /// Innermost first: all but the last are inlined into the next. Never empty for a named location.
    pub lines: Vec<Line>,
    /// The unwinder guessed (frame pointers in code without tables).
    pub low_confidence: bool,
    /// Nothing names this address: `lines` holds the `module+0xoffset` form.
    pub unnamed: bool,
}

/// Index into [`Profile::locations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocationId(pub u32);

/// Locations, leaf first. Kernel frames come first, then user frames; a truncated stack ends in a
/// [`FrameKind::Truncated`] location.
pub type Stack = Vec<LocationId>;

/// Index into [`Profile::stacks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(pub u32);

/// Who was sampled: label name to value, see [`labels`].
pub type Series = BTreeMap<String, String>;

/// Index into [`Profile::series`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub u32);

/// What the values count: (`samples`, `count`), (`infrared.events`, `count`)...
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct ValueType {
    pub kind: String,
    pub unit: String,
}

impl ValueType {
    /// On-CPU samples: one count stands for [`Profile::period_ns`] of CPU time.
    pub fn cpu_samples() -> Self {
        Self { kind: "samples".into(), unit: "count".into() }
    }

    /// The profiler's own counters (taken, lost by reason ...), as samples of one [`FrameKind::Event`] location.
    pub fn events() -> Self {
        Self { kind: "infrared.events".into(), unit: "count".into() }
    }
}

/// `value` units of the profile's type were seen in `stack` by `series`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub series: SeriesId,
    pub stack: StackId,
    pub value: u64,
    /// Unix time of each observation in nanoseconds, ascending; empty if only the sum is known.
    pub timestamps_ns: Vec<u64>,
}

/// One window of one value type.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    pub value_type: ValueType,
    /// Unix time, nanoseconds.
    pub start_ns: u64,
    pub duration_ns: u64,
    /// Nanoseconds of CPU time that one sample stands for; 0 where the type is no time.
    pub period_ns: u64,
    pub strings: Strings,
    pub modules: Interner<Module>,
    pub locations: Interner<Location>,
    pub stacks: Interner<Stack>,
    pub series: Interner<Series>,
    pub samples: Vec<Sample>,
}

impl Profile {
    pub fn location(&self, id: LocationId) -> Option<&Location> {
        self.locations.get(id.0)
    }

    pub fn stack(&self, id: StackId) -> Option<&Stack> {
        self.stacks.get(id.0)
    }

    pub fn module(&self, id: ModuleId) -> Option<&Module> {
        self.modules.get(id.0)
    }

    pub fn series(&self, id: SeriesId) -> Option<&Series> {
        self.series.get(id.0)
    }

    /// How many samples it is made of: where values are no counts, as many as it has entries. The profiler's own counters are
    /// made of none.
    pub fn sample_count(&self) -> u64 {
        if self.value_type == ValueType::events() {
            0
        } else if self.value_type.unit == ValueType::events().unit {
            self.total()
        } else {
            self.samples.len() as u64
        }
    }

    /// Sum of all values. Readers refuse profiles in which it exceeds 64 bits.
    pub fn total(&self) -> u64 {
        self.samples.iter().fold(0, |sum, sample| sum.saturating_add(sample.value))
    }
}
