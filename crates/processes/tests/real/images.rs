use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use infrared_processes::image::{
    Absent, ElfHeaders, ImageError, OpenImage, Origin, copy_from_memory, open, open_of_gone,
};
use infrared_processes::maps::{MapLimits, Mapping, MappingKind};
use infrared_processes::process::WantedVariables;
use infrared_processes::{Pid, ProcFs, Process};
use rustix::fs::MemfdFlags;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use crate::child::{Cat, cat_path, compile, copy_file, copy_of_cat, root_for_cat};

/// Takes from this thread the right to follow `map_files`, so that paths must do.
fn without_map_files() {
    let mut sets = capabilities(None).unwrap();
    sets.effective -= CapabilitySet::CHECKPOINT_RESTORE | CapabilitySet::SYS_ADMIN;
    set_capabilities(None, sets).unwrap();
}

fn headers_of(path: &Path) -> ElfHeaders {
    ElfHeaders::read(&File::open(path).unwrap()).unwrap()
}

#[track_caller]
fn assert_is_cat(image: &OpenImage, origin: Origin) {
    assert_eq!(image.origin, origin);
    assert_eq!(image.headers().unwrap(), headers_of(&cat_path()));
    assert_eq!(image.length, std::fs::metadata(cat_path()).unwrap().len());
}

#[test]
fn every_mapped_file_of_a_process_is_reached() {
    let cat = Cat::start(&mut Command::new("cat"));
    let files = cat.files();
    assert!(files.len() >= 3, "cat, libc and the loader: {files:?}");
    for mapping in files {
        let image = open(&cat.dir, &mapping).unwrap();
        assert_eq!(image.origin, Origin::MapFiles);
        assert_eq!(image.headers().unwrap(), headers_of(mapping.path().unwrap()));
    }
}

#[test]
fn a_deleted_program_is_reached() {
    let (_directory, copy) = copy_of_cat("deleted");
    let cat = Cat::start(&mut Command::new(&copy));
    std::fs::remove_file(&copy).unwrap();
    let mapping = cat.mapping("/deleted");
    assert_eq!(mapping.kind, MappingKind::DeletedFile);
    assert!(cat.dir.executable().unwrap().unwrap().is_deleted);
    assert_is_cat(&open(&cat.dir, &mapping).unwrap(), Origin::MapFiles);
    without_map_files();
    assert_is_cat(&open(&cat.dir, &mapping).unwrap(), Origin::Exe);
}

#[test]
fn a_program_that_was_replaced_is_not_mistaken_for_its_successor() {
    let (directory, copy) = copy_of_cat("upgraded");
    let cat = Cat::start(&mut Command::new(&copy));
    let before = cat.mapping("/upgraded");
    let successor = directory.path().join("new");
    copy_file(Path::new("/bin/sh"), &successor);
    std::fs::rename(&successor, &copy).unwrap();
    assert_is_cat(&open(&cat.dir, &before).unwrap(), Origin::MapFiles);
    without_map_files();
    // the mapping as it was read before the upgrade still looks like a file
    assert_eq!(before.kind, MappingKind::File);
    assert_is_cat(&open(&cat.dir, &before).unwrap(), Origin::Exe);
}

#[test]
fn a_copy_of_the_same_code_is_as_good_as_the_file() {
    let (directory, copy) = copy_of_cat("copied");
    let cat = Cat::start(&mut Command::new(&copy));
    let before = cat.mapping("/copied");
    let successor = directory.path().join("new");
    copy_file(&cat_path(), &successor);
    std::fs::rename(&successor, &copy).unwrap();
    without_map_files();
    // as on overlayfs and btrfs: another device and inode, the same bytes
    assert_is_cat(&open(&cat.dir, &before).unwrap(), Origin::Path);
}

#[test]
fn a_program_in_memory_is_reached() {
    let memory = rustix::fs::memfd_create("in memory", MemfdFlags::CLOEXEC).unwrap();
    std::io::copy(
        &mut File::open(cat_path()).unwrap(),
        &mut File::from(memory.try_clone().unwrap()),
    )
    .unwrap();
    let path = format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd());
    let cat = Cat::start(&mut Command::new(path));
    drop(memory);
    let mapping = cat.mapping("memfd:in memory");
    assert_eq!(
        (mapping.kind, mapping.display_name().as_str()),
        (MappingKind::Memfd, "memfd:in memory")
    );
    assert_is_cat(&open(&cat.dir, &mapping).unwrap(), Origin::MapFiles);
    without_map_files();
    assert_is_cat(&open(&cat.dir, &mapping).unwrap(), Origin::Exe);
}

#[test]
fn files_below_another_root_are_reached() {
    let (root, program) = root_for_cat();
    let mut command = Command::new("chroot");
    let cat = Cat::start(command.arg(root.path()).arg(&program));
    let files = cat.files();
    let reach_all = |origin| {
        for mapping in &files {
            let image = open(&cat.dir, mapping).unwrap();
            assert_eq!(image.origin, origin, "{mapping:?}");
            assert_eq!(image.headers().unwrap(), headers_of(mapping.path().unwrap()));
        }
    };
    assert!(files.iter().all(|mapping| mapping.path().unwrap().starts_with(root.path())));
    assert_eq!(std::fs::read_link(cat.dir.root_path()).unwrap(), root.path());
    reach_all(Origin::MapFiles);
    without_map_files();
    reach_all(Origin::Path);
}

