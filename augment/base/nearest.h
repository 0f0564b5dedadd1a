#ifndef MIXFEED_AUGMENT_BASE_NEAREST_H_
#define MIXFEED_AUGMENT_BASE_NEAREST_H_

#include <string>
#include <string_view>
#include <vector>

namespace mixfeed {

// How many letters must be put in, taken out or replaced to make one text of the other, whatever
// their case (Levenshtein's distance). For names: time and memory go with the product of lengths.
int EditDistance(std::string_view a, std::string_view b);

// `names` by their distance from what was `given`, so that an error's list begins with what was
// meant; names that are equally far keep their order.
std::vector<std::string> NearestFirst(std::string_view given, std::vector<std::string> names);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BASE_NEAREST_H_
