#ifndef MIXFEED_CLIENT_LOOK_LAMBDA_H_
#define MIXFEED_CLIENT_LOOK_LAMBDA_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/look/look.h"

namespace mixfeed {

inline constexpr int kMinLambdaDraws = 100;
inline constexpr int kMaxLambdaDraws = 10'000'000;

// Whose law of lambda is drawn; what is not set is the recipe's.
struct LambdaWish {
  std::string recipe = "mixup";
  std::string law = {};  // a name of LambdaLaw (augment/recipe/enum_names.h)
  // Of Beta(alpha, beta), 0.01..101; beta is alpha where only that is given. Of a recipe of boxes
  // alone theirs, of one with boxes and blends that of the blends.
  std::optional<double> alpha = {};
  std::optional<double> beta = {};
  std::optional<double> low = {};  // of the uniform law, 0..high
  std::optional<double> high = {};
  int draws = 200'000;  // kMinLambdaDraws..kMaxLambdaDraws
  uint64_t seed = 0;
};

// The law of a recipe's lambda, with a figure: `mixfeed lambda`. `dashes` ("--") comes before the
// fields' names in notes and errors. Errors: NotFound for a recipe, InvalidArgument with the field.
absl::StatusOr<Look> LookAtLambda(const LambdaWish& wish, const std::string& dashes = "");

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_LAMBDA_H_
