/* Functions with and without frames, inlined ones, and a data-dependent stack. */
static inline int leaf(int n) { return n * 3 + 1; }

__attribute__((noinline)) int middle(int n)
{
	volatile char room[64];
	room[n & 63] = leaf(n);
	return room[(n + 1) & 63];
}

__attribute__((noinline)) int outer(int n)
{
	volatile char room[n];
	room[0] = middle(n);
	return room[0] + leaf(n);
}

void _start(void)
{
	outer(7);
	for (;;)
		;
}
