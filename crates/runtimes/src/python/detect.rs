//! `CPython` in an image, and what the kernel side is told of it.

use std::sync::Arc;

use infrared_abi::{
    IR_PYTHON_FOLLOWED, IR_PYTHON_NONE, IR_PYTHON_UNKNOWN, RuntimeId, ir_python_state,
    ir_runtime_states,
};
use infrared_profile::FrameKind;

use super::{
    code::CodeLayout,
    layout::{FrameLayout, Version},
};
use crate::{About, Found, ImageFacts, Mapped, Namer, Runtime};

const LOOP: &str = "_PyEval_EvalFrameDefault";
const STATE: &str = "_PyRuntime";
/// `PY_VERSION_HEX`, since 3.11.
const VERSION: &str = "Py_Version";

/// Builds without the GIL alone have it (since 3.13): their objects begin otherwise.
const WITHOUT_GIL: &str = "_Py_MergeZeroLocalRefcount";

pub(crate) const SYMBOLS: &[&str] = &[LOOP, STATE, VERSION, WITHOUT_GIL];

#[derive(Debug)]
struct Python {
    /// Stated address of the interpreter's loop.
    loop_at: u64,
    /// Stated address of the number of the key under which threads keep their states.
    key: u64,
    frames: FrameLayout,
    code: CodeLayout,
    version: Version,
}

/// By the interpreter's loop, whatever the file is called: many programs embed it.
pub(crate) fn detect(image: &ImageFacts<'_>) -> Option<Found> {
    let loop_at = image.symbol(LOOP)?.address;
    let version = version(image)?;
    Some(match followed(image, loop_at, version) {
        Some(python) => Arc::new(python),
        None => Arc::new(Unknown { loop_at, version }),
    })
}

fn followed(image: &ImageFacts<'_>, loop_at: u64, version: Version) -> Option<Python> {
    if !version.has_gil() {
        return None;
    }
    let (frames, code) = (FrameLayout::of(version)?, CodeLayout::of(version)?);
    let key = image.symbol(STATE)?.address.checked_add(frames.key_in_runtime.into())?;
    Some(Python { loop_at, key, frames, code, version })
}

fn version(image: &ImageFacts<'_>) -> Option<Version> {
    let version = match image.symbol(VERSION) {
        Some(symbol) => {
            let hex = u32::from_le_bytes(image.bytes(symbol.address)?);
            Version((hex >> 24) as u8, (hex >> 16) as u8)
        }
        None => Version::in_file_name(image.path)?,
    };
    Some(if image.symbol(WITHOUT_GIL).is_some() { version.without_gil() } else { version })
}

/// One whose layout is not known: what it runs is said to be there, and nothing more.
#[derive(Debug)]
struct Unknown {
    loop_at: u64,
    version: Version,
}

impl Runtime for Unknown {
    fn about(&self) -> About {
        About { name: format!("CPython {}", self.version), is_followed: false }
    }

    fn frame_kind(&self, _: u64) -> Option<FrameKind> {
        None
    }

    fn loop_at(&self) -> Option<(RuntimeId, u64)> {
        Some((RuntimeId::Python, self.loop_at))
    }

    fn state(&self, _: Mapped, states: &mut ir_runtime_states) {
        if states.python.present == 0 {
            states.python = ir_python_state {
                present: IR_PYTHON_UNKNOWN as u16,
                mark: self.version.number(),
                ..ir_python_state::default()
            };
        }
    }
}

impl Runtime for Python {
    fn about(&self) -> About {
        About { name: format!("CPython {}", self.version), is_followed: true }
    }

    /// The interpreter's own code is native code.
    fn frame_kind(&self, _: u64) -> Option<FrameKind> {
        None
    }

    fn loop_at(&self) -> Option<(RuntimeId, u64)> {
        Some((RuntimeId::Python, self.loop_at))
    }

    fn namer(&self) -> Option<Namer> {
        Some(Namer::Python(self.code))
    }

    fn state(&self, mapped: Mapped, states: &mut ir_runtime_states) {
        if states.python.present != 0 {
            return;
        }
        let (frames, code) = (&self.frames, &self.code);
        states.python = ir_python_state {
            key: self.key.wrapping_add(mapped.bias),
            present: IR_PYTHON_FOLLOWED as u16,
            run: frames.run,
            position_kind: frames.position_kind,
            first_frame: frames.first,
            through: frames.through,
            previous: frames.previous,
            code: frames.code,
            position: frames.position,
            mark: frames.mark,
            instructions: code.instructions.into(),
            first_line: code.first_line.into(),
            version: code.version.map_or(IR_PYTHON_NONE as u16, u16::from),
            file: code.file.into(),
            name: code.name.into(),
        };
    }
}
