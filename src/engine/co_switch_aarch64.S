/* co_switch_aarch64.S - the switch for AAPCS64: x19-x30, the low halves of v8-v15,
 * FPCR.
 *
 * Invariant: a left stack looks, from its sp upwards, like the frame below, whoever
 * left it; so one set of CFI lines is right on both sides of the exchange of sp.
 *
 *     0 d8 d9   16 d10 d11   32 d12 d13   48 d14 d15   64 x19 x20   80 x21 x22   96 x23 x24
 *     112 x25 x26   128 x27 x28   144 x29 x30   160 fpcr, 8 bytes of padding
 *
 * Surprise: it goes back with ret, though the return predictor then errs: under BTI a
 * br may not land behind a call. The note at the end keeps BTI on for programs that
 * ask for it. */
#include "engine/co_switch.h"

#if defined(__aarch64__) && !CO_SWITCH_UCONTEXT

#define FRAME 176

	.text

/* void co_switch(struct co_ctx *save, const struct co_ctx *to) */
	.globl	co_switch
	.hidden	co_switch
	.type	co_switch, %function
	.p2align 4
co_switch:
	.cfi_startproc
	hint	#34                       /* bti c; a no-op on older machines */
	stp	d8, d9, [sp, #-FRAME]!
	.cfi_def_cfa_offset FRAME
	stp	d10, d11, [sp, #16]
	stp	d12, d13, [sp, #32]
	stp	d14, d15, [sp, #48]
	stp	x19, x20, [sp, #64]
	stp	x21, x22, [sp, #80]
	stp	x23, x24, [sp, #96]
	stp	x25, x26, [sp, #112]
	stp	x27, x28, [sp, #128]
	stp	x29, x30, [sp, #144]
	.cfi_rel_offset d8, 0
	.cfi_rel_offset d9, 8
	.cfi_rel_offset d10, 16
	.cfi_rel_offset d11, 24
	.cfi_rel_offset d12, 32
	.cfi_rel_offset d13, 40
	.cfi_rel_offset d14, 48
	.cfi_rel_offset d15, 56
	.cfi_rel_offset x19, 64
	.cfi_rel_offset x20, 72
	.cfi_rel_offset x21, 80
	.cfi_rel_offset x22, 88
	.cfi_rel_offset x23, 96
	.cfi_rel_offset x24, 104
	.cfi_rel_offset x25, 112
	.cfi_rel_offset x26, 120
	.cfi_rel_offset x27, 128
	.cfi_rel_offset x28, 136
	.cfi_rel_offset x29, 144
	.cfi_rel_offset x30, 152
	mrs	x9, fpcr
	str	x9, [sp, #160]

	mov	x10, sp
	str	x10, [x0]
	ldr	x10, [x1]
	mov	sp, x10

	/* Writing FPCR can drain the pipeline, and it hardly ever differs. */
	ldr	x11, [sp, #160]
	cmp	x9, x11
	b.eq	1f
	msr	fpcr, x11
1:	ldp	d10, d11, [sp, #16]
	ldp	d12, d13, [sp, #32]
	ldp	d14, d15, [sp, #48]
	ldp	x19, x20, [sp, #64]
	ldp	x21, x22, [sp, #80]
	ldp	x23, x24, [sp, #96]
	ldp	x25, x26, [sp, #112]
	ldp	x27, x28, [sp, #128]
	ldp	x29, x30, [sp, #144]
	ldp	d8, d9, [sp], #FRAME
	.cfi_restore d8
	.cfi_restore d9
	.cfi_restore d10
	.cfi_restore d11
	.cfi_restore d12
	.cfi_restore d13
	.cfi_restore d14
	.cfi_restore d15
	.cfi_restore x19
	.cfi_restore x20
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x27
	.cfi_restore x28
	.cfi_restore x29
	.cfi_restore x30
	.cfi_def_cfa_offset 0
	ret
	.cfi_endproc
	.size	co_switch, . - co_switch

/* Where a new stack begins: arg in x19, entry in x20. Backtraces end here. */
	.type	co_start, %function
	.p2align 4
co_start:
	.cfi_startproc
	.cfi_undefined x30
	mov	x0, x19
	mov	x29, xzr
	blr	x20
	brk	#1
	.cfi_endproc
	.size	co_start, . - co_start

/* void co_ctx_init(ctx x0, low x1, bytes x2, entry x3, arg x4) */
	.globl	co_ctx_init
	.hidden	co_ctx_init
	.type	co_ctx_init, %function
	.p2align 4
co_ctx_init:
	.cfi_startproc
	hint	#34
	add	x9, x1, x2
	sub	x9, x9, #FRAME
	adr	x10, co_start
	stp	xzr, xzr, [x9]
	stp	xzr, xzr, [x9, #16]
	stp	xzr, xzr, [x9, #32]
	stp	xzr, xzr, [x9, #48]
	stp	x4, x3, [x9, #64]
	stp	xzr, xzr, [x9, #80]
	stp	xzr, xzr, [x9, #96]
	stp	xzr, xzr, [x9, #112]
	stp	xzr, xzr, [x9, #128]
	stp	xzr, x10, [x9, #144]
	stp	xzr, xzr, [x9, #160]
	str	x9, [x0]
	ret
	.cfi_endproc
	.size	co_ctx_init, . - co_ctx_init

	/* GNU_PROPERTY_AARCH64_FEATURE_1_AND with BTI alone: the code above keeps
	 * BTI's rules. */
	.section .note.gnu.property, "a"
	.p2align 3
	.word	4, 16, 5
	.asciz	"GNU"
	.word	0xc0000000, 4, 1, 0

#endif

	.section .note.GNU-stack, "", %progbits
