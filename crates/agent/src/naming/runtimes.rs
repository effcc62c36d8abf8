//! Frames of language runtimes: what they run, and which native frames are an interpreter's own.

use infrared_bpf::abi::{IR_FRAME_LOW_CONFIDENCE, IR_FRAME_NATIVE, ir_frame};
use infrared_profile::{Builder, Location, LocationId};
use infrared_runtimes::{Line, unread};

use crate::{watch::FunctionKey, window::ProcessRef};

/// Which native frames of a stack, leaf first, are an interpreter's: the loop beneath the functions that it runs, and what is of the same
/// image between those and the function that has called them. What the innermost function has called in the interpreter is none.
pub(super) fn run_by_interpreters(frames: &[ir_frame]) -> Vec<bool> {
    let mut runs = vec![false; frames.len()];
    let is_function = |frame: &ir_frame| frame.kind() != IR_FRAME_NATIVE;
    let mut at = 0;
    while let Some(first) = frames.iter().skip(at).position(is_function).map(|next| at + next) {
        let Some(length) = frames[first..].iter().position(|frame| !is_function(frame)) else {
            break;
        };
        let loop_at = first + length;
        let image = frames[loop_at].image();
        runs[loop_at] = true;
        at = loop_at + 1;
        if let Some(length) = frames[at..].iter().position(is_function) {
            let between = at..at + length;
            let is_its = |at: &usize| frames[*at].image() == image;
            let before_caller = between.clone().rev().take_while(is_its);
            between.clone().take_while(is_its).chain(before_caller).for_each(|at| runs[at] = true);
        }
    }
    runs
}

/// The location of a frame of a language runtime; `None` of native code.
pub(super) fn runtime_location(
    builder: &mut Builder,
    frame: &ir_frame,
    process: &ProcessRef,
) -> Option<LocationId> {
    let key = FunctionKey::of(frame)?;
    let named = process.functions.get(key);
    let (kind, lines) = named.map_or_else(
        || {
            let (text, kind) = unread(key.kind, (key.code, frame.position));
            (kind, vec![Line { function: text.into(), ..Line::default() }])
        },
        |named| (named.kind(), named.lines(frame.position)),
    );
    let line = |it: &Line| builder.line(&it.function, &it.system_name, &it.file, it.line);
    let lines = lines.iter().map(line).collect();
    Some(builder.location(Location {
        kind,
        lines,
        low_confidence: frame.has(IR_FRAME_LOW_CONFIDENCE),
        unnamed: named.is_none(),
        ..Location::default()
    }))
}

#[cfg(test)]
mod tests {
    use infrared_bpf::abi::IR_IMAGE_FIRST;

    use super::*;

    /// Frames, leaf first: `p` a function of Python, `a` to `c` native code of an image each.
    fn frames(text: &str) -> Vec<ir_frame> {
        let frame = |kind| match kind {
            b'p' => ir_frame { place: 2 << 48 | 0x7000, space: 1, position: 0 },
            image => ir_frame::native(0x1000, IR_IMAGE_FIRST + u32::from(image - b'a'), 0),
        };
        text.bytes().map(frame).collect()
    }

    #[test]
    fn an_interpreter_s_frames_are_those_between_functions_and_the_loop_beneath_them() {
        for (stack, expected) in [
            // What the innermost function has called, and what is beneath the outermost one's loop, is shown as it is.
            ("aappaa", "....x."),
            ("pa", ".x"),
            ("paaapa", ".xxx.x"),
            // An extension that calls back, and the interpreter on both sides of it.
            ("paabbaapaa", ".xx..xx.x."),
            ("pabpa", ".x..x"),
            ("aabb", "...."),
            ("ap", ".."),
        ] {
            let found = run_by_interpreters(&frames(stack));
            let shown: String =
                found.iter().map(|is_its| if *is_its { 'x' } else { '.' }).collect();
            assert_eq!(shown, expected, "{stack}");
        }
    }
}
