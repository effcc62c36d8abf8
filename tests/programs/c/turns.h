/*
 * The account of a shares program: which function burned how much CPU time, measured by the thread's own CPU clock
 * around every turn. Turns have exponentially distributed lengths: a regular rhythm would alias with the sampler.
 */
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "handshake.h"

#define LEAVES 5
#define MAX_THREADS 64

struct options {
	double seconds;
	double turn_us;
	int threads;
	int min_depth;
	int depth;
};

static const char *const leaf_names[LEAVES] = { "burn_a", "burn_b", "burn_c", "burn_d", "burn_e" };
/* Cumulated chance of each leaf: 50, 25, 15, 7, 3 in a hundred. */
static const double leaf_below[LEAVES] = { 0.50, 0.75, 0.90, 0.97, 1.00 };

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline double random_unit(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (double)(*state >> 11) * 0x1.0p-53;
}

static inline int random_leaf(uint64_t *state)
{
	double at = random_unit(state);
	int leaf = 0;

	while (leaf < LEAVES - 1 && at >= leaf_below[leaf])
		leaf++;
	return leaf;
}

static inline double random_exponential(uint64_t *state, double mean)
{
	return -mean * log(1.0 - random_unit(state));
}

/* The length of a turn's chain: any from the smallest to the largest. */
static inline int random_depth(uint64_t *state, const struct options *options)
{
	return options->min_depth + (int)(random_unit(state) * (options->depth - options->min_depth + 1));
}

static inline struct options read_options(int argc, char **argv)
{
	struct options options = { .seconds = 3600, .turn_us = 5000, .threads = 1, .min_depth = 1, .depth = 58 };

	for (int i = 1; i + 1 < argc; i += 2) {
		double value = atof(argv[i + 1]);

		if (!strcmp(argv[i], "--seconds"))
			options.seconds = value;
		else if (!strcmp(argv[i], "--turn-us"))
			options.turn_us = value;
		else if (!strcmp(argv[i], "--threads") && value >= 1 && value <= MAX_THREADS)
			options.threads = (int)value;
		else if (!strcmp(argv[i], "--min-depth") && value >= 1)
			options.min_depth = (int)value;
		else if (!strcmp(argv[i], "--depth") && value >= 1)
			options.depth = (int)value;
		else
			exit(2);
	}
	return options;
}

static inline void print_truth(const uint64_t cpu_ns[LEAVES], uint64_t turns)
{
	printf("{\"turns\":%llu,\"process_cpu_ns\":%llu,\"cpu_ns\":{", (unsigned long long)turns,
	       (unsigned long long)clock_ns(CLOCK_PROCESS_CPUTIME_ID));
	for (int i = 0; i < LEAVES; i++)
		printf("%s\"%s\":%llu", i ? "," : "", leaf_names[i], (unsigned long long)cpu_ns[i]);
	printf("}}\n");
}
