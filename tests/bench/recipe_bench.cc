// Finished batches of every preset on one core, 64 labelled images of CIFAR's size at a time,
// without a transport and without a guess model's forward passes: guesses are in the journal before
// the clock starts, reading them there counts.
//
//   recipe_bench [--check] [RECIPE...]
//
// Those recipes beside plain mixup, or all of them; uint8 batches, then float32 ones.
//
//   sources     images that a finished row is made of, counted in the plans of the steps measured
//   images/s    finished rows a second, median of the rounds
//   vs mixup    images read (images/s * sources) against those of plain mixup, measured right
//               before; median of the rounds: what a recipe's own rules cost beyond its pixels. The
//               goal is 0.75, with --check exits with 1 below it. Views that are resampled have a
//               goal of their own elsewhere and are listed only
//   limit       what `vs mixup` would be if nothing were done but to move the recipe's bytes,
//   measured
//               with it: the crop of every image that a step reads is copied once from a padded
//               pool, the next one's lines asked for ahead, and every row is written once from the
//               cache.
//               A row of one image writes as much as one of two, and a partner from outside the
//               batch is one more image to fetch: below 0.75 / 0.8, say, the goal needs more than a
//               maker that keeps up with the memory
//   vs naive    images/s against the pixels alone of the first step by plain loops in double
//               precision

