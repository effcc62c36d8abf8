use std::{path::Path, process::Command, sync::Arc};

use infrared_processes::image::LoadSegments;

use super::*;
use crate::{images::ImageState, losses::Losses};

fn run(folder: &Path, command: &str) -> String {
    let mut words = command.split(' ');
    let mut ran = Command::new(words.next().unwrap());
    let output = ran.args(words).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn image(path: &Path) -> Image {
    Image {
        state: ImageState::Ready,
        source: ImageSource::of_memory(Arc::from(std::fs::read(path).unwrap_or_default())),
        path: path.to_str().unwrap().into(),
        root: "".into(),
        build_id: "".into(),
        segments: LoadSegments::default(),
        runtimes: Vec::new(),
        is_32_bit: false,
    }
}

#[test]
fn what_names_could_not_be_had_of_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("unit.c"), "int main(void) { return 0; }").unwrap();
    run(folder.path(), "gcc -g -gsplit-dwarf -c -o unit.o unit.c");
    run(folder.path(), "gcc -o program unit.o");
    let symbols = run(folder.path(), "nm program");
    let main = symbols.lines().find(|line| line.ends_with(" T main")).unwrap();
    let main = u64::from_str_radix(main.split(' ').next().unwrap(), 16).unwrap();
    std::fs::write(path("unit.dwo"), "no debug information").unwrap();
    let mut namer = FrameNamer::new(24 << 20);
    namer.symbolize(1, &image(&path("program")), &[main]);
    namer.symbolize(2, &image(&path("nothing")), &[0x1000]);
    let mut losses = Losses::default();
    namer.take_losses().into_iter().for_each(|(loss, count)| losses.add(loss, count));
    let told: Vec<_> = losses.iter().map(|(loss, _)| loss).collect();
    assert_eq!(told, [Loss::UnopenedImage, Loss::RefusedSplit], "{losses:?}");
    assert!(namer.take_losses().iter().all(|(_, count)| *count == 0), "once");
}

#[test]
fn a_return_address_in_the_kernel_is_looked_up_in_the_call_before_it() {
    // A call of what does not return may be the last instruction of its function.
    assert_eq!((looked_up(0, 0x1000), looked_up(1, 0x1000)), (0x1000, 0xfff));
}
