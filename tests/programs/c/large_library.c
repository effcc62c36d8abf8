/* 10 MB of functions, each with unwind information of its own, and one that is called. */
#include "burn.h"

__asm__(".text\n"
	".rept 40000\n"
	".cfi_startproc\n"
	"sub $24, %rsp\n"
	".cfi_adjust_cfa_offset 24\n"
	".skip 240, 0x90\n"
	"add $24, %rsp\n"
	".cfi_adjust_cfa_offset -24\n"
	"ret\n"
	".cfi_endproc\n"
	".endr\n");

NOIPA uint64_t through_library(uint64_t (*work)(void))
{
	uint64_t r = work();

	KEEP_FRAME();
	return r;
}
