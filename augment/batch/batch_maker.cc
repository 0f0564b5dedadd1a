#include "augment/batch/batch_maker.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/batch/target_maker.h"
#include "augment/render/mix_images.h"

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
  batch->layer = plan.layer;
  batch->unlabelled_weight = plan.unlabelled_weight;
  for (const int32_t index : batch->row_index) {
    const size_t row = static_cast<size_t>(index);
    batch->rows.push_back(plan.rows[row]);
    batch->partner.push_back(plan.partner[row]);
    batch->lambda.push_back(plan.lambda[row]);
    if (!plan.box.empty()) batch->box.push_back(plan.box[row]);
  }
  const auto sent = static_cast<size_t>(plan.size());
  for (size_t first = 0; first < plan.more_partners.size(); first += sent) {
    for (const int32_t index : batch->row_index) {
      batch->more_partners.push_back(plan.more_partners[first + static_cast<size_t>(index)]);
      batch->more_weights.push_back(plan.more_weights[first + static_cast<size_t>(index)]);
    }
  }
}

// Whether `row`'s view has a hole that only the consumer can fill.
bool HasOpenHole(const Plan& plan, size_t row) {
  const int32_t effects = plan.rows[row].effects;
  if (effects < 0) return false;
  const ViewEffects& of_view = plan.effects[static_cast<size_t>(effects)];
  return of_view.normalised_zero && !of_view.hole.empty();
}

