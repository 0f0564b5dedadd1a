#include "client/look/vicinity.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/enum_names.h"
#include "client/look/text_table.h"

namespace mixfeed {
namespace {

constexpr int kDefaultPoints = 300;
constexpr int kFewLabelled = 20;
constexpr int kManyLabelled = 1000;

template <typename Enum>
absl::Status ParseName(const char* field, const std::string& text, Enum* value) {
  const std::span<const char* const> names = NamesOf(Enum());
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) {
    return FieldError(field, absl::StrCat("\"", text, "\""), absl::StrJoin(names, ", "));
  }
  *value = static_cast<Enum>(found - names.begin());
  return absl::OkStatus();
}

int LabelledOf(const std::string& text, int points) {
  if (text.empty() || text == "all") return points;
  if (text == "few") return kFewLabelled;
  if (text == "many") return kManyLabelled;
  int number = 0;
  return absl::SimpleAtoi(text, &number) ? number : 0;
}

// Of one point there are no divergences: where it goes.
std::string PointText(const VicinityFigureOptions& options, const VicinityFigure& made) {
  TextTable table({"rule", absl::StrCat("where point ", *options.vicinity.point, " goes")});
  for (size_t i = 0; i < options.rules.size(); ++i) {
    table.Add({NameOf(options.rules[i]), made.figure.panels[i].subtitle});
  }
  return table.Text();
}

std::string TableText(const VicinityFigureOptions& options, const VicinityFigure& made) {
  if (options.vicinity.point.has_value()) return PointText(options, made);
  TextTable table({"rule", "JS of points", "JS of points and labels (bits)"});
  for (size_t i = 0; i < options.rules.size(); ++i) {
    const Divergences& bits = *made.divergences[i];
    table.Add({NameOf(options.rules[i]), absl::StrFormat("%.4f", bits.points),
               absl::StrFormat("%.4f", bits.joint)});
  }
  return absl::StrCat(table.Text(), made.figure.remark, "\n");
}

Json JsonOf(const VicinityFigureOptions& options, const VicinityFigure& made) {
  Json object;
  const VicinityOptions& vicinity = options.vicinity;
  object["shape"] = NameOf(options.shape);
  object["noise"] = options.noise;
  object["points"] = options.points;
  object["labelled"] = vicinity.labelled;
  object["alpha"] = vicinity.alpha;
  object["distance_scale"] = vicinity.distance_scale;
  object["neighbours"] = vicinity.neighbours;
  object["point"] = vicinity.point.has_value() ? Json(*vicinity.point) : Json(nullptr);
  object["seed"] = vicinity.seed;
  object["rules"] = Json::array();
  for (size_t i = 0; i < options.rules.size(); ++i) {
    const auto& bits = made.divergences[i];
    Json rule;
    rule["rule"] = NameOf(options.rules[i]);
    rule["goes"] =
        vicinity.point.has_value() ? Json(made.figure.panels[i].subtitle) : Json(nullptr);
    rule["js_points_bits"] = bits ? Json(bits->points) : Json(nullptr);
    rule["js_joint_bits"] = bits ? Json(bits->joint) : Json(nullptr);
    object["rules"].push_back(rule);
  }
  return object;
}

}  // namespace

std::string CheckLabelled(const std::string& text) {
  int number = 0;
  if (text == "few" || text == "many" || text == "all" || absl::SimpleAtoi(text, &number)) {
    return "";
  }
  return absl::StrCat("'", text, "' is not few, many, all or a whole number");
}

absl::StatusOr<VicinityFigureOptions> OptionsOf(const VicinityWish& wish) {
  VicinityFigureOptions options;
  MIXFEED_RETURN_IF_ERROR(ParseName("shape", wish.shape, &options.shape));
  if (!wish.labelled.empty()) {
    const std::string wrong = CheckLabelled(wish.labelled);
    if (!wrong.empty()) return absl::InvalidArgumentError(absl::StrCat("labelled: ", wrong));
  }
  options.noise = wish.noise;
  options.points = wish.points.value_or(wish.labelled.empty() ? kDefaultPoints : kMaxToyPoints);
  options.vicinity = wish.vicinity;
  options.vicinity.labelled = LabelledOf(wish.labelled, options.points);
  if (wish.rules.empty()) return options;
  options.rules.clear();
  for (const std::string& text : wish.rules) {
    VicinityRule rule = {};
    MIXFEED_RETURN_IF_ERROR(ParseName("rules", text, &rule));
    if (std::ranges::count(options.rules, rule) == 0) options.rules.push_back(rule);
  }
  return options;
}

absl::StatusOr<Look> LookAtVicinity(const VicinityFigureOptions& options,
                                    const std::function<void(const char* rule)>& begin) {
  MIXFEED_ASSIGN_OR_RETURN(VicinityFigure made, MakeVicinityFigure(options, begin));
  Look look{.text = TableText(options, made), .json = JsonOf(options, made)};
  look.figure = std::move(made.figure);
  return look;
}

}  // namespace mixfeed
