#include "augment/batch/batch_maker.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/target/target.h"

namespace mixfeed {
namespace {

absl::Status CheckPool(const BatchMakerOptions& options) {
  const ResidentPool& pool = *options.pool;
  const Dataset& dataset = *options.dataset;
  const int64_t images = dataset.partition(PartitionOf(options.spec.recipe)).count();
  if (!(pool.shape() == dataset.shape) || pool.count() != images) {
    return absl::InvalidArgumentError(
        absl::StrCat("pool: ", pool.count(), " images of another partition or dataset than \"",
                     dataset.name, "\" with ", images));
  }
  if (pool.pad() != options.spec.recipe.view.pad) {
    return absl::InvalidArgumentError(absl::StrCat(
        "pool: padded by ", pool.pad(), ", the recipe asks for ", options.spec.recipe.view.pad));
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const BatchMakerOptions& options) {
  if (options.dataset == nullptr || options.pool == nullptr || options.renderer == nullptr ||
      options.slots == nullptr) {
    return absl::InvalidArgumentError("a batch maker needs dataset, pool, renderer and slots");
  }
  if ((options.guesser != nullptr) != options.spec.recipe.guesses()) {
    return absl::InvalidArgumentError("guesser: needed exactly when the recipe guesses");
  }
  return CheckPool(options);
}

// The rows of `share` and what the plan says of them.
void TakeRows(const Plan& plan, const Share& share, Batch* batch) {
  batch->row_index = RowsOfShare(plan, share);
  for (const int32_t index : batch->row_index) {
    const size_t row = static_cast<size_t>(index);
    batch->rows.push_back(plan.rows[row]);
    batch->partner.push_back(plan.partner[row]);
    batch->lambda.push_back(plan.lambda[row]);
  }
}

// GuessOrigin.confidence.
float Confidence(const StepGuess& guess) {
  double sum = 0;
  for (auto image = guess.probabilities.begin(); image != guess.probabilities.end();
       image += guess.classes) {
    sum += *std::max_element(image, image + guess.classes);
  }
  return static_cast<float>(sum / guess.rows);
}

}  // namespace

RenderView ViewOf(const ViewPlan& plan) {
  return {.image = plan.sample, .crop_y = plan.crop_y, .crop_x = plan.crop_x, .flip = plan.flip};
}

Partition PartitionOf(const Recipe& recipe) {
  const bool test = recipe.rows == RowSource::kOrdered && recipe.ordered_pool == PoolId::kTest;
  return test ? Partition::kTest : Partition::kTrain;
}

absl::StatusOr<std::unique_ptr<BatchMaker>> BatchMaker::Create(BatchMakerOptions options) {
  MIXFEED_RETURN_IF_ERROR(CheckOptions(options));
  MIXFEED_ASSIGN_OR_RETURN(
      std::unique_ptr<Planner> planner,
      Planner::Create(options.spec, options.split, options.dataset->test.count()));
  return std::unique_ptr<BatchMaker>(new BatchMaker(std::move(options), std::move(planner)));
}

BatchMaker::BatchMaker(BatchMakerOptions options, std::unique_ptr<Planner> planner)
    : options_(std::move(options)), planner_(std::move(planner)) {}

absl::Status BatchMaker::CheckShare(const Share& share) const {
  if (share.world < 1 || options_.spec.batch % share.world != 0) {
    return FieldError("world", absl::StrCat(share.world),
                      absl::StrCat("the divisors of the batch of ", options_.spec.batch));
  }
  return CheckRange("rank", share.rank, 0, share.world - 1);
}

int64_t BatchMaker::SlotBytes(const PixelFormat& format, const Share& share) const {
  const size_t rows = static_cast<size_t>(options_.spec.rows() / share.world);
  const size_t classes = static_cast<size_t>(dataset().num_classes());
  return static_cast<int64_t>(
      RoundUpToSlotAlignment(rows * ImageBytes(dataset().shape, format.type)) +
      RoundUpToSlotAlignment(rows * classes * sizeof(float)));
}

absl::StatusOr<std::shared_ptr<const Batch>> BatchMaker::Make(int64_t step,
                                                              const PixelFormat& format,
                                                              const Share& share,
                                                              SlotPool* slots) const {
  MIXFEED_RETURN_IF_ERROR(ValidatePixelFormat(format, dataset().shape.channels));
  MIXFEED_RETURN_IF_ERROR(CheckShare(share));
  MIXFEED_ASSIGN_OR_RETURN(const Plan plan, MakePlan(step));
  auto batch = std::make_shared<Batch>();
  batch->step = step;
  batch->shape = dataset().shape;
  batch->format = format;
  batch->classes = dataset().num_classes();
  TakeRows(plan, share, batch.get());
  StepGuess guess;
  if (options_.spec.recipe.guesses()) {
    MIXFEED_ASSIGN_OR_RETURN(guess, Guess(plan));
    batch->guess = GuessOrigin{.model = guess.model,
                               .version = guess.model_version,
                               .age = guess.age,
                               .environment = guess.environment,
                               .environment_changed = guess.environment_changed,
                               .confidence = Confidence(guess)};
  }
  MIXFEED_RETURN_IF_ERROR(
      FillSlot(plan, guess, slots != nullptr ? slots : options_.slots, batch.get()));
  return batch;
}

absl::StatusOr<StepGuess> BatchMaker::Guess(const Plan& plan) const {
  return guesses_.Do(plan.step, [&] { return GuessAlone(plan); });
}

absl::StatusOr<StepGuess> BatchMaker::GuessAlone(const Plan& plan) const {
  const auto render_view = [&](int k, const Normalisation& normalisation, std::span<float> out) {
    return RenderGuessView(plan, k, normalisation, out);
  };
  GuessRequest request;
  request.feed_id = options_.feed_id;
  request.step = plan.step;
  request.rows = plan.unlabelled_rows;
  request.views = plan.views;
  request.shape = dataset().shape;
  request.classes = dataset().num_classes();
  return options_.guesser->Guess(request, render_view);
}

absl::Status BatchMaker::RenderGuessView(const Plan& plan, int k,
                                         const Normalisation& normalisation,
                                         std::span<float> out) const {
  const int first = plan.labelled_rows + k * plan.unlabelled_rows;
  std::vector<RenderRow> rows(static_cast<size_t>(plan.unlabelled_rows));
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].a = rows[i].b = ViewOf(plan.rows[static_cast<size_t>(first) + i]);
  }
  const PixelFormat format = {PixelType::kFloat32, PixelLayout::kNchw, normalisation};
  return options_.renderer->Render(*options_.pool, rows, format, std::as_writable_bytes(out));
}

