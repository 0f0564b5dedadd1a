#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "augment/base/status_macros.h"
#include "augment/pool/file_io.h"
#include "augment/pool/split.h"

namespace mixfeed {
namespace {

struct ListField {
  const char* name;
  std::vector<int32_t> Split::*list;
};

constexpr ListField kLists[] = {{"labelled", &Split::labelled},
                                {"unlabelled", &Split::unlabelled},
                                {"validation", &Split::validation}};

absl::Status ParseIndices(const std::vector<std::string>& words, std::vector<int32_t>* list) {
  for (size_t i = 1; i < words.size(); ++i) {
    int32_t index;
    if (!absl::SimpleAtoi(words[i], &index) || index < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", words[i], "\" is not an index from 0 to 2147483647"));
    }
    list->push_back(index);
  }
  return absl::OkStatus();
}

// Reads one line into `split`; `seen` has an element a list.
absl::Status ParseLine(const std::string& line, Split* split, std::vector<bool>* seen) {
  const std::string text = line.substr(0, line.find('#'));
  const std::vector<std::string> words =
      absl::StrSplit(text, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (words.empty()) return absl::OkStatus();
  for (size_t i = 0; i < std::size(kLists); ++i) {
    if (words[0] != kLists[i].name) continue;
    if ((*seen)[i]) {
      return absl::InvalidArgumentError(absl::StrCat("list \"", words[0], "\" is there twice"));
    }
    (*seen)[i] = true;
    return ParseIndices(words, &(split->*kLists[i].list));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", words[0], "\" is no list; allowed are labelled, unlabelled, validation"));
}

}  // namespace

absl::Status WriteSplit(const std::string& path, const Split& split) {
  std::string text = "# mixfeed split: indices into the training images\n";
  for (const ListField& field : kLists) {
    absl::StrAppend(&text, field.name);
    for (int32_t index : split.*field.list) absl::StrAppend(&text, " ", index);
    text += '\n';
  }
  return WriteFileAtomically(path, text);
}

absl::StatusOr<Split> ReadSplit(const std::string& path) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<std::string> lines, ReadLines(path));
  Split split;
  std::vector<bool> seen(std::size(kLists));
  for (size_t i = 0; i < lines.size(); ++i) {
    const absl::Status status = ParseLine(lines[i], &split, &seen);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", i + 1, ": ", std::string(status.message())));
    }
  }
  return split;
}

}  // namespace mixfeed