BatchViews ViewsOf(const Plan& plan, const Recipe& recipe, const TargetMaker& targets) {
  BatchViews views;
  views.images = plan.rows;
  views.labelled_rows = plan.labelled_rows;
  views.unlabelled_rows = plan.unlabelled_rows;
  views.views = plan.views;
  views.temperature = recipe.guesses() ? recipe.guess.temperature : 0;
  views.own_targets = recipe.mix.targets == TargetRule::kOwn;
  for (size_t row = 0; row < plan.rows.size(); ++row) {
    views.guess.push_back(targets.GuessOf(static_cast<int32_t>(row)));
    if (!HasOpenHole(plan, row)) continue;
    views.hole.resize(plan.rows.size());
    views.hole[row] = plan.effects[static_cast<size_t>(plan.rows[row].effects)].hole;
  }
  return views;
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

RenderView ViewOf(const Plan& plan, int32_t row) {
  const ViewPlan& view = plan.rows[static_cast<size_t>(row)];
  return {.image = view.sample,
          .crop_y = view.crop_y,
          .crop_x = view.crop_x,
          .flip = view.flip,
          .effects = view.effects < 0 ? nullptr : &plan.effects[static_cast<size_t>(view.effects)]};
}

Partition PartitionOf(const Recipe& recipe) {
  const bool test = recipe.rows == RowSource::kOrdered && recipe.ordered_pool == PoolId::kTest;
  return test ? Partition::kTest : Partition::kTrain;
}

absl::StatusOr<std::unique_ptr<BatchMaker>> BatchMaker::Create(BatchMakerOptions options) {
  MIXFEED_RETURN_IF_ERROR(CheckOptions(options));
  MIXFEED_ASSIGN_OR_RETURN(
      std::unique_ptr<Planner> planner,
      Planner::Create(options.spec, {.split = options.split,
                                     .test_count = options.dataset->test.count(),
                                     .shape = options.dataset->shape,
                                     .labels = options.dataset->train.labels,
                                     .neighbours = options.neighbours}));
  return std::unique_ptr<BatchMaker>(new BatchMaker(std::move(options), std::move(planner)));
}

BatchMaker::BatchMaker(BatchMakerOptions options, std::unique_ptr<Planner> planner)
    : options_(std::move(options)), planner_(std::move(planner)) {}

absl::Status BatchMaker::CheckShare(const Share& share) const {
  const int rows = options_.spec.labelled_rows();
  if (share.world < 1 || rows % share.world != 0) {
    return FieldError("world", absl::StrCat(share.world),
                      absl::StrCat("the divisors of the batch of ", rows));
  }
  return CheckRange("rank", share.rank, 0, share.world - 1);
}

absl::Status BatchMaker::CheckFormat(const BatchFormat& format) const {
  MIXFEED_RETURN_IF_ERROR(ValidatePixelFormat(format, dataset().shape.channels));
  if (format.content == BatchContent::kViews && !(format == ViewsFormat())) {
    return FieldError("content", "views in a format of the consumer's", "views in ViewsFormat()");
  }
  const Recipe& recipe = options_.spec.recipe;
  const bool pairs = !recipe.guesses() && recipe.mix.label_smoothing == 0 &&
                     (!recipe.mix.enabled || recipe.mix.sources == 2);
  if (format.target_form == TargetForm::kSoft || pairs) return absl::OkStatus();
  return FieldError("targets", "pairs",
                    "soft when the recipe guesses, smooths labels or mixes more than two images");
}

BatchFormat BatchMaker::ViewsFormat() const {
  const WarpSpec& warp = options_.spec.recipe.view.warp;
  const bool between = warp.resamples() || warp.tones();
  BatchFormat format =
      PixelFormat{between ? PixelType::kFloat32 : PixelType::kUint8, PixelLayout::kNchw, {}};
  format.content = BatchContent::kViews;
  return format;
}

int BatchMaker::Images(BatchContent content, const Share& share) const {
  const FeedSpec& spec = options_.spec;
  if (content == BatchContent::kMixed) return spec.rows() / share.world;
  const int labelled = spec.recipe.draws_partners() ? 2 * spec.batch : spec.batch;
  return labelled + spec.recipe.views * spec.unlabelled_rows();
}

int64_t BatchMaker::SlotBytes(const BatchFormat& format, const Share& share) const {
  const auto rows = static_cast<size_t>(Images(format.content, share));
  const auto columns = static_cast<size_t>(format.TargetColumns(dataset().num_classes()));
  return static_cast<int64_t>(
      RoundUpToSlotAlignment(rows * ImageBytes(dataset().shape, format.type)) +
      RoundUpToSlotAlignment(rows * columns * sizeof(float)));
}

absl::StatusOr<std::shared_ptr<const Batch>> BatchMaker::Make(int64_t step,
                                                              const BatchFormat& format,
                                                              const Share& share,
                                                              SlotPool* slots) const {
  MIXFEED_RETURN_IF_ERROR(CheckFormat(format));
  MIXFEED_RETURN_IF_ERROR(CheckShare(share));
  MIXFEED_ASSIGN_OR_RETURN(const Plan plan, planner_->MakePlan(step, share.world));
  auto batch = std::make_shared<Batch>();
  batch->step = step;
  batch->run = options_.run;
  batch->shape = dataset().shape;
  batch->format = format;
  batch->classes = dataset().num_classes();
  TakeRows(plan, share, batch.get());
  StepGuess guess;
  if (format.content == BatchContent::kViews) {
    const Recipe& recipe = options_.spec.recipe;
    batch->views = ViewsOf(plan, recipe, TargetMaker(recipe, dataset(), plan, guess));
  } else if (options_.spec.recipe.guesses()) {
    MIXFEED_ASSIGN_OR_RETURN(guess, Guess(plan));
    batch->guess = GuessOrigin{.model = guess.model,
                               .version = guess.model_version,
                               .update = guess.model_update,
                               .weights = guess.weights,
                               .more = guess.more,
                               .age = guess.age,
                               .environment = guess.environment,
                               .environment_changed = guess.environment_changed,
                               .confidence = Confidence(guess)};
  }
  MIXFEED_RETURN_IF_ERROR(
      FillSlot(plan, guess, slots != nullptr ? slots : options_.slots, batch.get()));
  return batch;
}

bool BatchMaker::IsReady(int64_t step) const {
  return options_.guesser == nullptr || options_.guesser->IsReady(options_.feed_id, step);
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
  if (options_.guess_stats != nullptr) {
    request.observe = [&](const FreshGuess& fresh) {
      options_.guess_stats->Add(fresh, HiddenLabels(plan));
    };
  }
  return options_.guesser->Guess(request, render_view);
}

std::vector<int16_t> BatchMaker::HiddenLabels(const Plan& plan) const {
  const std::vector<int16_t>& known = dataset().partition(PartitionOf(spec().recipe)).labels;
  std::vector<int16_t> labels;
  const auto images = std::span(plan.rows).subspan(static_cast<size_t>(plan.labelled_rows),
                                                   static_cast<size_t>(plan.unlabelled_rows));
  for (const ViewPlan& view : images) {
    labels.push_back(known[static_cast<size_t>(view.sample)]);
  }
  return labels;
}

absl::Status BatchMaker::RenderGuessView(const Plan& plan, int k,
                                         const Normalisation& normalisation,
                                         std::span<float> out) const {
  const int first = plan.labelled_rows + k * plan.unlabelled_rows;
  std::vector<RenderRow> rows(static_cast<size_t>(plan.unlabelled_rows));
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].a = rows[i].b = ViewOf(plan, first + static_cast<int32_t>(i));
  }
  const PixelFormat format = {PixelType::kFloat32, PixelLayout::kNchw, normalisation};
  return options_.renderer->Render(*options_.pool, rows, format, std::as_writable_bytes(out));
}

