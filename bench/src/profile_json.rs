//! What the figures need of `infrared record --format json`, as `docs/json-format.md` describes it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Profile {
    pub(crate) frames: Vec<Frame>,
    /// Root first: indices into `frames`.
    pub(crate) stacks: Vec<Vec<usize>>,
    pub(crate) series: Vec<BTreeMap<String, String>>,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Frame {
    pub(crate) name: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) low_confidence: bool,
    #[serde(default)]
    pub(crate) module: String,
    /// Hexadecimal with `0x`.
    #[serde(default)]
    pub(crate) address: String,
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Sample {
    pub(crate) series: usize,
    pub(crate) stack: usize,
    pub(crate) value: u64,
    #[serde(default)]
    pub(crate) timestamps_unix_ns: Vec<u64>,
}

impl Profile {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).context("infrared record wrote no JSON")?;
        serde_json::from_reader(std::io::BufReader::new(file)).context("the JSON is not understood")
    }

    pub(crate) fn label<'p>(&'p self, sample: &Sample, name: &str) -> Option<&'p str> {
        self.series.get(sample.series)?.get(name).map(String::as_str)
    }

    pub(crate) fn frames_of<'p>(&'p self, sample: &Sample) -> impl Iterator<Item = &'p Frame> {
        let stack = self.stacks.get(sample.stack).map_or(&[][..], Vec::as_slice);
        stack.iter().filter_map(|&index| self.frames.get(index))
    }
}