#include <linux/mman.h>  // MADV_COLLAPSE, which glibc 2.36 does not know
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <set>
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
constexpr int64_t kSteps = 60;  // a round, the same in all rounds
constexpr size_t kRounds = 15;
constexpr double kGoal = 0.75;
constexpr const char* kYardstick = "mixup";
constexpr FeedKitOptions kOptions = {.shape = {}, .train = 50'000, .test = 64, .threads = 1};

// What a step moves at least: the images to fetch for each row that no row before it has fetched.
using Fetches = std::vector<std::vector<int32_t>>;

struct Subject {
  const Preset* preset = nullptr;
  std::shared_ptr<const BatchMaker> maker;
  std::vector<Fetches> steps;
  double sources = 0;
  double rows = 0;  // of all steps together
  double naive_rate = 0;
};

// Of a subject's rounds, medians.
struct Measured {
  double rate = 0;      // rows a second
  double vs_mixup = 0;  // images read
  double limit = 0;     // of vs_mixup
};

// A pool of padded images in huge pages, as the renderer's is, and room for a batch.
class Mover {
 public:
  Mover(const Dataset& dataset, int pad)
      : shape_(dataset.shape),
        stride_(static_cast<size_t>(shape_.width + 2 * pad)),
        plane_bytes_(stride_ * static_cast<size_t>(shape_.height + 2 * pad)),
        first_byte_(static_cast<size_t>(pad) * (stride_ + 1)) {
    const size_t images = dataset.train.labels.size();
    const size_t bytes = images * plane_bytes_ * static_cast<size_t>(shape_.channels);
    const size_t rounded = (bytes / kHugePage + 1) * kHugePage;
    pool_.reset(static_cast<uint8_t*>(std::aligned_alloc(kHugePage, rounded)));
    (void)madvise(pool_.get(), rounded, MADV_HUGEPAGE);
    std::memset(pool_.get(), 1, rounded);
#if defined(MADV_COLLAPSE)
    (void)madvise(pool_.get(), rounded, MADV_COLLAPSE);
#endif
  }

  // Moves the bytes of one step.
  void Move(const Fetches& rows, PixelType type) {
    const size_t row_bytes =
        static_cast<size_t>(shape_.pixels()) * (type == PixelType::kUint8 ? 1 : sizeof(float));
    out_.resize(rows.size() * row_bytes);
    row_.resize(std::max(row_bytes, plane_bytes_ * static_cast<size_t>(shape_.channels)));
    for (size_t r = 0; r < rows.size(); ++r) {
      const bool has_next = r + 1 < rows.size() && !rows[r + 1].empty();
      const int32_t next = has_next ? rows[r + 1][0] : rows[0][0];
      for (const int32_t image : rows[r]) Fetch(image, next);
      std::memcpy(out_.data() + r * row_bytes, row_.data(), row_bytes);
    }
  }

 private:
  static constexpr size_t kHugePage = size_t{2} << 20;

  // Copies the lines of the crop in the middle, one at a time, and asks for those of `next`.
  void Fetch(int32_t image, int32_t next) {
    for (size_t c = 0; c < static_cast<size_t>(shape_.channels); ++c) {
      const uint8_t* from = PlaneOf(image, c);
      const uint8_t* ahead = PlaneOf(next, c);
      uint8_t* to = row_.data() + c * plane_bytes_;
      for (int y = 0; y < shape_.height; ++y, from += stride_, ahead += stride_, to += stride_) {
        __builtin_prefetch(ahead);
        std::memcpy(to, from, static_cast<size_t>(shape_.width));
      }
    }
  }
  const uint8_t* PlaneOf(int32_t image, size_t c) const {
    const size_t plane = static_cast<size_t>(image) * static_cast<size_t>(shape_.channels) + c;
    return pool_.get() + plane * plane_bytes_ + first_byte_;
  }

  struct Free {
    void operator()(uint8_t* data) const { std::free(data); }
  };
  const ImageShape shape_;
  const size_t stride_;       // of a line of the padded image
  const size_t plane_bytes_;  // of one of its channels
  const size_t first_byte_;   // of the crop in the middle
  std::unique_ptr<uint8_t, Free> pool_;
  std::vector<uint8_t> out_;
  std::vector<uint8_t> row_;
};

BatchFormat FormatOf(PixelType type) {
  PixelFormat format;
  format.type = type;
  return format;
}

double Median(std::array<double, kRounds> values) {
  std::sort(values.begin(), values.end());
  return values[kRounds / 2];
}

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

absl::Status MakeSteps(const BatchMaker& maker, PixelType type) {
  for (int64_t step = 0; step < kSteps; ++step) {
    MIXFEED_RETURN_IF_ERROR(maker.Make(step, FormatOf(type), Share()).status());
  }
  return absl::OkStatus();
}

Fetches FetchesOf(const Plan& plan) {
  Fetches fetches(static_cast<size_t>(plan.size()));
  std::set<int32_t> known;
  for (size_t r = 0; r < fetches.size(); ++r) {
    const auto fetch = [&](int32_t row) {
      const int32_t sample = plan.rows[static_cast<size_t>(row)].sample;
      if (known.insert(sample).second) fetches[r].push_back(sample);
    };
    fetch(static_cast<int32_t>(r));
    if (plan.layer != 0) continue;
    fetch(plan.partner[r]);
    for (size_t at = r; at < plan.more_partners.size(); at += fetches.size()) {
      fetch(plan.more_partners[at]);
    }
  }
  return fetches;
}

absl::Status CountRows(Subject* subject) {
  double sources = 0;
  for (int64_t step = 0; step < kSteps; ++step) {
    MIXFEED_ASSIGN_OR_RETURN(const Plan plan, subject->maker->MakePlan(step));
    for (size_t row = 0; row < static_cast<size_t>(plan.size()); ++row) {
      sources += SourcesOf(plan, row);
    }
    subject->rows += plan.size();
    subject->steps.push_back(FetchesOf(plan));
  }
  subject->sources = sources / subject->rows;
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

absl::Status MeasureNaive(const FeedKit& kit, Subject* subject) {
  const ViewSpec& view = subject->maker->spec().recipe.view;
  const NaiveSource source = {kit.dataset->shape, kit.dataset->train.pixels, view.pad,
                              view.pad_mode};
  MIXFEED_ASSIGN_OR_RETURN(const Plan plan, subject->maker->MakePlan(0));
  const std::vector<WeightedView> further = FurtherViews(plan);
  const std::vector<RenderRow> rows = RowsOf(plan, further);
  const auto render = [&] {
    const bool made = !RenderNaively(source, rows, Normalisation()).empty();
    return made ? absl::OkStatus() : absl::InternalError("the naive renderer made nothing");
  };
  MIXFEED_ASSIGN_OR_RETURN(const double seconds, Seconds(render));
  subject->naive_rate = static_cast<double>(rows.size()) / seconds;
  return absl::OkStatus();
}

bool IsWanted(const Preset& preset, std::span<const std::string> wanted) {
  if (preset.make().rows == RowSource::kOrdered) return false;  // ends after one pass
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), preset.name) != wanted.end();
}

absl::StatusOr<Subject> SubjectOf(const Preset& preset, FeedKit* kit, Pools* pools) {
  Subject subject;
  subject.preset = &preset;
  MIXFEED_ASSIGN_OR_RETURN(subject.maker, MakerOf(preset, kit, pools));
  MIXFEED_RETURN_IF_ERROR(CountRows(&subject));
  MIXFEED_RETURN_IF_ERROR(MeasureNaive(*kit, &subject));
  return subject;
}

