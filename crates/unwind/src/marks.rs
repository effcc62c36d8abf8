//! Functions whose frames run those of a language runtime: their rows say so.

use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FlowControl};
use infrared_abi::RuntimeId;
use object::ReadRef;

use crate::cfi::{EhFrames, spans_of};
use crate::image::Image;
use crate::rule::{Rule, RuleKind};

/// Parts of one function that are followed: compilers make one or two.
const MAX_PARTS: usize = 8;

/// Code whose frames run those of a runtime, by stated addresses.
#[derive(Debug, Default, Clone)]
pub(crate) struct Marks {
    parts: Vec<(Range<u64>, RuntimeId)>,
    /// Whose all code is that no table describes.
    rest: Option<RuntimeId>,
}

impl Marks {
    pub(crate) fn add(&mut self, parts: Vec<Range<u64>>, runtime: RuntimeId) {
        self.parts.extend(parts.into_iter().map(|part| (part, runtime)));
    }

    pub(crate) fn add_rest(&mut self, runtime: RuntimeId) {
        self.rest = Some(runtime);
    }

    /// A rule as it is at an address.
    pub(crate) fn apply(&self, svma: u64, rule: Rule) -> Rule {
        let marked = self.parts.iter().find(|(part, _)| part.contains(&svma));
        marked.map_or(rule, |(_, runtime)| Rule { runtime: Some(*runtime), ..rule })
    }

    /// A rule as it is in code that no table describes.
    pub(crate) fn apply_to_rest(&self, rule: Rule) -> Rule {
        let Some(runtime) = self.rest else { return rule };
        match rule.kind {
            // Where its own step does not know the frame, a frame pointer is still the likeliest.
            RuleKind::None => Rule { runtime: Some(runtime), ..Rule::GUESS },
            RuleKind::Offset | RuleKind::Guess => Rule { runtime: Some(runtime), ..rule },
            _ => rule,
        }
    }
}

/// The parts of the function at `entry`, as `.eh_frame` describes them: where it begins, and what it jumps into the midst of. Compilers
/// put what they take for cold elsewhere, without a name; of `CPython` 3.14, built by GCC 16, that is nearly the whole loop.
pub(crate) fn parts_of<'d, R: ReadRef<'d>>(
    image: &Image<'d, R>,
    frames: &mut EhFrames<'d>,
    entry: u64,
) -> Vec<Range<u64>> {
    let mut parts: Vec<Range<u64>> = described(image, frames, entry).into_iter().collect();
    let mut next = 0;
    while let Some(part) = parts.get(next).cloned()
        && parts.len() < MAX_PARTS
    {
        next += 1;
        for (target, is_conditional) in jumps_out_of(image, &part) {
            if parts.iter().any(|part| part.contains(&target)) || parts.len() >= MAX_PARTS {
                continue;
            }
            // A jump to where another function begins is a call that does not come back here; compilers make them of calls, not
            // of conditions.
            let is_part = |other: &Range<u64>| is_conditional || other.start != target;
            let into = described(image, frames, target).filter(is_part);
            parts.extend(into);
        }
    }
    parts
}

fn described<'d, R: ReadRef<'d>>(
    image: &Image<'d, R>,
    frames: &mut EhFrames<'d>,
    svma: u64,
) -> Option<Range<u64>> {
    let entries = frames.read(image, &(svma..svma.checked_add(1)?));
    let spans = spans_of(&mut frames.cfi(), &entries).spans;
    let span = spans.into_iter().find(|span| (span.start..span.end()).contains(&svma))?;
    Some(span.start..span.end())
}

/// Where direct jumps lead that leave `part`, and whether on a condition. What data among the code looks like leads to nothing that is described.
fn jumps_out_of<'d, R: ReadRef<'d>>(image: &Image<'d, R>, part: &Range<u64>) -> Vec<(u64, bool)> {
    let Some(code) = image.bytes_at(part.start, part.end - part.start) else { return Vec::new() };
    let decoder = Decoder::with_ip(64, code, part.start, DecoderOptions::NONE);
    let mut targets: Vec<(u64, bool)> = decoder
        .into_iter()
        .filter(|instruction| {
            let flow = instruction.flow_control();
            matches!(flow, FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch)
        })
        .map(|instruction| {
            let is_conditional = instruction.flow_control() == FlowControl::ConditionalBranch;
            (instruction.near_branch_target(), is_conditional)
        })
        .filter(|(target, _)| *target != 0 && !part.contains(target))
        .collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}
