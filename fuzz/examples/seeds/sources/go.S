/* A Go program as its linker lays it out since Go 1.20: runtime/symtab.go, "type pcHeader" and "type _func". */
	.text
	.globl	_start
	.balign	16
text:
_start:
main:
	push	%rbp
	mov	%rsp, %rbp
	sub	$16, %rsp
	call	systemstack
	add	$16, %rsp
	pop	%rbp
	ret
main_end:
/* The reader knows this function by its code. */
goexit:
	nop
	call	goexit1
	nop
goexit1:
	ret
/* Where the runtime keeps its scheduler state is read from this function's code. */
systemstack:
	mov	%fs:-8, %rax
	mov	48(%rax), %rbx
	.byte	0x48, 0x3b, 0x83, 0xb8, 0, 0, 0
	mov	56(%rdx), %rsp
	mov	88(%rax), %rbp
	ret
text_end:

	.section .go.buildinfo, "a"
	.ascii	"\377 Go buildinf:\010\002"
	.skip	16
	.byte	8
	.ascii	"go1.26.0"
	.byte	0

	.section .gopclntab, "a"
	.balign	32
table:
	.long	0xfffffff1
	.byte	0, 0, 1, 8
	.quad	4, 1, text, names - table, units - table, files - table, values - table, functions - table
names:
	.byte	0
name_main:
	.asciz	"main.main"
name_goexit:
	.asciz	"runtime.goexit"
name_goexit1:
	.asciz	"runtime.goexit1"
name_systemstack:
	.asciz	"runtime.systemstack"
name_inlined:
	.asciz	"main.inlined"
units:
	.long	0
files:
	.asciz	"/src/main.go"
/* Pairs of a zigzag value delta, from -1, and a pc delta. */
values:
	.byte	0
heights:
	.byte	2, 1, 16, 7, 32, main_end - main - 10, 31, 1, 15, 1, 0
height_zero:
	.byte	2, 32, 0
file:
	.byte	2, main_end - main, 0
lines:
	.byte	20, 4, 2, main_end - main - 4, 0
inline_tree:
	.byte	2, main_end - main, 0
	.balign	8
functions:
	.long	main - text, record_main - functions
	.long	goexit - text, record_goexit - functions
	.long	goexit1 - text, record_goexit1 - functions
	.long	systemstack - text, record_systemstack - functions
	.long	text_end - text
	.balign	8
record_main:
	.long	main - text, name_main - names, 0, 0, heights - values, file - values, lines - values, 3, 0, 9
	.byte	0, 0, 0, 4
	.long	0, 0, inline_tree - values
	.long	~0, ~0, ~0, inlined - inlined
record_goexit:
	.long	goexit - text, name_goexit - names, 0, 0, height_zero - values, 0, 0, 0, 0, 1
	.byte	7, 5, 0, 0
record_goexit1:
	.long	goexit1 - text, name_goexit1 - names, 0, 0, height_zero - values, 0, 0, 0, 0, 1
	.byte	0, 0, 0, 0
record_systemstack:
	.long	systemstack - text, name_systemstack - names, 0, 0, height_zero - values, 0, 0, 0, 0, 1
	.byte	19, 6, 0, 0
inlined:
	.byte	0, 0, 0, 0
	.long	name_inlined - names, 4, 12
table_end:

	.section .noptrdata, "aw"
	.balign	8
/* runtime.firstmoduledata: the table, then slices of its parts, functions, text range and where the offsets begin. */
moduledata:
	.quad	table
	.quad	names, units - names, units - names
	.quad	units, 1, 1
	.quad	files, 13, 13
	.quad	values, functions - values, functions - values
	.quad	functions, table_end - functions, table_end - functions
	.quad	functions, 5, 5
	.quad	functions, text, text_end
	.quad	text, text_end
	.skip	128
	.quad	inlined, inlined
	.skip	128
	.section .note.GNU-stack,"",@progbits
