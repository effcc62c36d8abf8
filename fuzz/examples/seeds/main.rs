//! Writes the seeds of the corpus anew: `cargo run -p infrared-fuzz --example seeds`.

mod elf;
mod profiles;
mod text;

use std::path::Path;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let seeds = [elf::seeds()?, profiles::seeds()?, text::seeds()].concat();
    for Seed { target, name, bytes } in seeds {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(name);
        std::fs::write(&path, &bytes)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}: {} bytes", path.display(), bytes.len());
    }
    Ok(())
}

/// A file of the corpus.
#[derive(Clone, Debug)]
struct Seed {
    target: &'static str,
    name: &'static str,
    bytes: Vec<u8>,
}
