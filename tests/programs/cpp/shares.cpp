// Five leaves burn known shares, reached through templates, virtual calls, std::function and landing pads.
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../c/burn.h"
#include "../c/turns.h"

namespace shares {

NOIPA uint64_t burn_a(uint64_t iterations) { return burn_loop(iterations); }
NOIPA uint64_t burn_b(uint64_t iterations) { return burn_loop(iterations); }
NOIPA uint64_t burn_c(uint64_t iterations) { return burn_loop(iterations); }
NOIPA uint64_t burn_d(uint64_t iterations) { return burn_loop(iterations); }
NOIPA uint64_t burn_e(uint64_t iterations) { return burn_loop(iterations); }

struct Burner {
	virtual uint64_t run(uint64_t iterations) = 0;
	virtual ~Burner() = default;
};

template <uint64_t (*leaf)(uint64_t)>
struct Direct : Burner {
	NOIPA uint64_t run(uint64_t iterations) override
	{
		uint64_t result = leaf(iterations);
		KEEP_FRAME();
		return result;
	}
};

// Burns in a destructor that runs because an exception is on its way.
template <uint64_t (*leaf)(uint64_t)>
struct InFlight : Burner {
	struct Guard {
		uint64_t iterations;
		NOIPA ~Guard()
		{
			leaf(iterations);
			KEEP_FRAME();
		}
	};
	NOIPA void guarded(uint64_t iterations)
	{
		Guard guard{ iterations };
		throw std::runtime_error("in flight");
	}
	NOIPA uint64_t run(uint64_t iterations) override
	{
		try {
			guarded(iterations);
		} catch (const std::runtime_error &error) {
			return error.what()[0];
		}
		return 0;
	}
};

struct Call {
	Burner *burner;
	uint64_t iterations;
};

constexpr int ring = 10;

template <int n>
NOIPA uint64_t hop(const Call &call, int left)
{
	volatile uint64_t frame[n * 3 + 1];
	uint64_t a = uint64_t(left) * 3, b = a ^ call.iterations;

	frame[n] = b;
	uint64_t result = left > 1 ? hop<(n + 1) % ring>(call, left - 1) : call.burner->run(call.iterations);
	KEEP_FRAME();
	return result ^ frame[n] ^ (n % 2 ? a : 0) ^ (n % 3 ? b : 0);
}

struct Account {
	uint64_t cpu_ns[LEAVES] = {};
	uint64_t turns = 0;
};

class Worker {
public:
	Worker(const struct options &settings, double iterations_per_us, uint64_t seed)
		: settings(settings), iterations_per_us(iterations_per_us), seed(seed)
	{
		burners[0] = std::make_unique<Direct<burn_a>>();
		burners[1] = std::make_unique<Direct<burn_b>>();
		burners[2] = std::make_unique<InFlight<burn_c>>();
		burners[3] = std::make_unique<Direct<burn_d>>();
		burners[4] = std::make_unique<InFlight<burn_e>>();
	}

	NOIPA void work(std::atomic<bool> &stopped, uint64_t deadline_ns)
	{
		while (!stopped) {
			take_turn();
			if (!handshake_running() || clock_ns(CLOCK_MONOTONIC) >= deadline_ns)
				stopped = true;
		}
	}

	Account account;

private:
	void take_turn()
	{
		int leaf = random_leaf(&seed);
		int depth = random_depth(&seed, &settings);
		double us = random_exponential(&seed, settings.turn_us);
		Call call{ burners[leaf].get(), uint64_t(us * iterations_per_us) };
		std::function<uint64_t()> turn = [&call, depth] { return hop<0>(call, depth); };
		uint64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);

		turn();
		account.cpu_ns[leaf] += clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
		account.turns++;
	}

	const struct options &settings;
	double iterations_per_us;
	uint64_t seed;
	std::unique_ptr<Burner> burners[LEAVES];
};

double calibrate()
{
	uint64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	burn_loop(20000000);
	return 20000000 / (double(clock_ns(CLOCK_THREAD_CPUTIME_ID) - before) / 1000);
}

} // namespace shares

int main(int argc, char **argv)
{
	const options options = read_options(argc, argv);
	double iterations_per_us = shares::calibrate();
	std::vector<std::unique_ptr<shares::Worker>> workers;
	std::vector<std::thread> threads;
	std::atomic<bool> stopped = false;
	shares::Account total;

	for (int i = 0; i < options.threads; i++)
		workers.push_back(std::make_unique<shares::Worker>(options, iterations_per_us,
								   clock_ns(CLOCK_REALTIME) * 2654435761u + i * 7919 + 1));
	handshake_ready();
	uint64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + uint64_t(options.seconds * 1e9);
	for (int i = 1; i < options.threads; i++)
		threads.emplace_back([&, i] { workers[i]->work(stopped, deadline_ns); });
	workers[0]->work(stopped, deadline_ns);
	for (auto &thread : threads)
		thread.join();
	for (auto &worker : workers) {
		total.turns += worker->account.turns;
		for (int leaf = 0; leaf < LEAVES; leaf++)
			total.cpu_ns[leaf] += worker->account.cpu_ns[leaf];
	}
	print_truth(total.cpu_ns, total.turns);
	handshake_done();
}
