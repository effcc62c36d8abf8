//! A [`CallTree`] as JSON, for scripts and small trees: the columns of `docs/tree-format.md` by name.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::{CallTree, Flags, Frame, NodeKind};
use crate::ValueType;

/// Serializes as an object: `value_type`, `period_ns`, `total`, `frames`, `places` and `nodes`.
#[derive(Clone, Copy, Debug)]
pub struct TreeJson<'t>(pub &'t CallTree);

impl Serialize for TreeJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(tree) = self;
        let mut object = serializer.serialize_struct("CallTree", 6)?;
        object.serialize_field::<ValueType>("value_type", &tree.value_type)?;
        object.serialize_field("period_ns", &tree.period_ns)?;
        object.serialize_field("total", &tree.total())?;
        let frames: Vec<_> = tree.frames().map(|frame| JsonFrame::new(tree, frame)).collect();
        object.serialize_field("frames", &frames)?;
        let places: Vec<_> = tree
            .places
            .iter()
            .map(|place| JsonPlace { file: tree.string(place.file), line: place.line })
            .collect();
        object.serialize_field("places", &places)?;
        let children = (0..tree.len()).map(|node| tree.children(node).count());
        let nodes = Nodes {
            frame: tree.node_frames(),
            place: &tree.node_place,
            self_value: tree.self_values(),
            total: tree.totals(),
            children: children.collect(),
        };
        object.serialize_field("nodes", &nodes)?;
        object.end()
    }
}

#[derive(Serialize)]
struct JsonFrame<'t> {
    name: &'t str,
    /// `group`, or the name of a [`crate::FrameKind`].
    kind: JsonKind,
    #[serde(skip_serializing_if = "str::is_empty")]
    module: &'t str,
    #[serde(skip_serializing_if = "str::is_empty")]
    build_id: &'t str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inlined: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unnamed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    low_confidence: bool,
}

impl<'t> JsonFrame<'t> {
    fn new(tree: &'t CallTree, frame: &Frame) -> Self {
        Self {
            name: tree.string(frame.name),
            kind: JsonKind(frame.kind),
            module: tree.module_path(frame),
            build_id: tree.build_id(frame),
            inlined: frame.flags.contains(Flags::INLINED),
            unnamed: frame.flags.contains(Flags::UNNAMED),
            low_confidence: frame.flags.contains(Flags::LOW_CONFIDENCE),
        }
    }
}

#[derive(Serialize)]
struct JsonPlace<'t> {
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'t str,
    line: u32,
}

struct JsonKind(NodeKind);

impl Serialize for JsonKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            NodeKind::Group => serializer.serialize_str("group"),
            NodeKind::Frame(kind) => kind.serialize(serializer),
        }
    }
}

/// Columns, one element per node in depth-first order.
#[derive(Serialize)]
struct Nodes<'t> {
    /// Index into `frames`.
    frame: &'t [u32],
    /// Index into `places`, plus 1; 0 where it is not known.
    place: &'t [u32],
    #[serde(rename = "self")]
    self_value: &'t [u64],
    total: Vec<u64>,
    /// Number of direct children.
    children: Vec<usize>,
}
