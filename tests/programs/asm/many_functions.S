/*
 * More code than is followed instruction by instruction, without unwind information, and never run: 65,536 functions,
 * with frame pointers or without.
 */
	.text
	.rept	65536
#ifdef FRAME_POINTERS
	push	%rbp
	mov	%rsp, %rbp
#else
	sub	$24, %rsp
#endif
	.fill	36, 1, 0x90
#ifdef FRAME_POINTERS
	pop	%rbp
#else
	add	$24, %rsp
#endif
	ret
	.endr
	.section .note.GNU-stack, "", @progbits
