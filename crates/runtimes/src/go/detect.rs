//! A Go runtime in an image, and what is told of it.

use std::ops::Range;
use std::sync::Arc;

use infrared_abi::{ir_go_state, ir_runtime_states};
use infrared_profile::FrameKind;

use super::offsets;
use crate::{About, Found, ImageFacts, Mapped, Runtime};

/// `runtime.systemstack` is shorter.
const MAX_CODE: u64 = 512;

#[derive(Debug)]
struct Go {
    /// Stated addresses of Go code.
    text: Range<u64>,
    /// `None` if the code does not show them, as in a shared library, where the g pointer's place is known at run time
    /// only.
    state: Option<ir_go_state>,
}

/// Every image that has Go's function table has a Go runtime.
pub(crate) fn detect(image: &ImageFacts<'_>) -> Option<Found> {
    let go = image.go?;
    let state = go.systemstack.as_ref().and_then(|code| {
        let mut bytes = vec![0; code.end.saturating_sub(code.start).min(MAX_CODE) as usize];
        let read = (image.read)(code.start, &mut bytes);
        offsets::read(bytes.get(..read)?)
    });
    Some(Arc::new(Go { text: go.text.clone(), state }))
}

impl Runtime for Go {
    fn about(&self) -> About {
        About { name: "Go".to_owned(), is_followed: self.state.is_some() }
    }

    fn frame_kind(&self, svma: u64) -> Option<FrameKind> {
        self.text.contains(&svma).then_some(FrameKind::Go)
    }

    /// Where it is mapped does not matter: the g pointer is the thread's.
    fn state(&self, _: Mapped, states: &mut ir_runtime_states) {
        if let Some(state) = self.state
            && states.go.present == 0
        {
            states.go = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use infrared_unwind::GoInfo;

    use super::*;
    use crate::states;

    /// Like `runtime.systemstack` of Go 1.26, in so far as it is looked at; `m_curg` tells two apart.
    fn systemstack(m_curg: u8) -> Vec<u8> {
        [
            &[0x64, 0x48, 0x8b, 0x04, 0x25, 0xf8, 0xff, 0xff, 0xff][..],
            &[0x48, 0x8b, 0x58, 0x30],
            &[0x48, 0x3b, 0x83, m_curg, 0, 0, 0],
            &[0x48, 0x8b, 0x62, 0x38],
            &[0x48, 0x8b, 0x68, 0x68],
        ]
        .concat()
    }

    fn found(code: &[u8]) -> Found {
        let info = GoInfo { text: 0x1000..0x2000, systemstack: Some(0x1800..0x1900) };
        let read = |svma: u64, buffer: &mut [u8]| {
            assert_eq!((svma, buffer.len()), (0x1800, 0x100));
            let length = code.len().min(buffer.len());
            buffer[..length].copy_from_slice(&code[..length]);
            length
        };
        detect(&ImageFacts { go: Some(&info), symbols: &[], path: "", read: &read }).unwrap()
    }

    fn curg_of(found: &[Found]) -> Option<u16> {
        let states = states(found.iter().map(|found| (found, Mapped { bias: 0 })), &[])?;
        assert_eq!((states.go.present, states.go.g_tls_offset), (1, -8));
        Some(states.go.m_curg)
    }

    #[test]
    fn the_first_image_that_shows_where_go_keeps_its_state_counts() {
        let (library, one, other) =
            (found(&[]), found(&systemstack(0xb8)), found(&systemstack(0xc0)));
        assert_eq!(curg_of(&[Arc::clone(&library)]), None);
        assert_eq!(curg_of(&[library, one, other]), Some(0xb8));
    }

    #[test]
    fn frames_of_go_s_code_are_go_s() {
        let library = found(&[]);
        assert_eq!(library.frame_kind(0x1000), Some(FrameKind::Go));
        assert_eq!(library.frame_kind(0x2000), None, "C in the same image");
    }
}
