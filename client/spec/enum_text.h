#ifndef MIXFEED_CLIENT_SPEC_ENUM_TEXT_H_
#define MIXFEED_CLIENT_SPEC_ENUM_TEXT_H_

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

namespace mixfeed {

// A protobuf enum's value as people write it: ROUND_ROBIN is "round-robin".
std::string EnumText(const google::protobuf::EnumValueDescriptor& value);
// The same of a number of that enum; of one that it does not know, the number.
std::string EnumText(const google::protobuf::EnumDescriptor& type, int number);
// All texts of an enum but its "unspecified", in order.
std::vector<std::string> EnumTexts(const google::protobuf::EnumDescriptor& type);
// The number of a text of EnumTexts; 0 of any other.
int EnumNumber(const google::protobuf::EnumDescriptor& type, const std::string& text);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_SPEC_ENUM_TEXT_H_
