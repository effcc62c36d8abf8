// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* What Infrared's sampling is compared with: the same timer with nothing behind it, the kernel's own walk by frame pointers,
 * and the scheduler's tick in place of a timer. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define MAX_FRAMES 127

struct counts {
	__u64 runs;
	__u64 frames;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[MAX_FRAMES]);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} ticks_left SEC(".maps");

/* Twice the mean number of ticks from one sample to the next; 0: none is taken. */
volatile __u32 tick_span;

static void count(__u64 frames)
{
	__u32 zero = 0;
	struct counts *sum = bpf_map_lookup_elem(&counts, &zero);

	if (!sum)
		return;
	sum->runs++;
	sum->frames += frames;
}

SEC("perf_event")
int empty(void *context)
{
	return 0;
}

/* User space and kernel, as the sampler has them. */
SEC("perf_event")
int frame_pointers(void *context)
{
	__u32 zero = 0;
	__u64 *stack = bpf_map_lookup_elem(&stacks, &zero);
	long user, kernel;

	if (!stack)
		return 0;
	user = bpf_get_stack(context, stack, sizeof(__u64[MAX_FRAMES]), BPF_F_USER_STACK);
	kernel = bpf_get_stack(context, stack, sizeof(__u64[MAX_FRAMES]), 0);
	count((user > 0 ? user : 0) / sizeof(__u64) + (kernel > 0 ? kernel : 0) / sizeof(__u64));
	return 0;
}

/* One tick of a random number is taken: what keeps time with the tick would be seen always or never. */
SEC("tp_btf/local_timer_entry")
int tick(void *context)
{
	__u32 zero = 0, span = tick_span;
	__u32 *left = bpf_map_lookup_elem(&ticks_left, &zero);

	if (!left || !span)
		return 0;
	if (*left) {
		(*left)--;
		return 0;
	}
	*left = bpf_get_prandom_u32() % span;
	count(0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
