// Mangled names, namespaces, templates and inlined frames.
namespace shop {
template <typename T> inline T twice(T value) { return value + value; }
struct Cart {
	int total;
	__attribute__((noinline)) int add(int price) { return total += twice(price); }
};
} // namespace shop

extern "C" void _start() {
	shop::Cart cart{0};
	for (;;)
		cart.add(3);
}
