#ifndef MIXFEED_CLIENT_LOOK_UNREAD_H_
#define MIXFEED_CLIENT_LOOK_UNREAD_H_

#include <string>
#include <vector>

#include "client/spec/local_spec.h"

namespace mixfeed {

// A field of the spec that somebody gave a value.
struct GivenField {
  std::string shown;  // how it was given, for people: "--temperature", "recipe.mix.alpha"
  std::string path;   // below the spec: "recipe.guess.temperature"
};

// Why batches do not depend on the field of `path`, which is one that `recipe` does not read.
std::string WhyUnread(const std::string& path, const Recipe& recipe);

// A line for each field that the spec's batches do not depend on, so that a value without
// effect is not taken for one with it: "recipe.mix.lambda_low has no effect, since ...".
std::vector<std::string> NotesOfUnread(const std::vector<GivenField>& given, const LocalSpec& spec);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_UNREAD_H_
