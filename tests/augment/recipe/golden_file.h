#ifndef MIXFEED_TESTS_AUGMENT_RECIPE_GOLDEN_FILE_H_
#define MIXFEED_TESTS_AUGMENT_RECIPE_GOLDEN_FILE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "augment/pool/dataset.h"

namespace mixfeed::testing {

// One case of a golden file. goldens/golden_format.py defines the format, the script that is named
// in a file's first line the fields. Asking for a field that a case lacks, or for a number where a
// word is, fails the test and gives nothing or 0.
class GoldenCase {
 public:
  explicit GoldenCase(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  bool has(const std::string& field) const { return fields_.contains(field); }
  std::vector<double> numbers(const std::string& field) const;
  std::vector<float> floats(const std::string& field) const;
  std::vector<int32_t> integers(const std::string& field) const;
  // Of a field of one value.
  double number(const std::string& field) const;
  int32_t integer(const std::string& field) const;
  std::string text(const std::string& field) const;

  void Append(const std::string& field, std::vector<std::string> words);

 private:
  std::vector<std::string> words(const std::string& field) const;
  std::string word(const std::string& field) const;

  std::string name_;
  std::map<std::string, std::vector<std::string>> fields_;
};

// The cases of `kind` in goldens/`file`, in their order. Fails the test when there are none.
std::vector<GoldenCase> ReadGoldens(const std::string& file, const std::string& kind);

// The one case of that name.
GoldenCase ReadGolden(const std::string& file, const std::string& kind, const std::string& name);

// The images that the goldens were made of, [count][C][H][W], and their labels: golden_format.py's
// example_images and example_labels.
std::vector<uint8_t> ExampleImages(int count, const ImageShape& shape);
std::vector<int> ExampleLabels(int count, int classes);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_RECIPE_GOLDEN_FILE_H_
