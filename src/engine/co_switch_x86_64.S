/* co_switch_x86_64.S - the switch for the System V ABI: rbx, rbp, r12-r15, MXCSR, x87
 * control word.
 *
 * Invariant: a left stack looks, from its sp upwards, like the frame below, whoever
 * left it; so one set of CFI lines is right on both sides of the exchange of rsp.
 *
 *     0 mxcsr   4 x87 cw   8 r15   16 r14   24 r13   32 r12   40 rbx   48 rbp   56 return address
 *
 * Surprise: it goes back with pop and jmp. A ret would pair with the other stack's
 * call, and the CPU's return predictor would be wrong each time. This, and the missing
 * GNU property note, mean that a program with this object in it runs without CET
 * shadow stacks; the linker sees to that. */
#include "engine/co_switch.h"

#if defined(__x86_64__) && !CO_SWITCH_UCONTEXT

	.text

/* void co_switch(struct co_ctx *save, const struct co_ctx *to) */
	.globl	co_switch
	.hidden	co_switch
	.type	co_switch, @function
	.p2align 4
co_switch:
	.cfi_startproc
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r15, 0
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	.cfi_remember_state
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)

	movl	(%rsp), %eax
	movzwl	4(%rsp), %ecx
	movq	%rsp, (%rdi)
	movq	(%rsi), %rsp

	/* A changed control word costs some 80 ns to load, and they hardly ever differ
	 * in more than MXCSR's sticky exception flags, the low six bits, which no call
	 * need keep. */
	xorl	(%rsp), %eax
	testl	$~0x3f, %eax
	jnz	3f
1:	cmpw	4(%rsp), %cx
	jne	4f
2:	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	jmp	*%rcx

	.cfi_restore_state
3:	ldmxcsr	(%rsp)
	jmp	1b
4:	fldcw	4(%rsp)
	jmp	2b
	.cfi_endproc
	.size	co_switch, . - co_switch

/* Where a new stack begins: arg in rbx, entry in r12. Backtraces end here. */
	.type	co_start, @function
	.p2align 4
co_start:
	.cfi_startproc
	.cfi_undefined rip
	movq	%rbx, %rdi
	xorl	%ebp, %ebp
	callq	*%r12
	ud2
	.cfi_endproc
	.size	co_start, . - co_start

/* void co_ctx_init(ctx rdi, low rsi, bytes rdx, entry rcx, arg r8) */
	.globl	co_ctx_init
	.hidden	co_ctx_init
	.type	co_ctx_init, @function
	.p2align 4
co_ctx_init:
	.cfi_startproc
	/* Two words above the frame: unwinders that know no undefined rip read a null
	 * one there. */
	leaq	-80(%rsi, %rdx), %rax
	movq	$0, 64(%rax)
	movl	$0x1f80, (%rax)
	movl	$0x037f, 4(%rax)
	movq	$0, 8(%rax)
	movq	$0, 16(%rax)
	movq	$0, 24(%rax)
	movq	%rcx, 32(%rax)
	movq	%r8, 40(%rax)
	movq	$0, 48(%rax)
	leaq	co_start(%rip), %rcx
	movq	%rcx, 56(%rax)
	movq	%rax, (%rdi)
	ret
	.cfi_endproc
	.size	co_ctx_init, . - co_ctx_init

#endif

	.section .note.GNU-stack, "", %progbits
