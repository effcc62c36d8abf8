/* Five leaves burn known shares of CPU time, reached through chains of 2 to 60 frames. */
#include <pthread.h>
#include <stdatomic.h>

#include "burn.h"
#include "turns.h"

struct turn {
	uint64_t (*leaf)(uint64_t iterations);
	uint64_t iterations;
};

#define LEAF(name)                             \
	NOIPA uint64_t name(uint64_t iterations) \
	{                                      \
		return burn_loop(iterations);  \
	}
LEAF(burn_a)
LEAF(burn_b)
LEAF(burn_c)
LEAF(burn_d)
LEAF(burn_e)

static uint64_t (*const leaves[LEAVES])(uint64_t) = { burn_a, burn_b, burn_c, burn_d, burn_e };

/* Ten hops with frames of different size and different saved registers; they call each other in a ring. */
#define HOP(n, next)                                                            \
	NOIPA uint64_t hop_##next(const struct turn *turn, int left);           \
	NOIPA uint64_t hop_##n(const struct turn *turn, int left)               \
	{                                                                       \
		volatile uint64_t frame[(n) * 3 + 1];                           \
		uint64_t a = (uint64_t)left * 3, b = a ^ turn->iterations, r;   \
                                                                                \
		frame[n] = b;                                                   \
		r = left > 1 ? hop_##next(turn, left - 1)                       \
			     : turn->leaf(turn->iterations);                    \
		KEEP_FRAME();                                                   \
		return r ^ frame[n] ^ ((n) % 2 ? a : 0) ^ ((n) % 3 ? b : 0);    \
	}
HOP(0, 1)
HOP(1, 2)
HOP(2, 3)
HOP(3, 4)
HOP(4, 5)
HOP(5, 6)
HOP(6, 7)
HOP(7, 8)
HOP(8, 9)
HOP(9, 0)

struct worker {
	pthread_t thread;
	uint64_t seed;
	uint64_t cpu_ns[LEAVES];
	uint64_t turns;
};

static struct options options;
static double iterations_per_us;
static uint64_t deadline_ns;
static atomic_int stopped;

static void take_turn(struct worker *worker)
{
	int leaf = random_leaf(&worker->seed);
	int depth = random_depth(&worker->seed, &options);
	double us = random_exponential(&worker->seed, options.turn_us);
	struct turn turn = { leaves[leaf], (uint64_t)(us * iterations_per_us) };
	uint64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	hop_0(&turn, depth);
	worker->cpu_ns[leaf] += clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
	worker->turns++;
}

NOIPA void *work(void *argument)
{
	struct worker *worker = argument;

	while (!atomic_load(&stopped)) {
		take_turn(worker);
		if (!handshake_running() || clock_ns(CLOCK_MONOTONIC) >= deadline_ns)
			atomic_store(&stopped, 1);
	}
	return NULL;
}

static void calibrate(void)
{
	uint64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	burn_loop(20000000);
	iterations_per_us = 20000000 / ((double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - before) / 1000);
}

int main(int argc, char **argv)
{
	static struct worker workers[MAX_THREADS];
	uint64_t cpu_ns[LEAVES] = { 0 }, turns = 0;

	options = read_options(argc, argv);
	calibrate();
	for (int i = 0; i < options.threads; i++)
		workers[i].seed = clock_ns(CLOCK_REALTIME) * 2654435761u + (uint64_t)i * 7919 + 1;
	handshake_ready();
	deadline_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(options.seconds * 1e9);
	for (int i = 1; i < options.threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 1;
	work(&workers[0]);
	for (int i = 1; i < options.threads; i++)
		pthread_join(workers[i].thread, NULL);
	for (int i = 0; i < options.threads; i++) {
		turns += workers[i].turns;
		for (int leaf = 0; leaf < LEAVES; leaf++)
			cpu_ns[leaf] += workers[i].cpu_ns[leaf];
	}
	print_truth(cpu_ns, turns);
	handshake_done();
	return 0;
}