#[test]
fn files_of_another_mount_namespace_are_reached() {
    let hidden = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs none \"$1\" && cp \"$2\" \"$1/hidden\" && exec \"$1/hidden\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--", "sh", "-c", script, "sh"]).arg(hidden.path()).arg(cat_path());
    let cat = Cat::start(&mut command);
    let mapping = cat.mapping("/hidden");
    let path = mapping.path().unwrap();
    assert!(!path.exists(), "the file system is mounted for the child alone");
    let own = ProcFs::system().process(Pid(std::process::id())).unwrap();
    assert_ne!(cat.dir.namespaces().unwrap().mount, own.namespaces().unwrap().mount);
    assert_eq!(cat.dir.namespaces().unwrap().pid, own.namespaces().unwrap().pid);
    assert_is_cat(&open(&cat.dir, &mapping).unwrap(), Origin::MapFiles);
    without_map_files();
    assert_is_cat(&open(&cat.dir, &mapping).unwrap(), Origin::Path);
}

#[test]
fn what_cannot_be_reached_says_so() {
    let cat = Cat::start(&mut Command::new("cat"));
    let libc = cat.files().into_iter().find(|mapping| mapping.display_name().starts_with("libc"));
    let mut mapping: Mapping = libc.unwrap();
    without_map_files();
    mapping.name = (*b"/no/such/library").into();
    let error = open(&cat.dir, &mapping).unwrap_err();
    assert!(matches!(error, ImageError::Unreachable { .. }));
    assert!(error.to_string().starts_with("the file mapped as library cannot be reached: "));
    // neither a device nor a pipe is opened, whatever a path says
    for special in ["/dev/null", "/dev/tty", "/tmp"] {
        mapping.name = special.as_bytes().into();
        assert!(matches!(open(&cat.dir, &mapping).unwrap_err(), ImageError::Unreachable { .. }));
    }
    mapping.kind = MappingKind::Anonymous;
    assert!(matches!(open(&cat.dir, &mapping).unwrap_err(), ImageError::NotAFile(_)));
}

#[test]
fn the_files_of_a_process_that_ended_are_reached_while_they_are_there() {
    let (directory, copy) = copy_of_cat("brief");
    let cat = Cat::start(&mut Command::new(&copy));
    let mut mapping = cat.mapping("/brief");
    let dir = cat.end();
    assert_is_cat(&open(&dir, &mapping).unwrap(), Origin::Path);
    assert_is_cat(&open_of_gone(&mapping, None).unwrap(), Origin::Path);

    let successor = directory.path().join("new");
    copy_file(&cat_path(), &successor);
    std::fs::rename(&successor, &copy).unwrap();
    let build_id = headers_of(&cat_path()).build_id.unwrap();
    let other = headers_of(Path::new("/bin/sh")).build_id.unwrap();
    assert_is_cat(&open_of_gone(&mapping, Some(&build_id)).unwrap(), Origin::Path);
    for wrong in [None, Some(&other)] {
        let error = open_of_gone(&mapping, wrong).unwrap_err().to_string();
        assert_eq!(error, "the file mapped as brief cannot be reached: another file has its path");
    }
    assert!(
        matches!(open(&dir, &mapping).unwrap_err(), ImageError::Process(error) if error.is_gone())
    );
    mapping.kind = MappingKind::Anonymous;
    assert!(matches!(open_of_gone(&mapping, None).unwrap_err(), ImageError::NotAFile(_)));
}

#[test]
fn a_process_that_ended_is_gone() {
    let dir = Cat::start(&mut Command::new("cat")).end();
    assert!(dir.executable_mappings(MapLimits::default()).unwrap_err().is_gone());
    assert!(dir.cpu_time().unwrap_err().is_gone());
    assert!(Process::read(&dir, &WantedVariables::default()).unwrap_err().is_gone());
    assert!(dir.threads(10).unwrap_err().is_gone());
    assert!(dir.namespaces().unwrap_err().is_gone());
    assert!(dir.read_memory(0x1000, &mut [0]).unwrap_err().is_gone());
}

/// `AT_ENTRY` and `AT_BASE` of getauxval(3): where the kernel put the program's entry and the loader.
#[test]
fn the_bias_leads_from_stated_to_runtime_addresses() {
    let cat = Cat::start(&mut Command::new("cat"));
    let auxiliary = std::fs::read(cat.dir.path().join("auxv")).unwrap();
    let words: Vec<u64> = auxiliary
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
        .collect();
    let value = |kind| words.chunks_exact(2).find(|pair| pair[0] == kind).unwrap()[1];
    let bias_and_entry = |mapping: &Mapping| {
        let headers = open(&cat.dir, mapping).unwrap().headers().unwrap();
        (headers.segments.svma_bias(mapping).unwrap(), headers.entry_svma)
    };
    let (bias, entry_svma) = bias_and_entry(&cat.mapping("/cat"));
    assert_eq!(bias.wrapping_add(entry_svma), value(9));
    let files = cat.files();
    let loader = files.iter().find(|mapping| mapping.display_name().starts_with("ld-")).unwrap();
    assert_eq!(bias_and_entry(loader).0, value(7));
}

