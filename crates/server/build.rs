//! Builds the crate again when the web UI was built again: its files have other names then.

fn main() {
    for folder in ["dist", "dist-standalone"] {
        println!("cargo::rerun-if-changed=../../web/{folder}");
    }
}
