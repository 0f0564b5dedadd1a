#ifndef MIXFEED_CLIENT_LOOK_JSON_H_
#define MIXFEED_CLIENT_LOOK_JSON_H_

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <string>

namespace mixfeed {

// Members stay in the order in which they are added.
using Json = nlohmann::ordered_json;

// A message as an object that scripts find easy: members are the fields' names in their order, all
// of them; numbers are numbers, enum values lower-case texts with dashes, optional fields that are
// not set null. Unlike protobuf's own JSON form, which turns 64-bit numbers into strings; a
// FeedSpec alone is in that form, so that it can be given to --spec. Bytes fields are left out.
Json ToJson(const google::protobuf::Message& message);

// The text of `json`; what is not UTF-8 in it (a file's name may be anything) becomes U+FFFD
// instead of an exception. In one line, or with an indent of that many blanks.
std::string Dump(const Json& json, int indent = -1);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_JSON_H_
