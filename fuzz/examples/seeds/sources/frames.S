/* Call frame information that compilers write rarely. */
	.text
	.globl	_start
_start:
	.cfi_startproc
	.cfi_undefined rip
	call	escaped
	hlt
	.cfi_endproc

/* CFA = rsp + 8 + ((rip & 15) >= 11) * 8, as in PLTs. */
escaped:
	.cfi_startproc
	.cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22
	nop
	ret
	.cfi_endproc

/* CFA = *(rbp - 8), registers in expressions, remembered states. */
realigned:
	.cfi_startproc
	push	%rbp
	.cfi_escape 0x10, 6, 2, 0x76, 0
	.cfi_escape 0x0f, 3, 0x76, 0x78, 0x06
	.cfi_remember_state
	nop
	.cfi_def_cfa rsp, 16
	.cfi_offset rbx, -24
	.cfi_same_value r12
	.cfi_register r13, r14
	nop
	.cfi_restore_state
	.cfi_escape 0x16, 12, 2, 0x76, 0x70
	.cfi_val_offset r15, -32
	pop	%rbp
	ret
	.cfi_endproc

trampoline:
	.cfi_startproc
	.cfi_signal_frame
	.cfi_escape 0x0f, 4, 0x77, 0xa0, 0x01, 0x06
	.cfi_escape 0x10, 16, 3, 0x77, 0xa8, 0x01
	nop
	nop
	.cfi_endproc

/* A way between two rows that a byte does not hold: advance_loc2. */
far:
	.cfi_startproc
	sub	$24, %rsp
	.cfi_adjust_cfa_offset 24
	.skip	600, 0x90
	add	$24, %rsp
	.cfi_adjust_cfa_offset -24
	ret
	.cfi_endproc
	.section .note.GNU-stack,"",@progbits
