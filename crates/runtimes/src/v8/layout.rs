//! What lies where in an engine. Bytes from the start of an object; V8's own word is "tagged pointer minus one".

use super::baseline::BytecodeSizes;
use super::positions::PositionFormat;
use crate::ImageFacts;

const SHARED: &str = "v8dbg_class_JSFunction__shared__SharedFunctionInfo";
const SCRIPT: [&str; 2] = [
    "v8dbg_class_SharedFunctionInfo__script_or_debug_info__HeapObject",
    "v8dbg_class_SharedFunctionInfo__script__Tagged_HeapObject_",
];
const NAME: [&str; 3] = [
    "v8dbg_class_SharedFunctionInfo__name_or_scope_info__Object",
    "v8dbg_class_SharedFunctionInfo__name_or_scope_info__Tagged_Object_",
    "v8dbg_class_SharedFunctionInfo__name_or_scope_info__Tagged_NameOrScopeInfoT_",
];
const FLAGS: &str = "v8dbg_class_SharedFunctionInfo__flags__int";
const SCRIPT_NAME: &str = "v8dbg_class_Script__name__Object";
const SOURCE: &str = "v8dbg_class_Script__source__Object";
const LINE_ENDS: &str = "v8dbg_class_Script__line_ends__Object";
const INSTANCE_TYPE: &str = "v8dbg_class_Map__instance_type__uint16_t";
const BYTECODES: &str = "v8dbg_class_BytecodeArray__data__uintptr_t";
const BYTECODE_COUNT: &str = "v8dbg_class_BytecodeArray__length__SMI";
const FIRST_VARIABLE: &str = "v8dbg_scopeinfo_idx_first_vars";
const SCRIPT_TYPE: &str = "v8dbg_type_Script__SCRIPT_TYPE";
const SCOPE_TYPE: &str = "v8dbg_type_ScopeInfo__SCOPE_INFO_TYPE";
const BYTECODES_TYPE: &str = "v8dbg_type_BytecodeArray__BYTECODE_ARRAY_TYPE";
const CODE_TYPE: &str = "v8dbg_type_Code__CODE_TYPE";
const DATA_TYPE: &str = "v8dbg_type_InterpreterData__INTERPRETER_DATA_TYPE";
const STREAM_TYPE: &str = "v8dbg_type_InstructionStream__INSTRUCTION_STREAM_TYPE";
const STREAM_START: &str = "v8dbg_class_InstructionStream__instruction_start__uintptr_t";
const CODE_START: &str = "v8dbg_class_Code__instruction_start__Address";
const CODE_START_INSIDE: &str = "v8dbg_class_Code__instruction_start__uintptr_t";
const CODE_FLAGS: &str = "v8dbg_class_Code__flags__uint32_t";
const CODE_SIZE: &str = "v8dbg_class_Code__instruction_size__int";
const CODE_DEOPT: &str = "v8dbg_class_Code__deoptimization_data__FixedArray";
const BASELINE: &str = "v8dbg_CodeKindBaseline";
const LITERALS: &str = "v8dbg_DeoptimizationDataLiteralArrayIndex";
const INLINED: &str = "v8dbg_DeoptimizationDataInliningPositionsIndex";
const OPTIMIZED: &str = "v8dbg_DeoptimizationDataSharedFunctionInfoIndex";
const WRAPPED: &str = "v8dbg_DeoptimizationDataWrappedSharedFunctionInfoIndex";
/// Of each bytecode, how long it is: a row for each width of its operands.
const BYTECODE_SIZES: &str = "_ZN2v88internal11interpreter9Bytecodes14kBytecodeSizesE";
/// Of the version.
const MAJOR: &str = "_ZN2v88internal7Version6major_E";
/// In frames: the same in all versions, so that the kernel side knows no others.
const IN_FRAME: [(&str, i32); 4] = [
    ("v8dbg_off_fp_context_or_frame_type", -8),
    ("v8dbg_off_fp_function", -16),
    ("v8dbg_off_fp_bytecode_array", -32),
    ("v8dbg_off_fp_bytecode_offset", -40),
];

pub(crate) const SYMBOLS: &[&str] = &[
    SHARED,
    SCRIPT[0],
    SCRIPT[1],
    NAME[0],
    NAME[1],
    NAME[2],
    FLAGS,
    SCRIPT_NAME,
    SOURCE,
    LINE_ENDS,
    INSTANCE_TYPE,
    BYTECODES,
    BYTECODE_COUNT,
    FIRST_VARIABLE,
    SCRIPT_TYPE,
    SCOPE_TYPE,
    BYTECODES_TYPE,
    CODE_TYPE,
    DATA_TYPE,
    STREAM_TYPE,
    STREAM_START,
    CODE_START,
    CODE_START_INSIDE,
    CODE_FLAGS,
    CODE_SIZE,
    CODE_DEOPT,
    BASELINE,
    LITERALS,
    INLINED,
    OPTIMIZED,
    WRAPPED,
    MAJOR,
    IN_FRAME[0].0,
    IN_FRAME[1].0,
    IN_FRAME[2].0,
    IN_FRAME[3].0,
];

pub(crate) const OWN_SYMBOLS: &[(&str, &str)] = &[(BYTECODE_SIZES, SHARED)];

/// Where functions, their names and lines, and compiled code are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(super) instance_type: u16,
    pub(super) function: FunctionLayout,
    pub(super) script: ScriptLayout,
    pub(super) code: CodeLayout,
    pub(super) positions: PositionFormat,
    pub(super) bytecode_sizes: BytecodeSizes,
}

