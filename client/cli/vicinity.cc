#include "client/look/vicinity.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/cli/picture.h"

namespace mixfeed {
namespace {

constexpr double kMaxDistanceScale = 1000;

std::vector<std::string> TextsOf(std::span<const char* const> names) {
  return {names.begin(), names.end()};
}

class Vicinity final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    AddSetFlags(app);
    app->add_option("--rules", wish_.rules,
                    "the panels, with commas, each once; default: all, in this order")
        ->delimiter(',')
        ->check(CLI::IsMember(TextsOf(NamesOf(VicinityRule()))))
        ->type_name("RULE,RULE,...");
    app->add_option("--alpha", wish_.vicinity.alpha, "lambda is drawn from Beta(A, A), 0.01..100")
        ->check(InRange(kMinAlpha, kMaxAlpha))
        ->type_name("A")
        ->capture_default_str();
    app->add_option("--distance-alpha", wish_.vicinity.distance_scale,
                    "a pair's alpha is A * exp(-distance / SCALE), so that only near points are "
                    "mixed much; 0 (the default): A for all; at most 1000")
        ->check(InRange(0, kMaxDistanceScale))
        ->type_name("SCALE");
    app->add_option("--neighbours", wish_.vicinity.neighbours, "k of k-nearest, from 1 up")
        ->check(WholeInRange(1, INT32_MAX))
        ->type_name("K")
        ->capture_default_str();
    app->add_option("--point", wish_.vicinity.point,
                    "draw only where this labelled point can go, from 0 up; no divergence then")
        ->check(WholeInRange(0, INT32_MAX))
        ->type_name("INDEX");
    picture_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    const absl::StatusOr<Look> look = MakeLook(console);
    if (look.ok()) return picture_.Show(*look, console);
    return absl::Status(look.status().code(), absl::StrCat("--", look.status().message()));
  }

 private:
  absl::StatusOr<Look> MakeLook(Console* console) const {
    MIXFEED_ASSIGN_OR_RETURN(const VicinityFigureOptions options, OptionsOf(wish_));
    Progress progress(console, static_cast<int>(options.rules.size()));
    return LookAtVicinity(options, [&](const char* rule) { progress.Begin(rule); });
  }

  void AddSetFlags(CLI::App* app) {
    app->add_option("--shape", wish_.shape, "the toy set's two classes")
        ->check(CLI::IsMember(TextsOf(NamesOf(ToyShape()))))
        ->capture_default_str();
    app->add_option("--noise", wish_.noise, "standard deviation about the shape, 0..1")
        ->check(InRange(0, kMaxToyNoise))
        ->capture_default_str();
    app->add_option("--points", wish_.points,
                    "of the toy set, 2..10000; default 300, or 10000 with --labelled")
        ->check(WholeInRange(kMinToyPoints, kMaxToyPoints));
    app->add_option("--labelled", wish_.labelled,
                    "how many of the points have labels: few (20), many (1000), all (the default) "
                    "or a number; the others can only be partners of label-preserving")
        ->check(CheckLabelled)
        ->type_name("few|many|all|N");
    app->add_option("--seed", wish_.vicinity.seed, "of everything random, from 0 up")
        ->check(WholeFrom(0))
        ->capture_default_str();
  }

  PictureFlags picture_;
  VicinityWish wish_;
};

}  // namespace

std::unique_ptr<Command> MakeVicinity() { return std::make_unique<Vicinity>(); }

}  // namespace mixfeed
