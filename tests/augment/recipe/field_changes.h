#ifndef MIXFEED_TESTS_AUGMENT_RECIPE_FIELD_CHANGES_H_
#define MIXFEED_TESTS_AUGMENT_RECIPE_FIELD_CHANGES_H_

#include <string>
#include <vector>

#include "augment/recipe/fields.h"
#include "augment/recipe/recipe.h"

namespace mixfeed::testing {

// A recipe of which one field has another value.
struct FieldChange {
  RecipeField field;
  std::string value;  // FieldText of the new one
  Recipe recipe;
};

// Every field set, one at a time, to values of its own range other than the one it has: the ends of
// a number's range and one between, every enumerator, some texts and lists. Rules that fields must
// keep together may refuse the outcome.
std::vector<FieldChange> ChangesInRange(const Recipe& recipe);

// Every field that has a range set, one at a time, to values just outside of it (of a list, one
// entry), and numbers to what is none.
std::vector<FieldChange> ChangesOutOfRange(const Recipe& recipe);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_RECIPE_FIELD_CHANGES_H_