/// `JSFunction`, `SharedFunctionInfo`, `ScopeInfo`, `BytecodeArray`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FunctionLayout {
    pub(super) shared: u16,
    pub(super) name: u16,
    pub(super) script: u16,
    pub(super) literal: u16,
    pub(super) scope_type: u16,
    /// The slot of a scope after those of its counts.
    pub(super) first_variable: u16,
    pub(super) bytecodes_type: u16,
    pub(super) bytecodes: u16,
    pub(super) bytecode_positions: u16,
    pub(super) data_type: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScriptLayout {
    pub(super) kind: u16,
    pub(super) name: u16,
    pub(super) source: u16,
    pub(super) line_offset: u16,
    pub(super) id: u16,
}

/// Code, and what the instructions are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodeLayout {
    pub(super) kind: u16,
    /// The type of what the instructions are in: until 10, the Code itself.
    pub(super) stream_type: u16,
    /// The first instruction, from the start of that.
    pub(super) stream_start: u16,
    /// Where the address of the first instruction is; `None`: they are in the Code.
    pub(super) start: Option<u16>,
    pub(super) size: u16,
    pub(super) flags: u16,
    /// What is needed to go back to the interpreter; of baseline code, the bytecode.
    pub(super) deopt: u16,
    /// Positions in the source; of baseline code, in the bytecode.
    pub(super) positions: u16,
    pub(super) baseline: u32,
    /// Elements of what is needed to go back.
    pub(super) literals: u16,
    pub(super) inlined: u16,
    pub(super) optimized: u16,
    /// The function is in an object of its own.
    pub(super) is_wrapped: bool,
}

/// The constants of an image.
struct Constants<'i>(&'i ImageFacts<'i>);

impl Constants<'_> {
    fn signed(&self, name: &str) -> Option<i32> {
        self.0.bytes(self.0.symbol(name)?.address).map(i32::from_le_bytes)
    }

    fn get(&self, name: &str) -> Option<u16> {
        u16::try_from(self.signed(name)?).ok()
    }

    fn first(&self, names: &[&str]) -> Option<u16> {
        names.iter().find_map(|name| self.get(name))
    }
}

impl Layout {
    /// `None`: something is missing without which nothing can be told, or frames are others.
    pub(super) fn of(image: &ImageFacts<'_>) -> Option<Self> {
        let constants = Constants(image);
        let shared = constants.get(SHARED)?;
        if !IN_FRAME.iter().all(|(name, at)| constants.signed(name) == Some(*at)) {
            return None;
        }
        Some(Self {
            instance_type: constants.get(INSTANCE_TYPE)?,
            function: FunctionLayout::of(&constants, shared)?,
            script: ScriptLayout::of(&constants)?,
            code: CodeLayout::of(&constants)?,
            positions: PositionFormat::of(constants.get(MAJOR)?),
            bytecode_sizes: BytecodeSizes::of(image, BYTECODE_SIZES),
        })
    }
}

impl FunctionLayout {
    fn of(constants: &Constants<'_>, shared: u16) -> Option<Self> {
        // Since 12, an array has a word more before its tables, and they have changed places.
        let bytecode_positions = if constants.get(BYTECODE_COUNT).is_some() { 24 } else { 32 };
        Some(Self {
            shared,
            name: constants.first(&NAME)?,
            script: constants.first(&SCRIPT)?,
            literal: constants.get(FLAGS)? + 4,
            scope_type: constants.get(SCOPE_TYPE)?,
            first_variable: constants.get(FIRST_VARIABLE)?,
            bytecodes_type: constants.get(BYTECODES_TYPE)?,
            // Of 20 it is said where other fields end that are aligned.
            bytecodes: constants.get(BYTECODES)?,
            bytecode_positions,
            data_type: constants.get(DATA_TYPE)?,
        })
    }
}

impl ScriptLayout {
    fn of(constants: &Constants<'_>) -> Option<Self> {
        let name = constants.get(SCRIPT_NAME)?;
        Some(Self {
            kind: constants.get(SCRIPT_TYPE)?,
            name,
            source: constants.get(SOURCE)?,
            line_offset: name + 8,
            id: constants.get(LINE_ENDS)? + 8,
        })
    }
}

impl CodeLayout {
    fn of(constants: &Constants<'_>) -> Option<Self> {
        let kind = constants.get(CODE_TYPE)?;
        let inside = constants.get(CODE_START_INSIDE);
        let optimized = constants.get(OPTIMIZED);
        let wrapped = constants.get(WRAPPED);
        // 11 says neither where the address is nor what follows it: as 12.
        let start = inside.is_none().then(|| constants.get(CODE_START).unwrap_or(40));
        let is_early = inside.is_some() || constants.get(CODE_DEOPT).is_some();
        let deopt = if is_early { 16 } else { 8 };
        Some(Self {
            kind,
            stream_type: if inside.is_some() { kind } else { constants.get(STREAM_TYPE)? },
            stream_start: inside.or_else(|| constants.get(STREAM_START))?,
            start,
            size: constants.get(CODE_SIZE).unwrap_or(52),
            flags: constants.get(CODE_FLAGS).unwrap_or(48),
            deopt,
            positions: deopt + 8,
            baseline: constants.get(BASELINE)?.into(),
            literals: constants.get(LITERALS).unwrap_or(2),
            inlined: constants.get(INLINED).unwrap_or(7),
            optimized: wrapped.or(optimized).unwrap_or(6),
            is_wrapped: wrapped.is_some(),
        })
    }
}
