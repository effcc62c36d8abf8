// Templates and standard containers, for deep chains of inlined calls.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

namespace shop {

template <typename T>
struct Price {
    T cents;
    Price operator+(const Price &other) const { return {cents + other.cents}; }
    bool operator<(const Price &other) const { return cents < other.cents; }
};

class Visitor {
  public:
    virtual ~Visitor() = default;
    virtual void visit(const std::string &name, Price<long> price) = 0;
};

class Sum : public Visitor {
  public:
    void visit(const std::string &name, Price<long> price) override {
        total_ = total_ + price;
        longest_ = std::max(longest_, name.size());
    }
    long total() const { return total_.cents + static_cast<long>(longest_); }

  private:
    Price<long> total_{0};
    size_t longest_ = 0;
};

static long parse(const std::string &text) {
    std::istringstream words(text);
    std::string word;
    long sum = 0;
    while (std::getline(words, word, '/'))
        sum += word.empty() ? 1 : static_cast<long>(word.find_last_of("aeiou"));
    return sum;
}

template <typename Map>
static void walk(const Map &map, Visitor &visitor) {
    std::for_each(map.begin(), map.end(),
                  [&](const auto &entry) { visitor.visit(entry.first, entry.second); });
}

static std::vector<Price<long>> sorted(std::vector<Price<long>> prices) {
    std::sort(prices.begin(), prices.end());
    std::stable_sort(prices.begin(), prices.end(),
                     [](const auto &a, const auto &b) { return b < a; });
    return prices;
}

} // namespace shop

int main(int argc, char **argv) {
    std::map<std::string, shop::Price<long>> ordered;
    std::unordered_map<std::string, shop::Price<long>> hashed;
    std::vector<shop::Price<long>> prices;
    for (int i = 0; i < argc * 50; ++i) {
        std::string name = "item" + std::to_string(i * 7919 % 101);
        ordered[name] = hashed[name] = shop::Price<long>{i};
        prices.push_back({i * 31 % 17});
    }
    auto sum = std::make_unique<shop::Sum>();
    shop::walk(ordered, *sum);
    shop::walk(hashed, *sum);
    std::function<long()> parse = [&] { return shop::parse(argv[0]); };
    long total = sum->total() + parse();
    for (const auto &price : shop::sorted(prices))
        total = total * 3 + price.cents;
    std::printf("%ld\n", total);
    return 0;
}
