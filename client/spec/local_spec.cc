#include "client/spec/local_spec.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/fields.h"

namespace mixfeed {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Reads what a message sets into a recipe's values. Recipes and their messages have the same fields
// under the same paths.
class Reader {
 public:
  explicit Reader(const v1::Recipe& recipe) : recipe_(recipe) {}

  template <typename Value>
  void operator()(const RecipeField& field, Value& value) const {
    const Message* message = &recipe_;
    const FieldDescriptor* at = nullptr;
    const std::vector<std::string> names = absl::StrSplit(field.path, '.');
    for (const std::string& name : names) {
      if (at != nullptr) message = &message->GetReflection()->GetMessage(*message, at);
      at = message->GetDescriptor()->FindFieldByName(name);
    }
    const Reflection& reflection = *message->GetReflection();
    const bool set =
        at->is_repeated() ? reflection.FieldSize(*message, at) > 0 : IsSet(*message, *at);
    if (set) Read(*message, *at, &value);
  }

 private:
  // An enum or text without presence is not set while it has its default.
  static bool IsSet(const Message& message, const FieldDescriptor& field) {
    return message.GetReflection()->HasField(message, &field);
  }
  static void Read(const Message& message, const FieldDescriptor& field, bool* value) {
    *value = message.GetReflection()->GetBool(message, &field);
  }
  static void Read(const Message& message, const FieldDescriptor& field, double* value) {
    *value = message.GetReflection()->GetDouble(message, &field);
  }
  static void Read(const Message& message, const FieldDescriptor& field, int* value) {
    *value = static_cast<int>(message.GetReflection()->GetUInt32(message, &field));
  }
  static void Read(const Message& message, const FieldDescriptor& field, std::string* value) {
    *value = message.GetReflection()->GetString(message, &field);
  }
  static void Read(const Message& message, const FieldDescriptor& field, std::vector<int>* values) {
    const int size = message.GetReflection()->FieldSize(message, &field);
    values->clear();
    for (int i = 0; i < size; ++i) values->push_back(At(message, field, i));
  }
  static void Read(const Message& message, const FieldDescriptor& field,
                   std::array<int, 3>* values) {
    const int size = std::min(message.GetReflection()->FieldSize(message, &field), 3);
    for (int i = 0; i < size; ++i) (*values)[static_cast<size_t>(i)] = At(message, field, i);
  }
  // The wire's enumerators are the recipe's, in order, behind the unspecified one.
  template <typename Enum>
  requires std::is_enum_v<Enum>
  static void Read(const Message& message, const FieldDescriptor& field, Enum* value) {
    *value = static_cast<Enum>(message.GetReflection()->GetEnumValue(message, &field) - 1);
  }

  static int At(const Message& message, const FieldDescriptor& field, int i) {
    return static_cast<int>(message.GetReflection()->GetRepeatedUInt32(message, &field, i));
  }

  const v1::Recipe& recipe_;
};

SplitSpec SplitOf(const v1::Split& proto, SplitSpec split) {
  if (proto.has_labelled() && split.rule == SplitRule::kAll) split.rule = SplitRule::kMixMatch;
  if (proto.rule() != 0) split.rule = static_cast<SplitRule>(static_cast<int>(proto.rule()) - 1);
  if (proto.has_seed()) split.seed = proto.seed();
  if (proto.has_labelled()) split.labelled = static_cast<int64_t>(proto.labelled());
  if (proto.has_validation()) split.validation = static_cast<int64_t>(proto.validation());
  if (proto.has_unlabelled_includes_labelled()) {
    split.unlabelled_includes_labelled = proto.unlabelled_includes_labelled();
  }
  return split;
}

}  // namespace

absl::StatusOr<LocalSpec> ResolveLocally(const v1::FeedSpec& spec) {
  const v1::Recipe& proto = spec.recipe();
  MIXFEED_ASSIGN_OR_RETURN(
      const Preset* const preset,
      FindPresetEntry(proto.preset().empty() ? kDefaultPreset : proto.preset()));
  LocalSpec local{preset, preset->make(), SplitOf(spec.split(), preset->split())};
  local.recipe.preset = preset->name;
  VisitFields(local.recipe, Reader(proto));
  const v1::Mix& mix = proto.mix();
  if (mix.has_alpha() && !mix.has_beta()) local.recipe.mix.beta = mix.alpha();
  if (mix.cutmix().has_alpha() && !mix.cutmix().has_beta()) {
    local.recipe.mix.cutmix.beta = mix.cutmix().alpha();
  }
  return local;
}

void GuessWithNewest(v1::FeedSpec* spec) {
  const std::string& name = spec->recipe().preset();
  const absl::StatusOr<Recipe> recipe = FindPreset(name.empty() ? kDefaultPreset : name);
  if (!recipe.ok() || !recipe->guesses()) return;
  if (spec->recipe().guess().policy() != v1::Guess::POLICY_UNSPECIFIED) return;
  spec->mutable_recipe()->mutable_guess()->set_policy(v1::Guess::NEWEST);
}

bool AlphaIsOfBoxes(const Recipe& recipe) {
  return !recipe_fields::DrawsBeta(recipe) && recipe_fields::BetaBoxes(recipe);
}

}  // namespace mixfeed
