//! What lies where in the versions of `CPython`. Bytes, x86-64 and arm64, builds with the GIL. Measured against each version's headers.

use std::fmt;

use infrared_abi::{
    IR_PYTHON_BYTES, IR_PYTHON_EACH, IR_PYTHON_ENTRY, IR_PYTHON_NONE, IR_PYTHON_POINTER,
    IR_PYTHON_SHIM, IR_PYTHON_UNITS,
};

use super::{code::CodeLayout, lines::LineFormat, text::TextLayout};

/// Major and minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u8, pub u8);

/// Of the major number: a build without the GIL.
const WITHOUT_GIL: u8 = 0x80;

impl Version {
    pub(super) fn without_gil(self) -> Self {
        Self(self.0 | WITHOUT_GIL, self.1)
    }

    pub(super) fn has_gil(self) -> bool {
        self.0 & WITHOUT_GIL == 0
    }

    /// As a frame of an unknown one has it in its position.
    pub(super) fn number(self) -> u16 {
        u16::from_be_bytes([self.0, self.1])
    }

    pub(crate) fn of_number(number: u16) -> Self {
        let [major, minor] = number.to_be_bytes();
        Self(major, minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(major, minor) = self;
        let mark = if self.has_gil() { "" } else { "t" };
        write!(f, "{}.{minor}{mark}", major & !WITHOUT_GIL)
    }
}

impl CodeLayout {
    /// `None` for a version whose layout is not known.
    pub fn of(version: Version) -> Option<Self> {
        let layout = match version {
            Version(3, 6 | 7) => Self::older([96, 104, 112, 36], LineFormat::Steps),
            Version(3, 8 | 9) => Self::older([104, 112, 120, 40], LineFormat::Steps),
            Version(3, 10) => Self::older([104, 112, 120, 40], LineFormat::Ranges),
            Version(3, 11) => Self {
                first_line: 72,
                version: None,
                instructions: 184,
                text: TextLayout::WITH_WCHAR,
                ..Self::LATER
            },
            Version(3, 12) => Self { instructions: 192, ..Self::LATER },
            Version(3, 13) => Self { instructions: 200, ..Self::LATER },
            Version(3, 14 | 15) => Self::LATER,
            _ => return None,
        };
        Some(layout)
    }

    /// As 3.14 has it.
    const LATER: Self = Self {
        file: 112,
        name: 120,
        qualified_name: Some(128),
        lines: 136,
        first_line: 68,
        version: Some(92),
        instructions: 208,
        line_format: LineFormat::Locations,
        text: TextLayout::PLAIN,
    };

    const fn older([file, name, lines, first_line]: [u8; 4], line_format: LineFormat) -> Self {
        Self {
            file,
            name,
            qualified_name: None,
            lines,
            first_line,
            version: None,
            instructions: 0,
            line_format,
            text: TextLayout::WITH_WCHAR,
        }
    }
}

impl Version {
    /// As in `libpython3.10.so.1.0`, or `python3.9`.
    pub(super) fn in_file_name(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next()?;
        let (_, number) = name.split_once("python")?;
        let mut parts = number.split(|c: char| !c.is_ascii_digit());
        Some(Self(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

/// Where a version keeps what of its threads' states and frames, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameLayout {
    /// In `_PyRuntime`: the number of the key under which a thread keeps its state.
    pub(super) key_in_runtime: u16,
    pub(super) first: u16,
    pub(super) through: u16,
    pub(super) previous: u16,
    pub(super) code: u16,
    pub(super) position: u16,
    pub(super) mark: u16,
    pub(super) run: u16,
    pub(super) position_kind: u16,
}

impl FrameLayout {
    pub(super) fn of(version: Version) -> Option<Self> {
        let Version(3, minor) = version else { return None };
        // The key is made with a flag that it was, four bytes before it.
        let layout = match minor {
            7 => Self { position: 104, ..Self::object(1504) },
            8 => Self { position: 104, ..Self::object(1392) },
            9 => Self { position: 104, ..Self::object(584) },
            10 => Self { position_kind: IR_PYTHON_UNITS as u16, ..Self::object(584) },
            11 => Self {
                key_in_runtime: 592 + KEY,
                first: 56,
                through: 8,
                previous: 48,
                code: 32,
                mark: 68,
                run: IR_PYTHON_ENTRY as u16,
                ..Self::LATER
            },
            12 => Self { key_in_runtime: 1544 + KEY, first: 56, through: 0, ..Self::LATER },
            13 => Self { key_in_runtime: 2160 + KEY, ..Self::LATER },
            14 => Self { key_in_runtime: 2336 + KEY, mark: 74, ..Self::LATER },
            _ => return None,
        };
        Some(layout)
    }

    /// As 3.13 has it.
    const LATER: Self = Self {
        key_in_runtime: 0,
        first: 72,
        through: NONE,
        previous: 8,
        code: 0,
        position: 56,
        mark: 70,
        run: IR_PYTHON_SHIM as u16,
        position_kind: IR_PYTHON_POINTER as u16,
    };

    /// Until 3.10, a frame is an object.
    const fn object(key_in_runtime: u16) -> Self {
        Self {
            key_in_runtime: key_in_runtime + KEY,
            first: 24,
            through: NONE,
            previous: 24,
            code: 32,
            position: 96,
            mark: 0,
            run: IR_PYTHON_EACH as u16,
            position_kind: IR_PYTHON_BYTES as u16,
        }
    }
}

const KEY: u16 = 4;
const NONE: u16 = IR_PYTHON_NONE as u16;
