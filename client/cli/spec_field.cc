#include "client/cli/spec_field.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <charconv>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace mixfeed {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

template <typename Number>
bool Parse(const std::string& text, Number* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// The enumerator that people write in lower case, with dashes, dots or underscores: "per-row",
// "xx.yy"; "." is the mode that mixes nothing.
const EnumValueDescriptor* FindEnumerator(const EnumDescriptor& type, const std::string& text) {
  if (text == ".") return type.FindValueByName("NOTHING");
  std::string name = absl::StrReplaceAll(absl::AsciiStrToUpper(text), {{"-", "_"}, {".", "_"}});
  while (!name.empty() && name.back() == '_') name.pop_back();
  name.erase(0, name.find_first_not_of('_'));
  const EnumValueDescriptor* const value = type.FindValueByName(name);
  return value == nullptr || value->number() == 0 ? nullptr : value;
}

std::string EnumeratorsOf(const EnumDescriptor& type) {
  std::string names;
  for (int i = 1; i < type.value_count(); ++i) {
    absl::StrAppend(&names, names.empty() ? "" : ", ",
                    absl::AsciiStrToLower(type.value(i)->name()));
  }
  return names;
}

std::string NotA(const std::string& text, const std::string& wanted) {
  return absl::StrCat("'", text, "' is not ", wanted);
}

// Sets a field that is no list.
std::string SetOne(const std::string& text, const FieldDescriptor& field, Message* message) {
  const auto* const reflection = message->GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") return NotA(text, "true or false");
      reflection->SetBool(message, &field, text == "true");
      return "";
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value = 0;
      if (!Parse(text, &value)) return NotA(text, "a number");
      reflection->SetDouble(message, &field, value);
      return "";
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      uint32_t value = 0;
      if (!Parse(text, &value)) return NotA(text, "a whole number from 0 up");
      reflection->SetUInt32(message, &field, value);
      return "";
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      uint64_t value = 0;
      if (!Parse(text, &value)) return NotA(text, "a whole number from 0 up");
      reflection->SetUInt64(message, &field, value);
      return "";
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const EnumValueDescriptor* const value = FindEnumerator(*field.enum_type(), text);
      if (value == nullptr) {
        return NotA(text, absl::StrCat("one of ", EnumeratorsOf(*field.enum_type())));
      }
      reflection->SetEnum(message, &field, value);
      return "";
    }
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->SetString(message, &field, text);
      return "";
    default:
      return absl::StrCat("'", std::string(field.name()), "' is a group of fields, not one");
  }
}

// Numbers between commas replace the list.
std::string SetList(const std::string& text, const FieldDescriptor& field, Message* message) {
  const auto* const reflection = message->GetReflection();
  reflection->ClearField(message, &field);
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  for (const std::string& part : parts) {
    uint64_t value = 0;
    if (!Parse(part, &value) || value > UINT32_MAX) {
      return NotA(text, "whole numbers from 0 up with commas between them");
    }
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64) {
      reflection->AddUInt64(message, &field, value);
    } else {
      reflection->AddUInt32(message, &field, static_cast<uint32_t>(value));
    }
  }
  return "";
}

}  // namespace

std::string SetSpecField(const std::string& text, v1::FeedSpec* spec) {
  const size_t equals = text.find('=');
  if (equals == text.npos) return NotA(text, "PATH=VALUE, such as recipe.mix.alpha=0.5");
  const std::string path = text.substr(0, equals);
  const std::string value = text.substr(equals + 1);
  Message* message = spec;
  const FieldDescriptor* field = nullptr;
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (const std::string& name : names) {
    if (field != nullptr) {
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
        return absl::StrCat("'", path, "' is no field; see mixfeed recipes show mixmatch");
      }
      message = message->GetReflection()->MutableMessage(message, field);
    }
    field = message->GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) {
      return absl::StrCat("'", path, "' is no field; see mixfeed recipes show mixmatch");
    }
  }
  return field->is_repeated() ? SetList(value, *field, message) : SetOne(value, *field, message);
}

}  // namespace mixfeed
