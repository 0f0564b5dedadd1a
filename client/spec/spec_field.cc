#include "client/spec/spec_field.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "augment/base/nearest.h"
#include "augment/recipe/fields.h"

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

// The names as `mixfeed recipes show` spells them.
std::string EnumeratorsOf(const std::string& path, const EnumDescriptor& type) {
  std::vector<std::string> names;
  const Recipe recipe;
  VisitFields(recipe, [&](const RecipeField& field, const auto& value) {
    if constexpr (std::is_enum_v<std::remove_cvref_t<decltype(value)>>) {
      if (path != absl::StrCat("recipe.", field.path)) return;
      names.assign(NamesOf(value).begin(), NamesOf(value).end());
    }
  });
  if (!names.empty()) return absl::StrJoin(names, ", ");
  for (int i = 1; i < type.value_count(); ++i) {
    names.push_back(absl::AsciiStrToLower(type.value(i)->name()));
  }
  return absl::StrJoin(names, ", ");
}

std::string NotA(const std::string& text, const std::string& wanted) {
  return absl::StrCat("'", text, "' is not ", wanted);
}

// A text without the quotation marks in which it is shown.
std::string Unquoted(const std::string& text) {
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// Sets a field that is no list.
std::string SetOne(const std::string& path, const std::string& text, const FieldDescriptor& field,
                   Message* message) {
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
        return NotA(text, absl::StrCat("one of ", EnumeratorsOf(path, *field.enum_type())));
      }
      reflection->SetEnum(message, &field, value);
      return "";
    }
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->SetString(message, &field, Unquoted(text));
      return "";
    default:
      return "is a group of fields, not one";
  }
}

// Numbers between commas, in brackets or not, replace the list; none leave the preset's.
std::string SetList(const std::string& text, const FieldDescriptor& field, Message* message) {
  const auto* const reflection = message->GetReflection();
  reflection->ClearField(message, &field);
  const bool bracketed = text.size() >= 2 && text.front() == '[' && text.back() == ']';
  std::string list = bracketed ? text.substr(1, text.size() - 2) : text;
  absl::StripAsciiWhitespace(&list);
  if (bracketed && list.empty()) return "";
  std::vector<std::string> parts = absl::StrSplit(list, ',');
  for (std::string& part : parts) {
    absl::StripAsciiWhitespace(&part);
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

// Paths of all single fields and lists of a message.
void CollectPaths(const google::protobuf::Descriptor& type, const std::string& prefix,
                  std::vector<std::string>* paths) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string path = absl::StrCat(prefix, std::string(field.name()));
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      CollectPaths(*field.message_type(), path + ".", paths);
    } else {
      paths->push_back(path);
    }
  }
}

// The last names of a path, as many as `count`.
std::string LastNames(const std::string& path, size_t count) {
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  const size_t first = names.size() - std::min(count, names.size());
  return absl::StrJoin(names.begin() + static_cast<std::ptrdiff_t>(first), names.end(), ".");
}

// The path that somebody meant: the one whose end is spelled most like what was given, so that its
// first names may be left out.
std::string NearestPath(const std::string& given) {
  std::vector<std::string> paths;
  CollectPaths(*v1::FeedSpec::descriptor(), "", &paths);
  const auto count = static_cast<size_t>(std::count(given.begin(), given.end(), '.')) + 1;
  const auto distance = [&](const std::string& path) {
    return EditDistance(given, LastNames(path, count));
  };
  return *std::min_element(
      paths.begin(), paths.end(),
      [&](const std::string& a, const std::string& b) { return distance(a) < distance(b); });
}

std::string NoField(const std::string& path) {
  return absl::StrCat("'", path, "' is no field; did you mean ", NearestPath(path),
                      "? mixfeed recipes show mixmatch has all");
}

}  // namespace

std::string SetSpecField(const std::string& text, v1::FeedSpec* spec) {
  const size_t equals = text.find('=');
  if (equals == text.npos) return NotA(text, "PATH=VALUE, such as recipe.mix.alpha=0.5");
  // With blanks about it as `recipes show` prints it.
  const std::string path(absl::StripAsciiWhitespace(text.substr(0, equals)));
  const std::string value(absl::StripAsciiWhitespace(text.substr(equals + 1)));
  Message* message = spec;
  const FieldDescriptor* field = nullptr;
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (const std::string& name : names) {
    if (field != nullptr) {
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return NoField(path);
      message = message->GetReflection()->MutableMessage(message, field);
    }
    field = message->GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) return NoField(path);
  }
  const std::string wrong =
      field->is_repeated() ? SetList(value, *field, message) : SetOne(path, value, *field, message);
  return wrong.empty() ? "" : absl::StrCat(path, ": ", wrong);
}

}  // namespace mixfeed
