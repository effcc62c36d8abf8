//! Which nodes are drawn, and where.

use crate::tree::CallTree;

/// A drawn node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rect {
    pub node: usize,
    /// Distance from the root.
    pub row: u32,
    /// Pixels from the left end of the root.
    pub x: f64,
    pub width: f64,
    pub total: u64,
}

pub(super) struct Layout {
    /// In the tree's order.
    pub rects: Vec<Rect>,
    pub rows: u32,
    pub dropped: usize,
    /// All nodes of at least this width are drawn.
    pub least_px: f64,
}

/// Narrower nodes are never drawn.
const INVISIBLE_PX: f64 = 0.1;

impl Layout {
    pub(super) fn new(tree: &CallTree, width: f64, max_frames: usize) -> Self {
        let totals = tree.totals();
        let all = totals.first().copied().unwrap_or(0).max(1);
        let scale = width / all as f64;
        let least = least_total(&totals, scale, max_frames);
        let mut layout =
            Self { rects: Vec::new(), rows: 1, dropped: 0, least_px: least as f64 * scale };
        // (node, row, value left of it)
        let mut pending = vec![(0_usize, 0_u32, 0_u64)];
        while let Some((node, row, left)) = pending.pop() {
            let (x, node_width) = (left as f64 * scale, totals[node] as f64 * scale);
            layout.rects.push(Rect { node, row, x, width: node_width, total: totals[node] });
            layout.rows = layout.rows.max(row + 1);
            let before = pending.len();
            let mut child_left = left;
            for child in tree.children(node) {
                if totals[child] < least {
                    layout.dropped += tree.subtree_lens()[child] as usize;
                    continue;
                }
                pending.push((child, row + 1, child_left));
                child_left = child_left.saturating_add(totals[child]);
            }
            pending[before..].reverse();
        }
        layout
    }
}

/// The least total that is drawn: visible, and so large that no more than `max_frames` nodes reach it (the root aside).
fn least_total(totals: &[u64], scale: f64, max_frames: usize) -> u64 {
    let visible = ((INVISIBLE_PX / scale).ceil() as u64).max(1);
    let mut drawn: Vec<u64> =
        totals.iter().skip(1).copied().filter(|&total| total >= visible).collect();
    if drawn.len() <= max_frames {
        return visible;
    }
    let (_, &mut first_dropped, _) = drawn.select_nth_unstable_by(max_frames, |a, b| b.cmp(a));
    first_dropped.saturating_add(1)
}
