#include "tests/augment/recipe/golden_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/numbers.h"

namespace mixfeed::testing {
namespace {

std::vector<std::string> SplitWords(const std::string& line) {
  std::istringstream words(line);
  return {std::istream_iterator<std::string>(words), {}};
}

}  // namespace

std::vector<std::string> GoldenCase::words(const std::string& field) const {
  const auto found = fields_.find(field);
  if (found != fields_.end()) return found->second;
  ADD_FAILURE() << "golden " << name_ << " has no " << field;
  return {};
}

std::string GoldenCase::word(const std::string& field) const {
  const std::vector<std::string> all = words(field);
  if (all.size() == 1) return all[0];
  ADD_FAILURE() << field << " of golden " << name_ << " has " << all.size() << " values";
  return "";
}

std::vector<double> GoldenCase::numbers(const std::string& field) const {
  std::vector<double> values;
  for (const std::string& word : words(field)) {
    double value = 0;
    EXPECT_TRUE(absl::SimpleAtod(word, &value)) << field << " of golden " << name_ << ": " << word;
    values.push_back(value);
  }
  return values;
}

std::vector<float> GoldenCase::floats(const std::string& field) const {
  const std::vector<double> values = numbers(field);
  return {values.begin(), values.end()};
}

std::vector<int32_t> GoldenCase::integers(const std::string& field) const {
  std::vector<int32_t> values;
  for (const std::string& word : words(field)) {
    int32_t value = 0;
    EXPECT_TRUE(absl::SimpleAtoi(word, &value)) << field << " of golden " << name_ << ": " << word;
    values.push_back(value);
  }
  return values;
}

double GoldenCase::number(const std::string& field) const {
  const std::vector<double> all = numbers(field);
  return word(field).empty() ? 0 : all[0];
}

int32_t GoldenCase::integer(const std::string& field) const {
  const std::vector<int32_t> all = integers(field);
  return word(field).empty() ? 0 : all[0];
}

std::string GoldenCase::text(const std::string& field) const { return word(field); }

void GoldenCase::Append(const std::string& field, std::vector<std::string> words) {
  std::vector<std::string>& all = fields_[field];
  all.insert(all.end(), words.begin(), words.end());
}

std::vector<GoldenCase> ReadGoldens(const std::string& file, const std::string& kind) {
  std::ifstream lines(MIXFEED_RECIPE_GOLDENS "/" + file);
  std::vector<GoldenCase> cases;
  bool wanted = false;
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> words = SplitWords(line);
    if (words.empty() || words[0] == "#") continue;
    const std::string first = words[0];
    if (first == "case") {
      wanted = words.size() == 3 && words[1] == kind;
      if (wanted) cases.emplace_back(words[2]);
    } else if (wanted) {
      words.erase(words.begin());
      cases.back().Append(first, std::move(words));
    }
  }
  EXPECT_FALSE(cases.empty()) << "no goldens of kind " << kind << " in " << file;
  return cases;
}

GoldenCase ReadGolden(const std::string& file, const std::string& kind, const std::string& name) {
  for (GoldenCase& golden : ReadGoldens(file, kind)) {
    if (golden.name() == name) return std::move(golden);
  }
  ADD_FAILURE() << "no golden " << name << " of kind " << kind << " in " << file;
  return GoldenCase(name);
}

std::vector<uint8_t> ExampleImages(int count, const ImageShape& shape) {
  std::vector<uint8_t> pixels;
  for (int n = 0; n < count; ++n) {
    for (int c = 0; c < shape.channels; ++c) {
      for (int y = 0; y < shape.height; ++y) {
        for (int x = 0; x < shape.width; ++x) {
          const int value = 37 * n + 59 * c + 23 * y + 11 * x + 7 * x * y + 5 * n * (x + y);
          pixels.push_back(static_cast<uint8_t>(value % 256));
        }
      }
    }
  }
  return pixels;
}

std::vector<int> ExampleLabels(int count, int classes) {
  std::vector<int> labels;
  for (int i = 0; i < count; ++i) labels.push_back(3 * i % classes);
  return labels;
}

}  // namespace mixfeed::testing