absl::StatusOr<Measured> Measure(const Subject& subject, const Subject& yardstick, PixelType type,
                                 const Dataset& dataset) {
  Mover mover(dataset, subject.maker->spec().recipe.view.pad);
  // Puts the guesses into the journal.
  MIXFEED_RETURN_IF_ERROR(MakeSteps(*subject.maker, type));
  std::array<double, kRounds> rates;
  std::array<double, kRounds> ratios;
  std::array<double, kRounds> limits;
  for (size_t round = 0; round < kRounds; ++round) {
    MIXFEED_ASSIGN_OR_RETURN(const double yardstick_seconds,
                             Seconds([&] { return MakeSteps(*yardstick.maker, type); }));
    MIXFEED_ASSIGN_OR_RETURN(const double seconds,
                             Seconds([&] { return MakeSteps(*subject.maker, type); }));
    rates[round] = subject.rows / seconds;
    const auto move = [&] {
      for (const Fetches& step : subject.steps) mover.Move(step, type);
      return absl::OkStatus();
    };
    MIXFEED_ASSIGN_OR_RETURN(const double move_seconds, Seconds(move));
    const double mixup_rate = yardstick.rows / yardstick_seconds * yardstick.sources;
    ratios[round] = rates[round] * subject.sources / mixup_rate;
    limits[round] = subject.rows / move_seconds * subject.sources / mixup_rate;
  }
  return Measured{Median(rates), Median(ratios), Median(limits)};
}

// Returns whether every goal is reached.
absl::StatusOr<bool> MeasureAll(std::span<const Subject> subjects, const Subject& yardstick,
                                PixelType type, const Dataset& dataset) {
  bool reached = true;
  std::printf("%-30s %8s %10s %9s %9s %9s\n", type == PixelType::kUint8 ? "uint8" : "float32",
              "sources", "images/s", "vs mixup", "limit", "vs naive");
  for (const Subject& subject : subjects) {
    MIXFEED_ASSIGN_OR_RETURN(const Measured measured, Measure(subject, yardstick, type, dataset));
    const bool listed_only = subject.preset->make().view.warp.resamples();
    const bool missed = !listed_only && measured.vs_mixup < kGoal;
    std::printf("%-30s %8.2f %10.0f %9.2f %9.2f %9.1f%s\n", subject.preset->name, subject.sources,
                measured.rate, measured.vs_mixup, measured.limit,
                measured.rate / subject.naive_rate, missed ? "  missed" : "");
    reached = reached && !missed;
  }
  return reached;
}

absl::StatusOr<bool> Run(std::span<const std::string> wanted) {
  FeedKit kit(kOptions);
  Pools pools;
  MIXFEED_ASSIGN_OR_RETURN(const Preset* mixup, FindPresetEntry(kYardstick));
  MIXFEED_ASSIGN_OR_RETURN(const Subject yardstick, SubjectOf(*mixup, &kit, &pools));
  std::vector<Subject> subjects;
  for (const Preset& preset : Presets()) {
    if (!IsWanted(preset, wanted)) continue;
    MIXFEED_ASSIGN_OR_RETURN(Subject subject, SubjectOf(preset, &kit, &pools));
    subjects.push_back(std::move(subject));
  }
  MIXFEED_ASSIGN_OR_RETURN(const bool uint8,
                           MeasureAll(subjects, yardstick, PixelType::kUint8, *kit.dataset));
  MIXFEED_ASSIGN_OR_RETURN(const bool float32,
                           MeasureAll(subjects, yardstick, PixelType::kFloat32, *kit.dataset));
  return uint8 && float32;
}

}  // namespace
}  // namespace mixfeed::testing

int main(int argc, char** argv) {
  std::vector<std::string> wanted(argv + 1, argv + argc);
  const bool check = !wanted.empty() && wanted.front() == "--check";
  if (check) wanted.erase(wanted.begin());
  for (const std::string& name : wanted) {
    const auto preset = mixfeed::FindPresetEntry(name);
    if (!preset.ok() || (*preset)->make().rows == mixfeed::RowSource::kOrdered) {
      const std::string why = preset.ok() ? name + " ends after one pass and cannot be measured"
                                          : std::string(preset.status().message());
      std::fprintf(stderr, "recipe_bench [--check] [RECIPE...]: %s\n", why.c_str());
      return 2;
    }
  }
  const absl::StatusOr<bool> reached = mixfeed::testing::Run(wanted);
  if (!reached.ok()) {
    std::fprintf(stderr, "recipe_bench: %s\n", reached.status().ToString().c_str());
    return 2;
  }
  return check && !*reached ? 1 : 0;
}