/// Room for a copy, but for a monster.
fn reserve(bytes: u64) -> Option<u64> {
    (bytes <= 64 << 20).then_some(bytes)
}

/// The dynamic section but for the entry that the loader writes for debuggers (`DT_DEBUG`).
fn dynamic_section(file: &File, headers: &ElfHeaders) -> Vec<[u64; 2]> {
    let place = headers.dynamic.clone().unwrap();
    let mut bytes = vec![0; (place.end - place.start) as usize];
    file.read_exact_at(&mut bytes, place.start).unwrap();
    let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word));
    let words: Vec<u64> = words.collect();
    words.as_chunks().0.iter().filter(|[tag, _]| *tag != 21).copied().collect()
}

#[test]
fn what_a_process_has_in_memory_of_a_file_is_an_image_without_sections() {
    let cat = Cat::start(&mut Command::new("cat"));
    for mapping in cat.files() {
        let file = open(&cat.dir, &mapping).unwrap();
        let copy = copy_from_memory(&cat.dir, &mapping, Absent::Fetch, reserve).unwrap();
        assert!(copy.length <= file.length.next_multiple_of(4096) && copy.room > 0);
        let headers = file.headers().unwrap();
        let ours = ElfHeaders::read(&copy.file).unwrap();
        assert_eq!((&headers.segments, &headers.build_id), (&ours.segments, &ours.build_id));
        let name = mapping.display_name();
        assert_eq!(
            dynamic_section(&file.file, &headers),
            dynamic_section(&copy.file, &headers),
            "{name}"
        );
        let size = (mapping.end - mapping.start).min(file.length - mapping.file_offset) as usize;
        let (mut code, mut copied) = (vec![0; size], vec![0; size]);
        file.file.read_exact_at(&mut code, mapping.file_offset).unwrap();
        copy.file.read_exact_at(&mut copied, mapping.file_offset).unwrap();
        let pages = || code.chunks(4096).zip(copied.chunks(4096));
        assert!(pages().any(|(code, copied)| code == copied), "{name}");
        for (code, copied) in pages() {
            assert!(code == copied || copied.iter().all(|byte| *byte == 0x06), "{name}");
        }
        // Another process has it elsewhere, and it is the same.
        let other = Cat::start(&mut Command::new("cat"));
        let it = other.files().into_iter().find(|it| it.name == mapping.name).unwrap();
        let again = copy_from_memory(&other.dir, &it, Absent::Fetch, reserve).unwrap();
        assert_eq!(copy.digest, again.digest, "{name}");
    }
}

#[test]
fn what_is_not_in_memory_is_not_asked_for_unless_that_is_wanted() {
    let (folder, _) = compile("large", LARGE_TABLE, &["-O1"]);
    let program = folder.path().join("large");
    let cat = Cat::start(&mut Command::new(&program));
    let mapping = cat.files().into_iter().find(|it| it.name.ends_with(b"/large")).unwrap();
    let refused = copy_from_memory(&cat.dir, &mapping, Absent::Refuse, reserve);
    assert!(matches!(refused, Err(ImageError::Unreachable { .. })), "{refused:?}");
    assert!(copy_from_memory(&cat.dir, &mapping, Absent::Fetch, reserve).is_ok());
    assert!(
        copy_from_memory(&cat.dir, &mapping, Absent::Refuse, reserve).is_ok(),
        "now it is there"
    );
}

/// Echoes, and has a table of 4 MiB that it never looks at.
const LARGE_TABLE: &str = r"
#include <unistd.h>
const char table[4 << 20] = { 1 };
int main(int count, char **arguments)
{
	char text[64];
	long length;
	while ((length = read(0, text, sizeof(text))) > 0)
		write(1, text, length);
	return count > 9 ? table[count << 12] : 0;
}
";

#[test]
fn memory_that_is_no_image_is_refused() {
    let cat = Cat::start(&mut Command::new("cat"));
    let mut mapping = cat.files().swap_remove(0);
    (mapping.inode, mapping.kind) = (0, MappingKind::Anonymous);
    let refused = copy_from_memory(&cat.dir, &mapping, Absent::Fetch, reserve);
    assert!(matches!(refused, Err(ImageError::Unreachable { .. })));
    let mapping = cat.files().swap_remove(0);
    let refused = copy_from_memory(&cat.dir, &mapping, Absent::Fetch, |_| None::<()>);
    assert!(matches!(refused, Err(ImageError::Unreachable { .. })), "there is no room");
}
