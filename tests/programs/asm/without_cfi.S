/* A loop that says nothing about its frame, has moved the stack pointer, and uses the frame pointer for something else. */
	.text
	.globl	without_cfi
	.type	without_cfi, @function
without_cfi:
	push	%rbp
	push	%rbx
	sub	$248, %rsp
	mov	%rdi, %rax
	lea	8(%rsp), %rbp
1:	lea	(%rax,%rbp), %rcx
	mov	%rcx, 16(%rsp)
	dec	%rax
	jnz	1b
	add	$248, %rsp
	pop	%rbx
	pop	%rbp
	ret
	.size	without_cfi, . - without_cfi
	.section .note.GNU-stack, "", @progbits
