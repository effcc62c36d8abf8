// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Assembly that keeps its CFA in rax while a subroutine works that leaves rax alone, as OpenSSL's aesni_gcm_encrypt does.
 */
#include "mark.h"

void outer(void);

__asm__(".text\n"
	".type outer,@function\n"
	"outer:\n"
	".cfi_startproc\n"
	"	mov	%rsp, %rax\n"
	".cfi_def_cfa_register %rax\n"
	"	push	%rbx\n"
	".cfi_offset %rbx, -16\n"
	"	push	%rbp\n"
	".cfi_offset %rbp, -24\n"
	"	xor	%ebp, %ebp\n"
	"	add	$-128, %rsp\n"
	"	and	$-128, %rsp\n"
	"	call	rounds\n"
	"	mov	-16(%rax), %rbp\n"
	".cfi_restore %rbp\n"
	"	mov	-8(%rax), %rbx\n"
	".cfi_restore %rbx\n"
	"	mov	%rax, %rsp\n"
	".cfi_def_cfa_register %rsp\n"
	"	ret\n"
	".cfi_endproc\n"
	".size outer, . - outer\n"
	".type rounds,@function\n"
	"rounds:\n"
	".cfi_startproc\n"
	"	mov	$30, %ecx\n"
	"1:	dec	%ecx\n"
	"	jnz	1b\n"
	"	ret\n"
	".cfi_endproc\n"
	".size rounds, . - rounds\n");

NOINLINE static long work(long depth)
{
	long below = depth ? work(depth - 1) : 1;

	outer();
	KEEP(below);
	return below * 3 + depth;
}

int main(void)
{
	MARK();
	long result = work(3);
	KEEP(result);
	MARK();
	return 0;
}
