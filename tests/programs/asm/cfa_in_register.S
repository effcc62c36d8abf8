/*
 * Keeps its CFA in a register that calls may change, while a subroutine works that leaves it alone, as OpenSSL's AES-GCM
 * does.
 */
	.text
	.globl	with_cfa_in_register
	.type	with_cfa_in_register, @function
with_cfa_in_register:
	.cfi_startproc
	mov	%rsp, %rax
	.cfi_def_cfa_register %rax
	push	%rbx
	.cfi_offset %rbx, -16
	push	%rbp
	.cfi_offset %rbp, -24
	sub	$200, %rsp
	and	$-64, %rsp
	call	leaves_rax_alone
	mov	-16(%rax), %rbp
	.cfi_restore %rbp
	mov	-8(%rax), %rbx
	.cfi_restore %rbx
	mov	%rax, %rsp
	.cfi_def_cfa_register %rsp
	ret
	.cfi_endproc
	.size	with_cfa_in_register, . - with_cfa_in_register

	.type	leaves_rax_alone, @function
leaves_rax_alone:
	.cfi_startproc
	mov	%rdi, %rcx
1:	dec	%rcx
	jnz	1b
	ret
	.cfi_endproc
	.size	leaves_rax_alone, . - leaves_rax_alone

/* The same, but that the subroutine uses rax for something else: where its caller was is then not known. */
	.globl	with_cfa_in_lost_register
	.type	with_cfa_in_lost_register, @function
with_cfa_in_lost_register:
	.cfi_startproc
	mov	%rsp, %rax
	.cfi_def_cfa_register %rax
	push	%rbx
	.cfi_offset %rbx, -16
	mov	%rsp, %rbx
	and	$-64, %rsp
	push	%rax
	push	%rax
	call	uses_rax
	pop	%rax
	mov	%rbx, %rsp
	pop	%rbx
	.cfi_restore %rbx
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size	with_cfa_in_lost_register, . - with_cfa_in_lost_register

	.type	uses_rax, @function
uses_rax:
	.cfi_startproc
	mov	%rdi, %rcx
1:	lea	-64(%rsp,%rcx,8), %rax
	dec	%rcx
	jnz	1b
	ret
	.cfi_endproc
	.size	uses_rax, . - uses_rax
	.section .note.GNU-stack, "", @progbits
