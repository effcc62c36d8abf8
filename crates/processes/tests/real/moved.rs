//! Programs that put a copy of their code where the code was.

use std::path::Path;
use std::process::Command;

use infrared_processes::image::{Origin, open};
use infrared_processes::maps::{ExecutableMappings, MapLimits};

use crate::child::{Cat, compile};

/// Moves the code of a function, or of a library that it does not use, as its argument says; then it echoes.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
double (*volatile library)(double) = cbrt;
static char line[512];
static void find(void *code, char **start, unsigned long *size)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long first, end;
	while (fgets(line, sizeof(line), maps)) {
		sscanf(line, "%lx-%lx", &first, &end);
		if ((unsigned long)code >= first && (unsigned long)code < end)
			*start = (char *)first, *size = end - first;
	}
	fclose(maps);
}
static void to_anonymous(char *start, unsigned long size)
{
	char *copy = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(copy, start, size);
	mprotect(copy, size, PROT_READ | PROT_EXEC);
	mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, start);
}
static void to_memfd(char *start, unsigned long size)
{
	int file = memfd_create("text", 0);
	if (write(file, start, size) != (long)size)
		abort();
	mmap(start, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, 0);
}
static void to_other_code(char *start, unsigned long size)
{
	mmap(start, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
	for (unsigned long at = 0; at < size; at++)
		start[at] = rand();
	mprotect(start, size, PROT_READ | PROT_EXEC);
}
int main(int count, char **arguments)
{
	char *start = 0;
	unsigned long size = 0;
	long length;
	int is_library = !strcmp(arguments[1], "other");
	find(is_library ? (void *)library : (void *)main, &start, &size);
	if (is_library)
		to_other_code(start, size);
	else if (!strcmp(arguments[1], "memfd"))
		to_memfd(start, size);
	else
		to_anonymous(start, size);
	while ((length = read(0, line, sizeof(line))) > 0)
		write(1, line, length);
}
"#;

fn start(how: &str) -> (tempfile::TempDir, std::path::PathBuf, Cat) {
    let (directory, program) = compile("moving", PROGRAM, &["-O1", "-lm"]);
    let running = Cat::start(Command::new(&program).arg(how));
    (directory, program, running)
}

fn code_of(running: &Cat) -> ExecutableMappings {
    running.dir.executable_mappings(MapLimits::default()).unwrap()
}

fn is_mapped(code: &ExecutableMappings, program: &Path) -> bool {
    code.mappings.iter().any(|mapping| mapping.path() == Some(program))
}

#[test]
fn moved_text_is_known_again_by_place_and_content() {
    for how in ["anonymous", "memfd"] {
        let (_directory, program, running) = start(how);
        std::fs::remove_file(&program).unwrap();
        let mut code = code_of(&running);
        assert!(!is_mapped(&code, &program), "{how}");
        let moved = running.dir.moved_text(&code).unwrap();
        let [text] = &moved[..] else { panic!("{how}: {moved:?} of {code:?}") };
        let image = open(&running.dir, &text.neighbour).unwrap();
        assert_eq!(image.origin, Origin::MapFiles);
        let bias = image.headers().unwrap().segments.svma_bias(&text.stands_for);
        assert_eq!(bias, image.headers().unwrap().segments.svma_bias_of_any(&text.neighbour));

        let count = code.mappings.len();
        code.put_back(&moved);
        assert!(is_mapped(&code, &program), "{how}");
        assert_eq!(code.mappings.len(), count);
        assert!(code.mappings.is_sorted_by_key(|mapping| mapping.start));
    }
}

#[test]
fn other_code_where_a_librarys_was_is_not_taken_for_it() {
    let (_directory, _program, running) = start("other");
    let code = code_of(&running);
    assert!(code.mappings.iter().any(|mapping| mapping.display_name() == "[anon]"), "{code:?}");
    assert_eq!(running.dir.moved_text(&code).unwrap(), []);
}