absl::Status BatchMaker::FillSlot(const Plan& plan, const StepGuess& guess, SlotPool* slots,
                                  Batch* batch) const {
  const size_t images = batch->views ? batch->views->images.size() : batch->rows.size();
  const size_t pixel_bytes = images * ImageBytes(batch->shape, batch->format.type);
  const size_t target_count =
      images * static_cast<size_t>(batch->format.TargetColumns(batch->classes));
  const size_t target_offset = RoundUpToSlotAlignment(pixel_bytes);
  MIXFEED_ASSIGN_OR_RETURN(batch->slot,
                           slots->Acquire(target_offset + target_count * sizeof(float)));
  std::byte* const memory = batch->slot->data();
  const std::span<std::byte> pixels(memory, pixel_bytes);
  const std::span<float> targets(reinterpret_cast<float*>(memory + target_offset), target_count);
  MIXFEED_RETURN_IF_ERROR(batch->views ? RenderViews(plan, batch->format, pixels)
                                       : RenderPixels(plan, *batch, pixels));
  FillTargets(plan, guess, *batch, targets);
  batch->pixels = pixels;
  batch->targets = targets;
  return absl::OkStatus();
}

void BatchMaker::FillTargets(const Plan& plan, const StepGuess& guess, const Batch& batch,
                             std::span<float> out) const {
  const TargetMaker target_maker(options_.spec.recipe, dataset(), plan, guess);
  const auto columns = static_cast<size_t>(batch.format.TargetColumns(batch.classes));
  for (size_t r = 0; r * columns < out.size(); ++r) {
    const std::span<float> target = out.subspan(r * columns, columns);
    if (batch.views) {
      target_maker.WriteUnguessed(static_cast<int32_t>(r), target);
    } else {
      target_maker.Write(batch.format.target_form, batch.row_index[r], target);
    }
  }
}

absl::Status BatchMaker::RenderPixels(const Plan& plan, const Batch& batch,
                                      std::span<std::byte> out) const {
  const MixedRows mixed({.row = batch.row_index,
                         .partner = batch.partner,
                         .lambda = batch.lambda,
                         .more_partner = batch.more_partners,
                         .more_weight = batch.more_weights,
                         .box = batch.box,
                         .mixed = plan.layer == 0},
                        [&plan](int32_t row) { return ViewOf(plan, row); });
  return options_.renderer->Render(*options_.pool, mixed.rows(), batch.format, out);
}

absl::Status BatchMaker::RenderViews(const Plan& plan, const BatchFormat& format,
                                     std::span<std::byte> out) const {
  std::vector<ViewEffects> unfilled;  // of views whose hole stays open
  unfilled.reserve(plan.rows.size());
  std::vector<RenderRow> rows(plan.rows.size());
  for (size_t r = 0; r < rows.size(); ++r) {
    rows[r].a = ViewOf(plan, static_cast<int32_t>(r));
    if (!HasOpenHole(plan, r)) continue;
    unfilled.push_back(*rows[r].a.effects);
    unfilled.back().hole = {};
    rows[r].a.effects = &unfilled.back();
  }
  return options_.renderer->Render(*options_.pool, rows, format, out);
}

}  // namespace mixfeed
