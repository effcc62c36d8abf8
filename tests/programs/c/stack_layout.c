/* Frames whose size is known at run time only, and a stack that is realigned for vectors. */
#include <alloca.h>
#include <string.h>

#include "burn.h"
#include "handshake.h"

typedef float lane __attribute__((vector_size(32)));

NOIPA uint64_t burn_on_odd_stack(void *any)
{
	return burn_loop(BURN_SHORT) ^ *(unsigned char *)any;
}

NOIPA uint64_t with_array(int length)
{
	uint64_t array[length];
	uint64_t r;

	memset(array, length, sizeof array);
	r = burn_on_odd_stack(array);
	KEEP_FRAME();
	return r ^ array[length / 2];
}

NOIPA uint64_t with_alloca(int length)
{
	uint64_t r = 0;

	for (int i = 0; i < 3; i++) {
		char *more = alloca((size_t)length + (size_t)i);

		more[0] = (char)i;
		r ^= burn_on_odd_stack(more);
	}
	KEEP_FRAME();
	return r;
}

__attribute__((target("avx"), force_align_arg_pointer)) NOIPA uint64_t with_realignment(int length)
{
	volatile lane vector = { (float)length };
	uint64_t array[length];
	uint64_t r;

	array[0] = (uint64_t)length;
	r = burn_on_odd_stack(array);
	KEEP_FRAME();
	return r ^ (uint64_t)vector[0] ^ array[0];
}

/* Many arguments on the stack besides: gcc then keeps them in a register of its own (DRAP). */
__attribute__((target("avx"))) NOIPA uint64_t with_drap(int a, int b, int c, int d, int e, int f, int g, int length)
{
	volatile lane vector = { (float)a, (float)g };
	char *more = alloca((size_t)length);
	uint64_t r;

	more[0] = (char)(b + c + d + e + f);
	r = burn_on_odd_stack(more);
	KEEP_FRAME();
	return r ^ (uint64_t)vector[1] ^ (uint64_t)g;
}

int main(void)
{
	handshake_ready();
	for (int n = 1; handshake_running(); n = n % 500 + 1) {
		with_array(n);
		with_alloca(n);
		with_realignment(n);
		with_drap(n, 2, 3, 4, 5, 6, 7, n);
	}
	return 0;
}
