//! V8 in an image, and what the kernel side is told of it.

use std::sync::Arc;

use infrared_abi::{RuntimeId, ir_runtime_states, ir_v8_state};
use infrared_profile::FrameKind;

use super::layout::Layout;
use crate::{About, Found, ImageFacts, Mapped, Namer, Runtime};

#[derive(Debug)]
struct V8(Arc<Layout>);

pub(crate) fn detect(image: &ImageFacts<'_>) -> Option<Found> {
    let layout = Layout::of(image).filter(|_| cfg!(target_arch = "x86_64"))?;
    Some(Arc::new(V8(Arc::new(layout))))
}

impl Runtime for V8 {
    fn about(&self) -> About {
        About { name: "V8".to_owned(), is_followed: true }
    }

    /// The engine's own code is native code.
    fn frame_kind(&self, _: u64) -> Option<FrameKind> {
        None
    }

    /// The interpreter and the library of the language have no unwind information.
    fn undescribed_code(&self) -> Option<RuntimeId> {
        Some(RuntimeId::V8)
    }

    fn namer(&self) -> Option<Namer> {
        Some(Namer::V8(Arc::clone(&self.0)))
    }

    fn state(&self, _: Mapped, states: &mut ir_runtime_states) {
        let Layout { function, script, .. } = &*self.0;
        states.v8 = ir_v8_state {
            present: 1,
            shared: function.shared,
            script: function.script,
            literal: function.literal,
            script_id: script.id,
            instance_type: self.0.instance_type,
            script_type: script.kind,
            bytecodes: function.bytecodes,
        };
    }
}
