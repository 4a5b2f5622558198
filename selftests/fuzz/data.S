/* SPDX-License-Identifier: GPL-2.0-only */
/* The texts that the program carries, each with a NUL behind it. */
	.section .rodata
	.globl fz_corpus_text, fz_crashes_text, fz_reasons_text
fz_corpus_text:
	.incbin "corpus"
	.byte 0
fz_crashes_text:
	.incbin "crashes.all"
	.byte 0
fz_reasons_text:
	.incbin "unreached.txt"
	.byte 0
	.section .note.GNU-stack, "", %progbits
