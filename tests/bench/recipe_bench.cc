// Finished float32 batches of every preset on one core, 64 labelled images of CIFAR's size at a
// time, without a transport and without a guess model's forward passes: guesses are in the journal
// before the clock starts, reading them there counts.
//
//   recipe_bench [--check] [RECIPE...]
//
// Those recipes beside plain mixup, or all of them.
//
//   sources     images that a finished row is made of, counted in the plans of the steps measured
//   images/s    finished rows a second, median of the rounds; presets take turns
//   vs mixup    images read (images/s * sources) against plain mixup's: what a recipe's own rules
//               cost beyond its pixels; goal: 0.75, with --check exits with 1 below it. Views that
//               are resampled have a goal of their own elsewhere and are listed only
//   vs naive    images/s against the pixels alone of the first step by plain loops in double
//               precision

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/base/status_macros.h"
#include "augment/neighbour/neighbour_index.h"
#include "augment/recipe/presets.h"
#include "tests/augment/batch/feed_kit.h"
#include "tests/testing/naive_renderer.h"

namespace mixfeed::testing {
namespace {

constexpr int kBatch = 64;
constexpr int kLabelled = 250;
constexpr int64_t kSteps = 100;  // a round, the same in all rounds
constexpr size_t kRounds = 7;
constexpr double kGoal = 0.75;
constexpr const char* kYardstick = "mixup";
constexpr FeedKitOptions kOptions = {.shape = {}, .train = 50'000, .test = 64, .threads = 1};

struct Measured {
  const Preset* preset = nullptr;
  std::shared_ptr<const BatchMaker> maker;
  double sources = 0;
  double rows = 0;  // of all steps together
  std::array<double, kRounds> seconds = {};
  double naive_rate = 0;

  double rate() const {
    std::array<double, kRounds> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return rows / sorted[kRounds / 2];
  }
};

absl::StatusOr<double> Seconds(const std::function<absl::Status()>& body) {
  const auto start = std::chrono::steady_clock::now();
  MIXFEED_RETURN_IF_ERROR(body());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Neighbours as far apart in memory as real ones: batches cost the same, and nothing is searched.
std::shared_ptr<const NeighbourIndex> SpreadNeighbours(int k, size_t count) {
  std::vector<int32_t> places(count * static_cast<size_t>(k));
  for (size_t i = 0; i < places.size(); ++i) {
    places[i] = static_cast<int32_t>((i * 7919 + 1) % count);
  }
  return std::make_shared<NeighbourIndex>(k, std::move(places));
}

// By padding: each is a quarter of a gigabyte, and few paddings serve all presets.
using Pools = std::map<std::pair<int, PadMode>, std::shared_ptr<const ResidentPool>>;

absl::StatusOr<std::shared_ptr<const BatchMaker>> MakerOf(const Preset& preset, FeedKit* kit,
                                                          Pools* pools) {
  FeedSpec spec = kit->Spec(preset.name, kBatch);
  spec.split.labelled = kLabelled;
  BatchMakerOptions options = kit->MakerOptions(spec, preset.name);
  const ViewSpec& view = spec.recipe.view;
  options.pool = pools->try_emplace({view.pad, view.pad_mode}, options.pool).first->second;
  if (const int k = spec.recipe.mix.partner.neighbours; k > 0) {
    options.neighbours = SpreadNeighbours(k, options.split.labelled.size());
  }
  MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<BatchMaker> maker,
                           BatchMaker::Create(std::move(options)));
  return std::shared_ptr<const BatchMaker>(std::move(maker));
}

int SourcesOf(const Plan& plan, size_t row) {
  const bool mixed = plan.layer == 0 && plan.partner[row] != static_cast<int32_t>(row);
  if (!mixed) return 1;
  const auto further = plan.more_partners.size() / static_cast<size_t>(plan.size());
  return 2 + static_cast<int>(further);
}

// Makes every step once, so that its guess is in the journal.
absl::Status Prepare(Measured* measured) {
  double sources = 0;
  for (int64_t step = 0; step < kSteps; ++step) {
    MIXFEED_ASSIGN_OR_RETURN(const Plan plan, measured->maker->MakePlan(step));
    for (size_t row = 0; row < static_cast<size_t>(plan.size()); ++row) {
      sources += SourcesOf(plan, row);
    }
    measured->rows += plan.size();
    MIXFEED_RETURN_IF_ERROR(measured->maker->Make(step, BatchFormat(), Share()).status());
  }
  measured->sources = sources / measured->rows;
  return absl::OkStatus();
}

absl::Status MakeSteps(const BatchMaker& maker) {
  for (int64_t step = 0; step < kSteps; ++step) {
    MIXFEED_RETURN_IF_ERROR(maker.Make(step, BatchFormat(), Share()).status());
  }
  return absl::OkStatus();
}

// The further images of every row, one row's after another's.
std::vector<WeightedView> FurtherViews(const Plan& plan) {
  const auto sent = static_cast<size_t>(plan.size());
  std::vector<WeightedView> views;
  for (size_t r = 0; r < sent; ++r) {
    for (size_t at = r; at < plan.more_partners.size(); at += sent) {
      views.push_back({ViewOf(plan, plan.more_partners[at]), plan.more_weights[at]});
    }
  }
  return views;
}

// Points into the plan and `further`.
std::vector<RenderRow> RowsOf(const Plan& plan, std::span<const WeightedView> further) {
  std::vector<RenderRow> rows(static_cast<size_t>(plan.size()));
  const size_t each = further.size() / rows.size();
  for (size_t r = 0; r < rows.size(); ++r) {
    rows[r].a = rows[r].b = ViewOf(plan, static_cast<int32_t>(r));
    if (plan.layer != 0) continue;
    rows[r].b = ViewOf(plan, plan.partner[r]);
    rows[r].lambda = plan.lambda[r];
    if (!plan.box.empty()) rows[r].box = plan.box[r];
    rows[r].more = further.subspan(r * each, each);
  }
  return rows;
}

absl::Status MeasureNaive(const FeedKit& kit, Measured* measured) {
  const ViewSpec& view = measured->maker->spec().recipe.view;
  const NaiveSource source = {kit.dataset->shape, kit.dataset->train.pixels, view.pad,
                              view.pad_mode};
  MIXFEED_ASSIGN_OR_RETURN(const Plan plan, measured->maker->MakePlan(0));
  const std::vector<WeightedView> further = FurtherViews(plan);
  const std::vector<RenderRow> rows = RowsOf(plan, further);
  const auto render = [&] {
    const bool made = !RenderNaively(source, rows, Normalisation()).empty();
    return made ? absl::OkStatus() : absl::InternalError("the naive renderer made nothing");
  };
  MIXFEED_ASSIGN_OR_RETURN(const double seconds, Seconds(render));
  measured->naive_rate = static_cast<double>(rows.size()) / seconds;
  return absl::OkStatus();
}

bool IsWanted(const Preset& preset, std::span<const std::string> wanted) {
  if (preset.make().rows == RowSource::kOrdered) return false;  // ends after one pass
  return wanted.empty() || preset.name == std::string(kYardstick) ||
         std::find(wanted.begin(), wanted.end(), preset.name) != wanted.end();
}

absl::StatusOr<std::vector<Measured>> MeasureAll(FeedKit* kit,
                                                 std::span<const std::string> wanted) {
  Pools pools;
  std::vector<Measured> all;
  for (const Preset& preset : Presets()) {
    if (!IsWanted(preset, wanted)) continue;
    Measured measured;
    measured.preset = &preset;
    MIXFEED_ASSIGN_OR_RETURN(measured.maker, MakerOf(preset, kit, &pools));
    MIXFEED_RETURN_IF_ERROR(Prepare(&measured));
    MIXFEED_RETURN_IF_ERROR(MeasureNaive(*kit, &measured));
    all.push_back(std::move(measured));
  }
  for (size_t round = 0; round < kRounds; ++round) {
    for (Measured& measured : all) {
      MIXFEED_ASSIGN_OR_RETURN(measured.seconds[round],
                               Seconds([&] { return MakeSteps(*measured.maker); }));
    }
  }
  return all;
}

// Returns whether every goal is reached.
bool Print(const std::vector<Measured>& all) {
  const auto yardstick = std::find_if(all.begin(), all.end(), [](const Measured& measured) {
    return std::string(measured.preset->name) == kYardstick;
  });
  const double read = yardstick->rate() * yardstick->sources;
  bool reached = true;
  std::printf("%-30s %8s %10s %9s %9s\n", "recipe", "sources", "images/s", "vs mixup", "vs naive");
  for (const Measured& measured : all) {
    const double ratio = measured.rate() * measured.sources / read;
    const bool listed_only = measured.preset->make().view.warp.resamples();
    const bool missed = !listed_only && ratio < kGoal;
    std::printf("%-30s %8.2f %10.0f %9.2f %9.1f%s\n", measured.preset->name, measured.sources,
                measured.rate(), ratio, measured.rate() / measured.naive_rate,
                missed ? "  missed" : "");
    reached = reached && !missed;
  }
  return reached;
}

int Run(bool check, std::span<const std::string> wanted) {
  FeedKit kit(kOptions);
  const absl::StatusOr<std::vector<Measured>> all = MeasureAll(&kit, wanted);
  if (!all.ok()) {
    std::fprintf(stderr, "recipe_bench: %s\n", all.status().ToString().c_str());
    return 2;
  }
  return !Print(*all) && check ? 1 : 0;
}

}  // namespace
}  // namespace mixfeed::testing

int main(int argc, char** argv) {
  std::vector<std::string> wanted(argv + 1, argv + argc);
  const bool check = !wanted.empty() && wanted.front() == "--check";
  if (check) wanted.erase(wanted.begin());
  for (const std::string& name : wanted) {
    const absl::Status known = mixfeed::FindPresetEntry(name).status();
    if (!known.ok()) {
      std::fprintf(stderr, "recipe_bench [--check] [RECIPE...]: %s\n", known.ToString().c_str());
      return 2;
    }
  }
  return mixfeed::testing::Run(check, wanted);
}
