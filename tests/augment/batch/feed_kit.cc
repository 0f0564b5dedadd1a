#include "tests/augment/batch/feed_kit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/guess/not_yet.h"
#include "augment/recipe/presets.h"
#include "augment/render/cpu_renderer.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed::testing {
namespace {

constexpr int kMostNeighbours = 5;

// Of each of `count` places those behind it, the last one's being the first.
std::shared_ptr<const NeighbourIndex> NextPlaces(int neighbours, size_t count) {
  std::vector<int32_t> places;
  for (size_t place = 0; place < count; ++place) {
    for (size_t i = 1; i <= static_cast<size_t>(neighbours); ++i) {
      places.push_back(static_cast<int32_t>((place + i) % count));
    }
  }
  return std::make_shared<const NeighbourIndex>(neighbours, std::move(places));
}

}  // namespace

void Gate::Pass() {
  MutexLock lock(&mu_);
  ++waiting_;
  changed_.NotifyAll();
  while (!open_) changed_.Wait(&mu_);
  --waiting_;
}

void Gate::Close() {
  MutexLock lock(&mu_);
  open_ = false;
}

void Gate::Open() {
  MutexLock lock(&mu_);
  open_ = true;
  changed_.NotifyAll();
}

void Gate::AwaitWaiting(int threads) {
  MutexLock lock(&mu_);
  while (waiting_ < threads) changed_.Wait(&mu_);
}

FakeModel::FakeModel(const ImageShape& shape, int classes, const std::string& environment) {
  info_.name = "fake";
  info_.kind = "fake";
  info_.version = 3;
  info_.input = shape;
  info_.classes = classes;
  info_.normalisation = *FindNormalisation("signed");
  info_.environment = environment;
}

absl::Status FakeModel::Guess(std::span<const float> views, int rows, bool /*batch_statistics*/,
                              std::span<float> probabilities) {
  const size_t classes = static_cast<size_t>(info_.classes);
  const size_t pixels = views.size() / static_cast<size_t>(rows);
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
    std::vector<double> weights(classes, 0.0);
    for (size_t i = 0; i < pixels; ++i) weights[i % classes] += views[row * pixels + i];
    double sum = 0;
    for (double& weight : weights) sum += weight = std::exp(0.2 * weight);
    for (size_t c = 0; c < classes; ++c) {
      probabilities[row * classes + c] = static_cast<float>(weights[c] / sum);
    }
  }
  ++calls_;
  gate_.Pass();
  return absl::OkStatus();
}

FeedKit::FeedKit(const FeedKitOptions& options)
    : threads(options.threads),
      renderer(MakeCpuRenderer(&threads)),
      slots(renderer.get(), options.slot_bytes),
      journal(*Journal::Open({.path = ":memory:"})),
      dataset(
          std::make_shared<Dataset>(TinyDataset(options.train, options.test, 10, options.shape))),
      model(std::make_shared<FakeModel>(options.shape, 10)) {}

FeedSpec FeedKit::Spec(const std::string& preset, int batch) const {
  FeedSpec spec;
  spec.dataset = dataset->name;
  spec.recipe = *FindPreset(preset);
  int& neighbours = spec.recipe.mix.partner.neighbours;
  neighbours = std::min(neighbours, kMostNeighbours);
  if (spec.recipe.guesses()) spec.recipe.guess.policy = WeightsPolicy::kNewest;
  spec.split.rule = spec.recipe.reads_unlabelled() ? SplitRule::kMixMatch : SplitRule::kAll;
  spec.split.labelled = 40;
  spec.split.validation = 20;
  spec.seed = 7;
  spec.batch = batch;
  return spec;
}

BatchMakerOptions FeedKit::MakerOptions(const FeedSpec& spec, const std::string& feed_id) {
  BatchMakerOptions options;
  options.spec = spec;
  options.feed_id = feed_id;
  options.dataset = dataset;
  options.split = *MakeSplit(dataset->train.labels, dataset->num_classes(), spec.split);
  const ImageSet& images = dataset->partition(PartitionOf(spec.recipe));
  const ViewSpec& view = spec.recipe.view;
  options.pool =
      *renderer->Load(*MakePool(dataset->shape, images.pixels, view.pad, view.pad_mode, &threads));
  options.renderer = renderer.get();
  options.slots = &slots;
  const int neighbours = spec.recipe.mix.partner.neighbours;
  if (neighbours > 0) options.neighbours = NextPlaces(neighbours, options.split.labelled.size());
  if (spec.recipe.guesses()) {
    const auto find_model =
        [this](const std::string&,
               const WeightsWish& wish) -> absl::StatusOr<std::shared_ptr<GuessModel>> {
      if (model == nullptr) {
        return absl::FailedPreconditionError("none; register one with `mixfeed model register`");
      }
      if (wish.kind == WeightsWish::Kind::kUpdate && wish.number > newest_update) {
        return NotYetError(absl::StrCat("update ", wish.number, " of the model is missing"));
      }
      return model;
    };
    options.guesser = std::make_unique<Guesser>(spec.recipe.guess, find_model, journal.get());
  }
  return options;
}

std::shared_ptr<const BatchMaker> FeedKit::Maker(const FeedSpec& spec, const std::string& feed_id) {
  absl::StatusOr<std::unique_ptr<BatchMaker>> maker =
      BatchMaker::Create(MakerOptions(spec, feed_id));
  EXPECT_TRUE(maker.ok()) << maker.status();
  return maker.ok() ? *std::move(maker) : nullptr;
}

std::string ContentsOf(const Batch& batch) {
  std::string contents = absl::StrCat("step ", batch.step);
  for (size_t r = 0; r < batch.rows.size(); ++r) {
    const ViewPlan& row = batch.rows[r];
    absl::StrAppend(&contents, " row ", batch.row_index[r], " ", row.sample, " ",
                    static_cast<int>(row.pool), " ", row.view, " ", batch.partner[r], " ",
                    batch.lambda[r]);
  }
  contents.append(reinterpret_cast<const char*>(batch.pixels.data()), batch.pixels.size());
  contents.append(reinterpret_cast<const char*>(batch.targets.data()), batch.targets.size_bytes());
  return contents;
}

}  // namespace mixfeed::testing
