#include "tests/augment/recipe/field_changes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace mixfeed::testing {
namespace {

// --- values in range ---

std::vector<bool> InRange(const RecipeField&, bool) { return {false, true}; }

std::vector<int> InRange(const RecipeField& field, int) {
  const int low = static_cast<int>(field.low), high = static_cast<int>(field.high);
  return {low, low + (high - low) / 2, high};
}

std::vector<double> InRange(const RecipeField& field, double) {
  return {field.low, field.low + std::min(0.125, (field.high - field.low) / 2), field.high};
}

std::vector<std::string> InRange(const RecipeField&, const std::string&) { return {"", "wrn"}; }

template <typename Enum>
requires std::is_enum_v<Enum> std::vector<Enum> InRange(const RecipeField&, Enum) {
  std::vector<Enum> all;
  for (size_t i = 0; i < NamesOf(Enum()).size(); ++i) all.push_back(static_cast<Enum>(i));
  return all;
}

std::vector<std::vector<int>> InRange(const RecipeField& field, const std::vector<int>&) {
  return {{}, {static_cast<int>(field.low)}, {0, 2}, {2, 0}, {static_cast<int>(field.high)}};
}

std::vector<std::array<int, 3>> InRange(const RecipeField& field, const std::array<int, 3>&) {
  const int high = static_cast<int>(field.high);
  return {{1, 2, 3}, {3, 2, 1}, {high, 0, high}};
}

// --- values out of range ---

std::vector<bool> OutOfRange(const RecipeField&, bool) { return {}; }
std::vector<std::string> OutOfRange(const RecipeField&, const std::string&) { return {}; }

std::vector<int> OutOfRange(const RecipeField& field, int) {
  using Limits = std::numeric_limits<int>;
  return {static_cast<int>(field.low) - 1, static_cast<int>(field.high) + 1, Limits::min(),
          Limits::max()};
}

std::vector<double> OutOfRange(const RecipeField& field, double) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return {std::nextafter(field.low, -kInfinity), std::nextafter(field.high, kInfinity),
          std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity};
}

template <typename Enum>
requires std::is_enum_v<Enum> std::vector<Enum> OutOfRange(const RecipeField&, Enum) {
  return {static_cast<Enum>(NamesOf(Enum()).size()), static_cast<Enum>(255)};
}

std::vector<std::vector<int>> OutOfRange(const RecipeField& field, const std::vector<int>&) {
  return {{static_cast<int>(field.low) - 1}, {0, static_cast<int>(field.high) + 1}};
}

std::vector<std::array<int, 3>> OutOfRange(const RecipeField& field, const std::array<int, 3>&) {
  return {{0, 0, static_cast<int>(field.low) - 1}, {static_cast<int>(field.high) + 1, 0, 0}};
}

// `recipe` with its index-th field set to `value`.
template <typename Value>
Recipe With(Recipe recipe, size_t index, const Value& value) {
  VisitFields(recipe, [&index, &value](const RecipeField&, auto& field) {
    if constexpr (std::is_same_v<std::remove_reference_t<decltype(field)>, Value>) {
      if (index == 0) field = value;
    }
    --index;
  });
  return recipe;
}

// Whether two values are one, NaN being itself.
template <typename Value>
bool IsSame(const Value& a, const Value& b) {
  return FieldText(a) == FieldText(b) && a == b;
}

template <typename ValuesOf>
std::vector<FieldChange> Changes(const Recipe& recipe, const ValuesOf& values_of) {
  std::vector<FieldChange> changes;
  size_t index = 0;
  VisitFields(recipe, [&](const RecipeField& field, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    for (const Value& other : values_of(field, value)) {
      if (IsSame(other, value)) continue;
      changes.push_back({field, FieldText(other), With<Value>(recipe, index, other)});
    }
    ++index;
  });
  return changes;
}

}  // namespace

std::vector<FieldChange> ChangesInRange(const Recipe& recipe) {
  return Changes(recipe,
                 [](const RecipeField& field, const auto& value) { return InRange(field, value); });
}

std::vector<FieldChange> ChangesOutOfRange(const Recipe& recipe) {
  return Changes(
      recipe, [](const RecipeField& field, const auto& value) { return OutOfRange(field, value); });
}

}  // namespace mixfeed::testing
