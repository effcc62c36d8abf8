//! What lies where in a machine. Bytes, as its tables say; what they leave out is of its headers.

use super::tables::Tables;

/// Where names, lines and inlined calls are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(super) blob: BlobLayout,
    pub(super) method: MethodLayout,
    pub(super) scopes: Option<ScopeLayout>,
}

/// A `CodeBlob`, and what an `nmethod` adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlobLayout {
    pub(super) name: u16,
    pub(super) frame_words: u16,
    pub(super) frame_complete: u16,
    /// It is 16 bits long, else 32.
    pub(super) is_complete_short: bool,
    pub(super) code: CodeBegin,
    pub(super) compile_id: u16,
    /// The `Method*`.
    pub(super) method: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeBegin {
    /// A pointer to it.
    Pointer(u16),
    /// An offset from the blob, 32 bits.
    Offset(u16),
}

/// Method, `ConstMethod`, `ConstantPool`, Klass, Symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MethodLayout {
    pub(super) const_method: u16,
    pub(super) constants: u16,
    pub(super) flags: u16,
    /// Three shorts: bytes of bytecode, and indexes of name and signature.
    pub(super) code_size: u16,
    pub(super) bytecodes: u16,
    pub(super) holder: u16,
    pub(super) pool: u16,
    pub(super) klass_name: u16,
    pub(super) source_file: SourceFile,
    pub(super) symbol_length: u16,
    pub(super) symbol_body: u16,
    pub(super) numbers: NumberFormat,
}

/// Where the index of the name of the source file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceFile {
    InPool(u16),
    InKlass(u16),
}

/// How numbers are written one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberFormat {
    /// Until 19.
    WithZeros,
    /// Since 20, no byte is zero.
    WithoutZeros,
}

/// What a compiled method tells of its safepoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScopeLayout {
    /// The offset of the `PcDesc`s, and of what follows them.
    pub(super) pcs: u16,
    pub(super) pcs_end: u16,
    pub(super) data: ScopeData,
    pub(super) metadata: Metadata,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScopeData {
    /// A pointer; the descriptors are offsets from the blob.
    Pointer(u16),
    /// An offset, as those of the descriptors: until 8.
    Offset(u16),
    /// An offset, as those of the descriptors, from what this points to: since 23.
    Immutable { base: u16, offset: u16 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metadata {
    /// An offset from the blob.
    Offset(u16),
    /// What a pointer leads to, behind relocations of so many bytes (JDK-8343789): since 25.
    Mutable { base: u16, relocation_size: u16 },
}

const CODE_BLOB: &str = "CodeBlob";
const NMETHOD: &str = "nmethod";

impl Layout {
    /// `None`: something is missing without which nothing can be told.
    pub(super) fn of(tables: &Tables, version: u32) -> Option<Self> {
        Some(Self {
            blob: BlobLayout::of(tables)?,
            method: MethodLayout::of(tables, version)?,
            scopes: ScopeLayout::of(tables),
        })
    }
}

pub(super) fn short(tables: &Tables, names: &[(&str, &str)]) -> Option<u16> {
    u16::try_from(tables.offset(names)?).ok()
}

impl BlobLayout {
    fn of(tables: &Tables) -> Option<Self> {
        let at = |name| short(tables, &[(CODE_BLOB, name)]);
        let code = at("_code_begin").map(CodeBegin::Pointer);
        Some(Self {
            name: at("_name")?,
            frame_words: at("_frame_size")?,
            frame_complete: at("_frame_complete_offset")?,
            is_complete_short: tables.is_short(CODE_BLOB, "_frame_complete_offset"),
            code: code.or_else(|| at("_code_offset").map(CodeBegin::Offset))?,
            compile_id: short(tables, &[(NMETHOD, "_compile_id")])?,
            method: short(tables, &[(NMETHOD, "_method"), ("CompiledMethod", "_method")])?,
        })
    }
}

impl MethodLayout {
    fn of(tables: &Tables, version: u32) -> Option<Self> {
        let at = |kind, name| short(tables, &[(kind, name)]);
        let in_pool = at("ConstantPool", "_source_file_name_index").map(SourceFile::InPool);
        let in_klass = || at("InstanceKlass", "_source_file_name_index").map(SourceFile::InKlass);
        let code_size = at("ConstMethod", "_code_size")?;
        let is_one_run = at("ConstMethod", "_name_index")? == code_size + 2
            && at("ConstMethod", "_signature_index")? == code_size + 4;
        Some(Self {
            const_method: at("Method", "_constMethod")?,
            constants: at("ConstMethod", "_constants")?,
            flags: short(tables, &[("ConstMethod", "_flags"), ("ConstMethod", "_flags._flags")])?,
            code_size: Some(code_size).filter(|_| is_one_run)?,
            bytecodes: u16::try_from(tables.size("ConstMethod")?).ok()?,
            holder: at("ConstantPool", "_pool_holder")?,
            pool: u16::try_from(tables.size("ConstantPool")?).ok()?,
            klass_name: at("Klass", "_name")?,
            source_file: in_pool.or_else(in_klass)?,
            symbol_length: at("Symbol", "_length")?,
            symbol_body: short(tables, &[("Symbol", "_body[0]"), ("Symbol", "_body")])?,
            numbers: if version < 20 {
                NumberFormat::WithZeros
            } else {
                NumberFormat::WithoutZeros
            },
        })
    }
}

impl ScopeLayout {
    fn of(tables: &Tables) -> Option<Self> {
        let of_method = |name| short(tables, &[(NMETHOD, name)]);
        let pcs = of_method("_scopes_pcs_offset")?;
        let immutable = of_method("_immutable_data");
        let pointer = short(
            tables,
            &[(NMETHOD, "_scopes_data_begin"), ("CompiledMethod", "_scopes_data_begin")],
        );
        let (data, pcs_end) = match (immutable, pointer) {
            (Some(base), _) => {
                let offset = of_method("_scopes_data_offset")?;
                (ScopeData::Immutable { base, offset }, offset)
            }
            (None, Some(pointer)) => {
                (ScopeData::Pointer(pointer), of_method("_dependencies_offset")?)
            }
            (None, None) => (
                ScopeData::Offset(of_method("_scopes_data_offset")?),
                of_method("_dependencies_offset")?,
            ),
        };
        let mutable = short(tables, &[(CODE_BLOB, "_mutable_data")]);
        let metadata = match mutable {
            Some(base) => Metadata::Mutable {
                base,
                relocation_size: short(tables, &[(CODE_BLOB, "_relocation_size")])?,
            },
            None => Metadata::Offset(of_method("_metadata_offset")?),
        };
        Some(Self { pcs, pcs_end, data, metadata })
    }
}
