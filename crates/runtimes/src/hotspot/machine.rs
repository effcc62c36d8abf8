//! A machine in a process: where its code is, and what the kernel side has to know of it.

use std::fmt;

use infrared_abi::{IR_HOTSPOT_BLOB_WORDS, IR_HOTSPOT_HEAPS, ir_hotspot_state, ir_runtime_states};

use super::{
    layout::{CodeBegin, Layout, short},
    tables::Tables,
};
use crate::memory::{Memory, number32, number64, pointer};

/// JDK 8 says that it is `HotSpot` 25.
const WITH_ONE_HEAP: u32 = 8;

/// What is known of the machine of a process.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) layout: Layout,
    version: u32,
    state: ir_hotspot_state,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HotSpot of JDK {}", self.version)
    }
}

impl Machine {
    /// `None`: it has no code yet, or has a layout that nothing is known of.
    pub(super) fn read(memory: &dyn Memory, tables: &Tables) -> Option<Self> {
        // The interpreter is made when the code cache is there.
        let interpreter = tables.address("AbstractInterpreter", "_code")?;
        number64(memory, interpreter).filter(|made| *made != 0)?;
        let version = version(memory, tables)?;
        let layout = Layout::of(tables, version)?;
        let state = state(memory, tables, (&layout, version))?;
        Some(Self { layout, version, state })
    }

    pub(crate) fn add_to(&self, states: &mut ir_runtime_states) {
        states.hot_spot = self.state;
    }
}

fn version(memory: &dyn Memory, tables: &Tables) -> Option<u32> {
    if tables.address("CodeCache", "_heap").is_some() {
        return Some(WITH_ONE_HEAP);
    }
    let at = tables.address("Abstract_VM_Version", "_vm_major_version")?;
    number32(memory, at)
}

fn state(
    memory: &dyn Memory,
    tables: &Tables,
    (layout, version): (&Layout, u32),
) -> Option<ir_hotspot_state> {
    let heaps = heaps(memory, tables)?;
    let shift_at = tables.offset(&[("CodeHeap", "_log2_segment_size")])?;
    let shift = number32(memory, heaps.first()? + shift_at)?;
    let call_stub = tables.address("StubRoutines", "_call_stub_return_address")?;
    // Since 22.
    let continuation = tables.address("ContinuationEntry", "_return_pc");
    let mut state = ir_hotspot_state {
        present: 1,
        call_stub: number64(memory, call_stub)?,
        continuation: continuation.and_then(|at| number64(memory, at)).unwrap_or(0),
        segment_shift: u8::try_from(shift).ok().filter(|shift| (4..16).contains(shift))?,
        block_header: u8::try_from(tables.size("HeapBlock")?).ok()?,
        name: in_head(layout.blob.name)?,
        frame_words: in_head(layout.blob.frame_words)?,
        frame_complete: layout.blob.frame_complete + u16::from(layout.blob.is_complete_short),
        code: match layout.blob.code {
            CodeBegin::Pointer(at) => at,
            CodeBegin::Offset(at) => at + 1,
        },
        compile_id: layout.blob.compile_id,
        const_method: layout.method.const_method,
        code_size: layout.method.code_size,
        bytecodes: layout.method.bytecodes,
        // Since 9 frames keep the mirror of the class, too.
        bytecode_is_higher: u16::from(version == WITH_ONE_HEAP),
        ..ir_hotspot_state::default()
    };
    for (place, heap) in heaps.into_iter().enumerate() {
        let Heap { start, bytes, segments } = read_heap(memory, tables, heap)?;
        *state.heaps.start.get_mut(place)? = start;
        *state.heaps.bytes.get_mut(place)? = bytes;
        *state.heaps.segments.get_mut(place)? = segments;
    }
    Some(state)
}

/// A place in what is read at once of a blob.
fn in_head(at: u16) -> Option<u16> {
    Some(at).filter(|at| u32::from(*at) + 8 <= IR_HOTSPOT_BLOB_WORDS * 8)
}

/// Runtime addresses of the heaps of code.
fn heaps(memory: &dyn Memory, tables: &Tables) -> Option<Vec<u64>> {
    if let Some(heap) = tables.address("CodeCache", "_heap") {
        return Some(vec![pointer(memory, heap)?]);
    }
    let array = pointer(memory, tables.address("CodeCache", "_heaps")?)?;
    let length =
        tables.offset(&[("GrowableArrayBase", "_len"), ("GenericGrowableArray", "_len")])?;
    let data = tables.offset(&[("GrowableArray<int>", "_data")])?;
    let (length, data) = (number32(memory, array + length)?, pointer(memory, array + data)?);
    if !(1..=IR_HOTSPOT_HEAPS).contains(&length) {
        return None;
    }
    (0..length).map(|number| pointer(memory, data + u64::from(number) * 8)).collect()
}

struct Heap {
    start: u64,
    bytes: u32,
    segments: u64,
}

fn read_heap(memory: &dyn Memory, tables: &Tables, heap: u64) -> Option<Heap> {
    let of_space = |name| short(tables, &[("VirtualSpace", name)]).map(u64::from);
    let in_heap = |space, name| {
        let at = heap + tables.offset(&[("CodeHeap", space)])? + of_space(name)?;
        number64(memory, at)
    };
    let start = in_heap("_memory", "_low_boundary")?;
    let bytes = in_heap("_memory", "_high_boundary")?.checked_sub(start)?;
    Some(Heap {
        start,
        bytes: u32::try_from(bytes).ok()?,
        segments: in_heap("_segmap", "_low_boundary")?,
    })
}
