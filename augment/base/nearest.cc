#include "augment/base/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"

namespace mixfeed {
namespace {

// A name has far fewer letters; what a client sends may have millions.
constexpr size_t kLongest = 200;

}  // namespace

int EditDistance(std::string_view a, std::string_view b) {
  a = a.substr(0, kLongest);
  b = b.substr(0, kLongest);
  std::vector<int> above(b.size() + 1);
  std::iota(above.begin(), above.end(), 0);
  std::vector<int> row = above;
  for (size_t i = 0; i < a.size(); ++i) {
    row[0] = static_cast<int>(i) + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const int differs = absl::ascii_tolower(static_cast<unsigned char>(a[i])) ==
                                  absl::ascii_tolower(static_cast<unsigned char>(b[j]))
                              ? 0
                              : 1;
      row[j + 1] = std::min({above[j] + differs, above[j + 1] + 1, row[j] + 1});
    }
    std::swap(above, row);
  }
  return above.back();
}

std::vector<std::string> NearestFirst(std::string_view given, std::vector<std::string> names) {
  std::vector<std::pair<int, std::string>> far;
  for (std::string& name : names) far.emplace_back(EditDistance(given, name), std::move(name));
  std::stable_sort(far.begin(), far.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> sorted;
  for (auto& [distance, name] : far) sorted.push_back(std::move(name));
  return sorted;
}

}  // namespace mixfeed
