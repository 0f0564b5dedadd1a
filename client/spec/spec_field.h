#ifndef MIXFEED_CLIENT_SPEC_SPEC_FIELD_H_
#define MIXFEED_CLIENT_SPEC_SPEC_FIELD_H_

#include <string>

#include "mixfeed/v1/spec.pb.h"

namespace mixfeed {

// Sets one field of a spec from a text "PATH=VALUE", as `mixfeed recipes show` prints them:
// "recipe.mix.alpha=0.5", "recipe.mix.mode=xx.yy", "recipe.mix.layers=0,1,2" or "=[0, 1, 2]",
// "split.labelled=500". An empty list leaves the preset's, as on the wire.
// Returns what is wrong with the text, with the path, or nothing. Ranges are the server's to check.
std::string SetSpecField(const std::string& text, v1::FeedSpec* spec);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_SPEC_SPEC_FIELD_H_
