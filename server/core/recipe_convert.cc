#include "server/core/recipe_convert.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "augment/base/field_checks.h"
#include "augment/recipe/fields.h"

namespace mixfeed {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A field's message, of which the path's last name is a field.
struct Place {
  const Message* message;
  const FieldDescriptor* field;
};

Place FindField(const v1::Recipe& recipe, const char* path) {
  Place place{&recipe, nullptr};
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (const std::string& name : names) {
    if (place.field != nullptr) {
      place.message = &place.message->GetReflection()->GetMessage(*place.message, place.field);
    }
    place.field = place.message->GetDescriptor()->FindFieldByName(name);
  }
  return place;
}

struct MutablePlace {
  Message* message;
  const FieldDescriptor* field;
};

MutablePlace FindMutable(v1::Recipe* recipe, const char* path) {
  MutablePlace place{recipe, nullptr};
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (const std::string& name : names) {
    if (place.field != nullptr) {
      place.message = place.message->GetReflection()->MutableMessage(place.message, place.field);
    }
    place.field = place.message->GetDescriptor()->FindFieldByName(name);
  }
  return place;
}

// "REFLECT, ZERO": all but the unspecified value.
std::string EnumeratorsOf(const EnumDescriptor& type) {
  std::string names;
  for (int i = 1; i < type.value_count(); ++i) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", type.value(i)->name());
  }
  return names;
}

// Reads what a message sets into the recipe's values; the first error stays.
class Reader {
 public:
  explicit Reader(const v1::Recipe& recipe) : recipe_(recipe) {}

  void operator()(const RecipeField& field, bool& value) {
    if (const Place at = Find(field); Has(at)) value = Reflect(at)->GetBool(*at.message, at.field);
  }
  void operator()(const RecipeField& field, double& value) {
    if (const Place at = Find(field); Has(at)) {
      value = Reflect(at)->GetDouble(*at.message, at.field);
    }
  }
  void operator()(const RecipeField& field, std::string& value) {
    const Place at = Find(field);
    const std::string text = Reflect(at)->GetString(*at.message, at.field);
    if (!text.empty()) value = text;
  }
  void operator()(const RecipeField& field, int& value) {
    if (const Place at = Find(field); Has(at)) {
      SetCount(Name(field), Reflect(at)->GetUInt32(*at.message, at.field), &value);
    }
  }
  void operator()(const RecipeField& field, std::vector<int>& values) {
    const std::vector<int> given = ReadList(field);
    if (!given.empty()) values = given;
  }
  void operator()(const RecipeField& field, std::array<int, 3>& values) {
    const std::vector<int> given = ReadList(field);
    if (given.size() == values.size()) {
      std::copy(given.begin(), given.end(), values.begin());
    } else if (!given.empty()) {
      status_.Update(
          FieldError(Name(field), absl::StrCat(given.size(), " numbers"), "3: red, green, blue"));
    }
  }
  // The wire's enumerators are the recipe's, in order, behind the unspecified one.
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void operator()(const RecipeField& field, Enum& value) {
    const Place at = Find(field);
    const int number = Reflect(at)->GetEnumValue(*at.message, at.field);
    if (number == 0) return;
    if (number < 0 || static_cast<size_t>(number) > NamesOf(value).size()) {
      status_.Update(
          FieldError(Name(field), absl::StrCat(number), EnumeratorsOf(*at.field->enum_type())));
      return;
    }
    value = static_cast<Enum>(number - 1);
  }

  const absl::Status& status() const { return status_; }

 private:
  static std::string Name(const RecipeField& field) { return absl::StrCat("recipe.", field.path); }
  static const google::protobuf::Reflection* Reflect(const Place& at) {
    return at.message->GetReflection();
  }
  static bool Has(const Place& at) { return Reflect(at)->HasField(*at.message, at.field); }

  Place Find(const RecipeField& field) const { return FindField(recipe_, field.path); }

  // The wire's counts are unsigned.
  void SetCount(const std::string& name, uint32_t value, int* out) {
    constexpr auto kMost = static_cast<uint32_t>(std::numeric_limits<int>::max());
    if (value > kMost) {
      status_.Update(FieldError(name, absl::StrCat(value), absl::StrCat("at most ", kMost)));
    } else {
      *out = static_cast<int>(value);
    }
  }

  std::vector<int> ReadList(const RecipeField& field) {
    const Place at = Find(field);
    std::vector<int> values(static_cast<size_t>(Reflect(at)->FieldSize(*at.message, at.field)));
    for (size_t i = 0; i < values.size(); ++i) {
      SetCount(absl::StrCat(Name(field), "[", i, "]"),
               Reflect(at)->GetRepeatedUInt32(*at.message, at.field, static_cast<int>(i)),
               &values[i]);
    }
    return values;
  }

  const v1::Recipe& recipe_;
  absl::Status status_;
};

// Writes every value into a message.
class Writer {
 public:
  explicit Writer(v1::Recipe* recipe) : recipe_(recipe) {}

  void operator()(const RecipeField& field, bool value) {
    const MutablePlace at = Find(field);
    Reflect(at)->SetBool(at.message, at.field, value);
  }
  void operator()(const RecipeField& field, double value) {
    const MutablePlace at = Find(field);
    Reflect(at)->SetDouble(at.message, at.field, value);
  }
  void operator()(const RecipeField& field, const std::string& value) {
    const MutablePlace at = Find(field);
    Reflect(at)->SetString(at.message, at.field, value);
  }
  void operator()(const RecipeField& field, int value) {
    const MutablePlace at = Find(field);
    Reflect(at)->SetUInt32(at.message, at.field, static_cast<uint32_t>(value));
  }
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void operator()(const RecipeField& field, Enum value) {
    const MutablePlace at = Find(field);
    Reflect(at)->SetEnumValue(at.message, at.field, static_cast<int>(value) + 1);
  }
  template <typename List>
  requires std::is_same_v<typename List::value_type, int>
  void operator()(const RecipeField& field, const List& values) {
    const MutablePlace at = Find(field);
    Reflect(at)->ClearField(at.message, at.field);
    for (const int value : values) {
      Reflect(at)->AddUInt32(at.message, at.field, static_cast<uint32_t>(value));
    }
  }

 private:
  static const google::protobuf::Reflection* Reflect(const MutablePlace& at) {
    return at.message->GetReflection();
  }
  MutablePlace Find(const RecipeField& field) const { return FindMutable(recipe_, field.path); }

  v1::Recipe* const recipe_;
};

}  // namespace

absl::Status OverrideRecipe(const v1::Recipe& proto, Recipe* recipe) {
  Reader reader(proto);
  VisitFields(*recipe, reader);
  const v1::Mix& mix = proto.mix();
  if (mix.has_alpha() && !mix.has_beta()) recipe->mix.beta = recipe->mix.alpha;
  if (mix.cutmix().has_alpha() && !mix.cutmix().has_beta()) {
    recipe->mix.cutmix.beta = recipe->mix.cutmix.alpha;
  }
  return reader.status();
}

void FillRecipe(const Recipe& recipe, v1::Recipe* proto) {
  proto->set_preset(recipe.preset);
  VisitFields(recipe, Writer(proto));
}

}  // namespace mixfeed