absl::Status BatchMaker::FillSlot(const Plan& plan, const StepGuess& guess, SlotPool* slots,
                                  Batch* batch) const {
  const size_t rows = batch->rows.size();
  const size_t pixel_bytes = rows * ImageBytes(batch->shape, batch->format.type);
  const size_t target_count = rows * static_cast<size_t>(batch->classes);
  const size_t target_offset = RoundUpToSlotAlignment(pixel_bytes);
  MIXFEED_ASSIGN_OR_RETURN(batch->slot,
                           slots->Acquire(target_offset + target_count * sizeof(float)));
  std::byte* const memory = batch->slot->data();
  const std::span<std::byte> pixels(memory, pixel_bytes);
  const std::span<float> targets(reinterpret_cast<float*>(memory + target_offset), target_count);
  MIXFEED_RETURN_IF_ERROR(RenderPixels(plan, *batch, pixels));
  MixRows(plan, guess, *batch, targets);
  batch->pixels = pixels;
  batch->targets = targets;
  return absl::OkStatus();
}

absl::Status BatchMaker::RenderPixels(const Plan& plan, const Batch& batch,
                                      std::span<std::byte> out) const {
  std::vector<RenderRow> rows(batch.rows.size());
  for (size_t r = 0; r < rows.size(); ++r) {
    rows[r].a = ViewOf(batch.rows[r]);
    rows[r].b = ViewOf(plan.rows[static_cast<size_t>(batch.partner[r])]);
    rows[r].lambda = batch.lambda[r];
  }
  return options_.renderer->Render(*options_.pool, rows, batch.format, out);
}

void BatchMaker::MixRows(const Plan& plan, const StepGuess& guess, const Batch& batch,
                         std::span<float> out) const {
  const size_t classes = static_cast<size_t>(batch.classes);
  std::vector<float> own(classes);
  std::vector<float> partner(classes);
  for (size_t r = 0; r < batch.rows.size(); ++r) {
    SourceTarget(plan, guess, batch.row_index[r], own);
    SourceTarget(plan, guess, batch.partner[r], partner);
    MixTargets(batch.lambda[r], own, partner, out.subspan(r * classes, classes));
  }
}

void BatchMaker::SourceTarget(const Plan& plan, const StepGuess& guess, int32_t row,
                              std::span<float> target) const {
  const ViewPlan& view = plan.rows[static_cast<size_t>(row)];
  const bool hidden = view.pool == PoolId::kUnlabelled;
  if (hidden && options_.spec.recipe.guesses()) {
    const size_t image = static_cast<size_t>((row - plan.labelled_rows) % plan.unlabelled_rows);
    std::copy_n(guess.probabilities.begin() + static_cast<std::ptrdiff_t>(image * target.size()),
                target.size(), target.begin());
    return;
  }
  const Partition partition = view.pool == PoolId::kTest ? Partition::kTest : Partition::kTrain;
  const int16_t label =
      hidden ? kNoLabel : dataset().partition(partition).labels[static_cast<size_t>(view.sample)];
  if (label == kNoLabel) {
    std::fill(target.begin(), target.end(), 1.0f / static_cast<float>(target.size()));
  } else {
    OneHot(label, target);
  }
}

}  // namespace mixfeed
