#ifndef MIXFEED_CLIENT_SPEC_LOCAL_SPEC_H_
#define MIXFEED_CLIENT_SPEC_LOCAL_SPEC_H_

#include "absl/status/statusor.h"
#include "augment/pool/split.h"
#include "augment/recipe/presets.h"
#include "augment/recipe/recipe.h"
#include "mixfeed/v1/spec.pb.h"

namespace mixfeed {

// What a spec means by this program's own presets, for what is said about it without a server.
struct LocalSpec {
  const Preset* preset;  // never null
  Recipe recipe;
  SplitSpec split;  // without lists
};

// The preset, then what the message sets, as the server resolves it; values are not validated.
// NotFound: a preset that this program does not know, though a newer server may.
absl::StatusOr<LocalSpec> ResolveLocally(const v1::FeedSpec& spec);

// Where the spec leaves open which weights are to guess: the newest, for looking at batches, when
// nobody is there to push those of every update.
void GuessWithNewest(v1::FeedSpec* spec);

// Whose Beta a flag --alpha is of: that of the boxes where lambda is drawn for boxes alone, else
// that of the blends.
bool AlphaIsOfBoxes(const Recipe& recipe);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_SPEC_LOCAL_SPEC_H_
