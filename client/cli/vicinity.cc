#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <span>
#include <sstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "augment/figure/vicinity_figure.h"
#include "augment/recipe/enum_names.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/cli/json.h"
#include "client/cli/picture.h"

namespace mixfeed {
namespace {

constexpr int kDefaultPoints = 300;
constexpr int kFewLabelled = 20;
constexpr int kManyLabelled = 1000;
constexpr double kMaxDistanceScale = 1000;

template <typename Enum>
std::vector<std::string> TextsOf() {
  const std::span<const char* const> names = NamesOf(Enum());
  return {names.begin(), names.end()};
}

// Of a text that TextsOf has.
template <typename Enum>
Enum ValueOf(const std::string& text) {
  const std::vector<std::string> texts = TextsOf<Enum>();
  return static_cast<Enum>(std::find(texts.begin(), texts.end(), text) - texts.begin());
}

// For CLI11: what is wrong with a --labelled text, or nothing. How many points there are is known
// later.
std::string CheckLabelled(const std::string& text) {
  int number = 0;
  if (text == "few" || text == "many" || text == "all" || absl::SimpleAtoi(text, &number)) {
    return "";
  }
  return absl::StrCat("'", text, "' is not few, many, all or a whole number");
}

int LabelledOf(const std::string& text, int points) {
  if (text.empty() || text == "all") return points;
  if (text == "few") return kFewLabelled;
  if (text == "many") return kManyLabelled;
  int number = 0;
  return absl::SimpleAtoi(text, &number) ? number : 0;
}

class Vicinity final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    AddSetFlags(app);
    app->add_option("--rules", rules_, "the panels, with commas; default: all, in this order")
        ->delimiter(',')
        ->check(CLI::IsMember(TextsOf<VicinityRule>()))
        ->type_name("RULE,RULE,...");
    app->add_option("--alpha", vicinity_.alpha, "lambda is drawn from Beta(A, A), 0.01..100")
        ->check(InRange(kMinAlpha, kMaxAlpha))
        ->type_name("A")
        ->capture_default_str();
    app->add_option("--distance-alpha", vicinity_.distance_scale,
                    "a pair's alpha is A * exp(-distance / SCALE), so that only near points are "
                    "mixed much; 0 (the default): A for all; at most 1000")
        ->check(InRange(0, kMaxDistanceScale))
        ->type_name("SCALE");
    app->add_option("--neighbours", vicinity_.neighbours, "k of k-nearest, from 1 up")
        ->type_name("K")
        ->capture_default_str();
    app->add_option("--point", vicinity_.point,
                    "draw only where this labelled point can go, from 0 up; no divergence then")
        ->type_name("INDEX");
    picture_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    const VicinityFigureOptions options = Options();
    Progress progress(console, static_cast<int>(options.rules.size()));
    const auto made = MakeVicinityFigure(options, [&](const char* rule) { progress.Begin(rule); });
    if (!made.ok()) {
      return absl::Status(made.status().code(), absl::StrCat("--", made.status().message()));
    }
    return picture_.Show(made->figure, TableText(options, *made), JsonOf(options, *made), console);
  }

 private:
  void AddSetFlags(CLI::App* app) {
    app->add_option("--shape", shape_, "the toy set's two classes")
        ->check(CLI::IsMember(TextsOf<ToyShape>()))
        ->capture_default_str();
    app->add_option("--noise", noise_, "standard deviation about the shape, 0..1")
        ->check(InRange(0, kMaxToyNoise))
        ->capture_default_str();
    app->add_option("--points", points_,
                    "of the toy set, 2..10000; default 300, or 10000 with --labelled")
        ->check(CLI::Range(kMinToyPoints, kMaxToyPoints));
    app->add_option("--labelled", labelled_,
                    "how many of the points have labels: few (20), many (1000), all (the default) "
                    "or a number; the others can only be partners of label-preserving")
        ->check(CheckLabelled)
        ->type_name("few|many|all|N");
    app->add_option("--seed", vicinity_.seed, "of everything random")->capture_default_str();
  }

  VicinityFigureOptions Options() const {
    VicinityFigureOptions options;
    options.shape = ValueOf<ToyShape>(shape_);
    options.noise = noise_;
    options.points = points_.value_or(labelled_.empty() ? kDefaultPoints : kMaxToyPoints);
    options.vicinity = vicinity_;
    options.vicinity.labelled = LabelledOf(labelled_, options.points);
    if (rules_.empty()) return options;
    options.rules.clear();
    for (const std::string& rule : rules_) options.rules.push_back(ValueOf<VicinityRule>(rule));
    return options;
  }

  static std::string TableText(const VicinityFigureOptions& options, const VicinityFigure& made) {
    TextTable table({"rule", "JS of points", "JS of points and labels (bits)"});
    for (size_t i = 0; i < options.rules.size(); ++i) {
      const auto& bits = made.divergences[i];
      const auto text = [](double value) { return absl::StrFormat("%.4f", value); };
      table.Add({NameOf(options.rules[i]), bits ? text(bits->points) : "-",
                 bits ? text(bits->joint) : "-"});
    }
    std::ostringstream out;
    table.Print(out);
    return out.str();
  }

  static Json JsonOf(const VicinityFigureOptions& options, const VicinityFigure& made) {
    Json object;
    object["shape"] = NameOf(options.shape);
    object["points"] = options.points;
    object["labelled"] = options.vicinity.labelled;
    object["alpha"] = options.vicinity.alpha;
    object["seed"] = options.vicinity.seed;
    object["rules"] = Json::array();
    for (size_t i = 0; i < options.rules.size(); ++i) {
      const auto& bits = made.divergences[i];
      Json rule;
      rule["rule"] = NameOf(options.rules[i]);
      rule["js_points_bits"] = bits ? Json(bits->points) : Json(nullptr);
      rule["js_joint_bits"] = bits ? Json(bits->joint) : Json(nullptr);
      object["rules"].push_back(rule);
    }
    return object;
  }

  PictureFlags picture_;
  std::string shape_ = "moons";
  double noise_ = VicinityFigureOptions().noise;
  std::optional<int> points_;
  std::string labelled_;
  std::vector<std::string> rules_;
  VicinityOptions vicinity_;
};

}  // namespace

std::unique_ptr<Command> MakeVicinity() { return std::make_unique<Vicinity>(); }

}  // namespace mixfeed
