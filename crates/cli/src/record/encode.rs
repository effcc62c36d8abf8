//! Writes a recording in its format.

use std::io::{self, Write};

use infrared_profile::{
    Profile, folded, html, json, labels, pprof, short_names, speedscope,
    svg::{self, SvgOptions},
    tree::{CallTree, TreeOptions},
};
use prost::Message;

use super::{Format, plan::Plan};

/// How to write.
#[derive(Debug)]
pub(super) struct Encoding {
    format: Format,
    in_nanoseconds: bool,
    /// Labels whose values stand below the service.
    by: Vec<String>,
    has_short_names: bool,
    title: String,
    /// The script of the viewer; empty unless the format needs it.
    viewer: String,
}

/// This program was built without the page.
#[derive(Debug, thiserror::Error)]
#[error(
    "this infrared was built without its viewer, which `make web` builds: choose another format than html"
)]
pub(super) struct NoViewer;

impl Encoding {
    pub(super) fn new(plan: &Plan, title: String) -> Result<Self, NoViewer> {
        let viewer = match plan.format {
            Format::Html => infrared_server::viewer_js().ok_or(NoViewer)?,
            _ => String::new(),
        };
        Ok(Self {
            format: plan.format,
            in_nanoseconds: plan.in_nanoseconds,
            by: plan.by.clone(),
            has_short_names: plan.has_short_names,
            title,
            viewer,
        })
    }

    pub(super) fn write(&self, profile: &mut Profile, mut out: &mut dyn Write) -> io::Result<()> {
        // A page has both.
        if self.has_short_names && self.format != Format::Html {
            short_names::shorten_all(profile);
        }
        let profile = &*profile;
        let unit =
            if self.in_nanoseconds { folded::Unit::Nanoseconds } else { folded::Unit::Samples };
        match self.format {
            Format::Folded => folded::write(profile, unit, &self.by, &mut out),
            Format::Pprof => pprof::write(profile, &[&self.title], &mut out),
            Format::Speedscope => speedscope::write(profile, &self.title, &self.by, &mut out),
            Format::Json => json::write(profile, &mut out),
            Format::Otlp => {
                let request = infrared_wire::to_otlp(std::slice::from_ref(profile));
                out.write_all(&request.encode_to_vec())
            }
            Format::Svg => {
                let options = SvgOptions { title: &self.title, ..SvgOptions::default() };
                svg::write(&self.tree(profile), options, &mut out)
            }
            Format::Html => {
                let page = html::Page {
                    title: &self.title,
                    viewer_js: &self.viewer,
                    has_short_names: self.has_short_names,
                };
                html::write(&self.tree(profile), page, &mut out)
            }
        }
    }

    /// The call tree with the services below its root, and the values of labels below them.
    fn tree(&self, profile: &Profile) -> CallTree {
        let service = std::iter::once(labels::SERVICE.to_owned());
        let group_by = service.chain(self.by.iter().cloned()).collect();
        CallTree::from_profile(profile, &TreeOptions { group_by, ..TreeOptions::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::{Parser, ValueEnum};
    use infrared_profile::{Builder, ValueType};

    fn encoding(arguments: &str) -> Encoding {
        let line = format!("infrared record {arguments}");
        let parsed = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Record(args) = parsed.command else { panic!("not record") };
        Encoding::new(&Plan::resolve(args).unwrap(), "nothing".into()).unwrap()
    }

    #[test]
    fn names_are_short_where_that_is_asked_for() {
        let mut builder = Builder::new(ValueType::cpu_samples(), 5, 10);
        let line = builder.line("shop::cart::total(int)", "_ZN4shop4cart5totalEi", "", 0);
        let location = infrared_profile::Location { lines: vec![line], ..Default::default() };
        let (location, series) =
            (builder.location(location), builder.series(infrared_profile::Series::default()));
        let stack = builder.stack(&[location]);
        builder.add(series, stack, 3);
        let profile = builder.finish(7);
        for (arguments, expected) in [
            ("-o -", "unknown;shop::cart::total(int) 3\n"),
            ("-o - --names short", "unknown;cart::total 3\n"),
        ] {
            let mut bytes = Vec::new();
            encoding(arguments).write(&mut profile.clone(), &mut bytes).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
    }

    #[test]
    fn an_empty_recording_is_valid_in_every_format() {
        let mut profile = Builder::new(ValueType::cpu_samples(), 5, 10).finish(7);
        let formats = Format::value_variants().iter().filter(|format| **format != Format::Html);
        for format in formats {
            let name = format.to_possible_value().unwrap();
            let mut bytes = Vec::new();
            let arguments = format!("-o odd --format {}", name.get_name());
            encoding(&arguments).write(&mut profile, &mut bytes).unwrap();
            match format {
                Format::Folded => assert_eq!(bytes, b""),
                Format::Pprof => assert_eq!(pprof_total(&bytes), 0),
                Format::Json | Format::Speedscope => {
                    serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
                }
                Format::Svg | Format::Html => assert!(bytes.ends_with(b"</svg>\n")),
                Format::Otlp => {
                    let limits = infrared_wire::Limits::default();
                    let request = infrared_wire::decode_request(&bytes, &limits).unwrap();
                    assert_eq!(infrared_wire::validate(&request), []);
                }
            }
        }
    }

    fn pprof_total(bytes: &[u8]) -> u64 {
        pprof::read(bytes, &pprof::ReadLimits::default()).unwrap().iter().map(Profile::total).sum()
    }
}
