//! A loaded kernel side, one at a time, and what it told of a process.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use infrared_abi::ir_sample;
use infrared_bpf::abi::{IR_PROCESS_KNOWN, ir_row};
use infrared_bpf::{
    DeferredSample, Exec, Filter, Kernel, KernelConfig, MappingBlock, PageKey, PageTable, Record,
    UserStack,
};
use infrared_unwind::{CompactTable, Page};

use crate::{
    subject::Subject,
    support::{images::Images, mappings::mappings_of},
};

/// Samples a second and CPU: a prime, and enough for short tests.
pub(crate) const HZ: u64 = 997;

/// Two samplers at once would take each other's time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(crate) struct Session {
    pub(crate) kernel: Kernel,
    _turn: MutexGuard<'static, ()>,
}

/// What tests mostly want: the chosen processes, fast.
pub(crate) fn config() -> KernelConfig {
    KernelConfig {
        frequency_hz: HZ,
        filter: Filter::Pids,
        ring_bytes: Some(64 << 20),
        ..KernelConfig::default()
    }
}

impl Session {
    /// Fails the test where the programs cannot be loaded: root is needed.
    pub(crate) fn load(config: &KernelConfig) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let kernel = Kernel::load(config).expect("the kernel side loads: these tests need root");
        Self { kernel, _turn: turn }
    }

    /// Loads, and selects a subject.
    pub(crate) fn with_subject(config: &KernelConfig) -> (Self, Subject) {
        let session = Self::load(config);
        let subject = Subject::start();
        session.kernel.processes.select_pid(subject.pid()).unwrap();
        (session, subject)
    }

    pub(crate) fn take(&mut self) -> Taken {
        let mut taken = Taken::default();
        for record in self.kernel.take_records() {
            match record {
                Record::Sample(sample) => taken.samples.push(sample),
                Record::Deferred(deferred) => taken.deferred.push(*deferred),
                Record::Exec(exec) => taken.execs.push(exec),
                Record::UserStack(stack) => taken.stacks.push(stack),
                Record::KernelStack(stack) => assert!(!stack.addresses.is_empty()),
            }
        }
        assert_eq!(self.kernel.damaged_records(), 0);
        taken
    }

    pub(crate) fn stat(&self, stat: u32) -> u64 {
        self.kernel.stats().get(stat)
    }

    /// Loads the tables of all that `subject` has mapped, and returns its mappings.
    pub(crate) fn load_tables(&mut self, images: &mut Images, subject: &Subject) -> MappingBlock {
        let mappings = mappings_of(subject.pid());
        let memory = std::fs::File::open(format!("/proc/{}/mem", subject.pid())).unwrap();
        let mappings = images.kernel_mappings(&mappings, &|address, length| {
            let mut bytes = vec![0; length];
            std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, address).unwrap();
            bytes
        });
        for (image, table) in images.shown(&mappings) {
            for page in &table.pages {
                insert(&mut self.kernel, image, table, page);
            }
        }
        let start_stack = subject.start_stack();
        MappingBlock { mappings, state: IR_PROCESS_KNOWN, start_stack, ..MappingBlock::default() }
    }
}

/// Loads a page.
pub(crate) fn insert(kernel: &mut Kernel, image: u32, table: &CompactTable, page: &Page) {
    let row = |row: &infrared_unwind::Row| ir_row { address_low: row.address_low, rule: row.rule };
    let rules: Vec<_> = table.rules.iter().map(|rule| rule.to_abi()).collect();
    let rows: Vec<_> = table.rows_of(page).iter().map(row).collect();
    let key = PageKey { image, page: page.index };
    kernel.tables.insert(key, PageTable { rows: &rows, rules: &rules }).unwrap();
}

/// Records by kind.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) samples: Vec<ir_sample>,
    pub(crate) deferred: Vec<DeferredSample>,
    pub(crate) stacks: Vec<UserStack>,
    pub(crate) execs: Vec<Exec>,
}

impl Taken {
    /// Heads of all samples, deferred or not.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &ir_sample> + '_ {
        self.samples.iter().chain(self.deferred.iter().map(|deferred| &deferred.sample))
    }

    pub(crate) fn pids(&self) -> BTreeSet<u32> {
        self.heads().map(|sample| sample.pid).collect()
    }
}
