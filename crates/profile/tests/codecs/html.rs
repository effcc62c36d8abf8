use std::io::Read;
use std::path::Path;
use std::process::Command;

use infrared_profile::html::{self, Page};
use infrared_profile::tree::encode::{decode, encode};
use infrared_profile::tree::{CallTree, TreeOptions};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::profiles::shop;

fn page(viewer_js: &str) -> (CallTree, String) {
    let tree = CallTree::from_profile(&shop(), &TreeOptions::default());
    let mut out = Vec::new();
    html::write(&tree, Page { title: "shop & <api>", viewer_js, has_short_names: false }, &mut out)
        .unwrap();
    (tree, String::from_utf8(out).unwrap())
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    text.split_once(start).unwrap().1.split_once(end).unwrap().0
}

#[test]
fn the_page_holds_the_tree_and_needs_nothing_else() {
    let (tree, html) = page("var InfraredViewer = {};");
    let data = between(&html, "type=\"application/octet-stream;base64\">", "</script>");
    let gzip = STANDARD.decode(data).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&*gzip).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, encode(&tree));
    assert_eq!(decode(&bytes).unwrap().total(), 15);
    assert!(html.contains("<title>shop &amp; &lt;api&gt;</title>"));
    for outside in ["src=", "href=", "http://", "https://"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn the_viewer_is_told_of_short_names() {
    for (has_short_names, element) in
        [(false, "<div id=\"infrared\">"), (true, "<div id=\"infrared\" data-names=\"short\">")]
    {
        let tree = CallTree::from_profile(&shop(), &TreeOptions::default());
        let mut out = Vec::new();
        html::write(&tree, Page { title: "", viewer_js: "", has_short_names }, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains(element));
    }
}

/// Runs the page's scripts where only the few browser objects exist that they use.
#[test]
fn the_viewer_is_given_the_bytes_of_the_tree() {
    let viewer = "var InfraredViewer = { mount(element, bytes) { \
        console.log(element.id, '</script>'.length, Buffer.from(bytes).toString('hex')); } };";
    let (tree, html) = page(viewer);
    let data = between(&html, "type=\"application/octet-stream;base64\">", "</script>");
    let browser = format!(
        "globalThis.document = {{ getElementById: (id) => ({{ id, textContent: id === 'tree' ? '{data}' : '' }}) }};\n"
    );
    let scripts: Vec<_> = html.split("<script>").skip(1).collect();
    let scripts = scripts.iter().map(|part| part.split("</script>").next().unwrap());
    let program = browser + &scripts.collect::<Vec<_>>().join("\n");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page.cjs");
    std::fs::write(&path, program).unwrap();
    let output = Command::new("node").arg(&path).output().unwrap();
    let hex = encode(&tree).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.trim(), format!("infrared 9 {hex}"), "{output:?}");
}
