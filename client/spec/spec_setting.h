#ifndef MIXFEED_CLIENT_SPEC_SPEC_SETTING_H_
#define MIXFEED_CLIENT_SPEC_SPEC_SETTING_H_

#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "mixfeed/v1/spec.pb.h"

namespace mixfeed {

inline constexpr char kAlphaSetting[] = "alpha";

// What users set most of a spec, as a text under a name: a flag of the CLI ("--split-seed") and a
// keyword of the Python package (split_seed).
struct SpecSetting {
  const char* name;   // "split-seed"
  const char* value;  // what the text is, for help
  const char* help;
  // Returns what is wrong with the text, or nothing.
  std::string (*apply)(const std::string& text, v1::FeedSpec* spec);
  // The field that it sets, where a recipe may not read it.
  const char* path = nullptr;
};

// How to add one: a line in the table, and a keyword of the same name, with underscores, in
// client/python/mixfeed/_connection.py (a test compares the two).
std::span<const SpecSetting> SpecSettings();

// Sets what `texts` say by their settings' names (empty ones say nothing), and over it `fields`,
// each as SetSpecField takes it. InvalidArgument: what is wrong with the first text that is not
// allowed, with its name; the spec is then half done.
absl::Status ApplySettings(const std::map<std::string, std::string>& texts,
                           const std::vector<std::string>& fields, v1::FeedSpec* spec);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_SPEC_SPEC_SETTING_H_
