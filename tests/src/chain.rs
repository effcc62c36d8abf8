//! Whether a shares program's chain of calls is complete: its hops call each other in a ring, so that a lost frame, a
//! doubled frame and a wrong frame all break the order.

use crate::Stack;

/// How a language writes the hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// What precedes the number in a hop's name: `hop_` or `hop<`.
    pub prefix: &'static str,
    pub length: usize,
}

/// What is wrong with the hops of `stack`, root first; `None` if hop 0 leads to its last in unbroken order.
pub fn chain_error(stack: &Stack, ring: Ring) -> Option<String> {
    let hops: Vec<usize> =
        stack.frames.iter().filter_map(|f| hop_number(&f.0, ring.prefix)).collect();
    if hops.is_empty() {
        return Some("no hop at all".into());
    }
    let broken = hops.iter().enumerate().find(|&(at, &hop)| hop != at % ring.length);
    broken.map(|(at, hop)| {
        format!("hop {hop} stands where hop {} belongs (place {at})", at % ring.length)
    })
}

fn hop_number(frame: &str, prefix: &str) -> Option<usize> {
    let after = &frame[frame.find(prefix)? + prefix.len()..];
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Folded;

    const RING: Ring = Ring { prefix: "hop_", length: 3 };

    fn error(frames: &str) -> Option<String> {
        let folded: Folded = format!("s;main;{frames} 1").parse().unwrap();
        chain_error(&folded.stacks[0], RING)
    }

    #[test]
    fn a_ring_in_order_is_complete() {
        assert_eq!(error("hop_0;hop_1;hop_2;hop_0;hop_1;burn_a"), None);
        assert_eq!(error("x::hop_0::h12;burn_a"), None);
    }

    #[test]
    fn a_lost_doubled_or_wrong_frame_is_found() {
        for frames in
            ["hop_0;hop_2", "hop_0;hop_0", "hop_1;hop_2", "hop_0;hop_1;hop_2;hop_2", "burn_a"]
        {
            assert!(error(frames).is_some(), "{frames}");
        }
    }
}
