#include "server/core/sheet_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "server/core/plan_rows.h"

namespace mixfeed {
namespace {

constexpr PixelFormat kLevels{
    .type = PixelType::kUint8, .layout = PixelLayout::kNhwc, .normalisation = {}};
// What consumers get unless they ask for another.
constexpr PixelFormat kSigned{
    .type = PixelType::kFloat32,
    .layout = PixelLayout::kNhwc,
    .normalisation = {.mean = {0.5, 0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5, 0.5}}};

// A hole that is 0 after the normalisation has a colour of its own only with one.
PixelFormat FormatFor(const Recipe& recipe) {
  const CutoutSpec& cutout = recipe.view.cutout;
  return cutout.size > 0 && cutout.fill_with == CutoutFill::kNormalisedZero ? kSigned : kLevels;
}

// Pixels of FormatFor as levels of 0..255.
std::vector<std::byte> LevelsOf(const PixelFormat& format, std::span<const std::byte> pixels) {
  if (format.type == PixelType::kUint8) return {pixels.begin(), pixels.end()};
  std::vector<std::byte> levels(pixels.size() / sizeof(float));
  for (size_t i = 0; i < levels.size(); ++i) {
    float value = 0;
    std::memcpy(&value, &pixels[i * sizeof(float)], sizeof(float));
    levels[i] = std::byte(static_cast<uint8_t>(std::lround((value + 1) / 2 * 255)));
  }
  return levels;
}

constexpr float kSmallestShown = 0.005f;  // below it a weight reads "0.00"

std::vector<ClassWeight> TopClasses(const Dataset& dataset, std::span<const float> target) {
  std::vector<size_t> order(target.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return target[a] > target[b]; });
  std::vector<ClassWeight> top;
  float rest = std::accumulate(target.begin(), target.end(), 0.0f);
  for (const size_t c : order) {
    if (top.size() == kTopClasses || target[c] < kSmallestShown) break;
    top.push_back({dataset.class_names[c], target[c]});
    rest -= target[c];
  }
  if (rest > kSmallestShown) top.push_back({"others", rest});
  return top;
}

std::string GroupName(const Plan& plan, const ViewPlan& view) {
  switch (view.pool) {
    case PoolId::kLabelled:
      return "labelled";
    case PoolId::kUnlabelled:
      return plan.views > 1 ? absl::StrCat("unlabelled, view ", view.view + 1) : "unlabelled";
    case PoolId::kValidation:
      return "validation";
    case PoolId::kTest:
      return "test";
  }
  return "";
}

std::string ClassName(const Dataset& dataset, const ViewPlan& view) {
  const int label = LabelToShow(dataset, view, /*reveal=*/false);
  return label == kNoLabel ? "?" : dataset.class_names[static_cast<size_t>(label)];
}

// The image as it is in the dataset, channels last.
std::vector<std::byte> DatasetImage(const Dataset& dataset, const ViewPlan& view) {
  const Partition partition = view.pool == PoolId::kTest ? Partition::kTest : Partition::kTrain;
  const auto size = static_cast<size_t>(dataset.shape.pixels());
  const auto channels = static_cast<size_t>(dataset.shape.channels);
  const std::span<const uint8_t> planes =
      std::span(dataset.partition(partition).pixels)
          .subspan(static_cast<size_t>(view.sample) * size, size);
  std::vector<std::byte> image(size);
  for (size_t i = 0; i < size; ++i) {
    image[i] = std::byte{planes[i % channels * (size / channels) + i / channels]};
  }
  return image;
}

int ViewColumns(const Recipe& recipe) { return recipe.guesses() ? recipe.views : 1; }

// The weights of everything that row `r` is mixed of, its own first; empty where it is not mixed.
std::vector<float> SharesOf(const Plan& plan, size_t r) {
  if (plan.partner[r] == static_cast<int32_t>(r) && plan.more_partners.empty()) return {};
  std::vector<float> shares = {plan.lambda[r], 1 - plan.lambda[r]};
  for (size_t at = r; at < plan.more_weights.size(); at += static_cast<size_t>(plan.size())) {
    shares.push_back(plan.more_weights[at]);
    shares[1] -= plan.more_weights[at];
  }
  shares[1] = std::max(shares[1], 0.0f);
  return shares;
}

bool IsMixed(const Plan& plan) {
  for (size_t r = 0; r < static_cast<size_t>(plan.size()); ++r) {
    if (!SharesOf(plan, r).empty()) return true;
  }
  return false;
}

// The shares of all rows that are mixed, if they are the batch's.
std::vector<float> SharesOfAll(const Recipe& recipe, const Plan& plan) {
  if (!recipe.mix.enabled || recipe.mix.lambda_scope != DrawScope::kPerBatch) return {};
  std::vector<float> all;
  for (size_t r = 0; r < static_cast<size_t>(plan.size()); ++r) {
    const std::vector<float> shares = SharesOf(plan, r);
    if (shares.empty()) continue;
    if (!all.empty() && shares != all) return {};
    all = shares;
  }
  return all;
}

// The plan's rows that row `r` is mixed of, in the order of SharesOf.
std::vector<int32_t> SourcesOf(const Plan& plan, size_t r) {
  std::vector<int32_t> sources = {static_cast<int32_t>(r), plan.partner[r]};
  for (size_t at = r; at < plan.more_partners.size(); at += static_cast<size_t>(plan.size())) {
    sources.push_back(plan.more_partners[at]);
  }
  return sources;
}

// What the pictures of a row cannot show.
std::string NoteOf(const Recipe& recipe, const Plan& plan, bool mixed) {
  if (!recipe.mix.enabled) return "";
  if (!mixed) return "not mixed";
  std::string note;
  if (plan.layer != 0) note = absl::StrCat("layer ", plan.layer, ": mixed by the trainer");
  if (recipe.mix.targets == TargetRule::kOwn) {
    absl::StrAppend(&note, note.empty() ? "" : ", ", "label kept");
  }
  return note;
}

// Makes the step's batch and takes rows out of it.
class Collector {
 public:
  Collector(const OpenedFeed& feed, Renderer* renderer)
      : feed_(feed),
        recipe_(feed.spec.recipe),
        dataset_(*feed.dataset),
        format_(FormatFor(recipe_)),
        renderer_(renderer) {}

  absl::StatusOr<SheetContent> Collect(int64_t step, int count) {
    MIXFEED_ASSIGN_OR_RETURN(plan_, feed_.maker->MakePlan(step));
    // A pool of its own: the engine has promised the server's slots to consumers.
    SlotPool slots(renderer_, feed_.maker->SlotBytes(format_, Share{}));
    MIXFEED_ASSIGN_OR_RETURN(batch_, feed_.maker->Make(step, format_, Share{}, &slots));
    if (recipe_.guesses()) {
      MIXFEED_ASSIGN_OR_RETURN(guess_, feed_.maker->Guess(plan_));
    }
    const auto total = static_cast<size_t>(plan_.size());
    const size_t taken = std::min(total, static_cast<size_t>(count));
    SheetContent content{.rows = std::vector<SheetRow>(taken),
                         .unlabelled_weight = plan_.unlabelled_weight,
                         .mixed = IsMixed(plan_),
                         .shares = SharesOfAll(recipe_, plan_)};
    for (size_t i = 0; i < taken; ++i) {
      MIXFEED_RETURN_IF_ERROR(Fill(i * total / taken, &content.rows[i]));
    }
    batch_.reset();
    return content;
  }

 private:
  absl::Status Fill(size_t r, SheetRow* row) const {
    const ViewPlan& view = plan_.rows[r];
    row->index = static_cast<int>(r);
    row->group = GroupName(plan_, view);
    row->shares = SharesOf(plan_, r);
    row->note = NoteOf(recipe_, plan_, !row->shares.empty());
    const auto classes = static_cast<size_t>(batch_->classes);
    const size_t sent = SentAt(r);
    row->hidden = view.pool == PoolId::kUnlabelled && recipe_.rows == RowSource::kOrdered;
    if (!row->hidden) {
      row->targets = TopClasses(dataset_, batch_->targets.subspan(sent * classes, classes));
    }
    FillOwn(r, row);
    row->tiles.push_back({.heading = "image",
                          .caption = ClassName(dataset_, view),
                          .pixels = DatasetImage(dataset_, view)});
    if (recipe_.rows == RowSource::kOrdered) return absl::OkStatus();
    MIXFEED_RETURN_IF_ERROR(AddViews(r, row));
    if (!recipe_.mix.enabled) return absl::OkStatus();
    if (!row->shares.empty()) MIXFEED_RETURN_IF_ERROR(AddPartners(r, row));
    AddResult(r, sent, row);
    return absl::OkStatus();
  }

  // Where row `r` of the plan is in the batch: rows may be sent in another order.
  size_t SentAt(size_t r) const {
    const auto& order = batch_->row_index;
    return static_cast<size_t>(std::find(order.begin(), order.end(), static_cast<int32_t>(r)) -
                               order.begin());
  }

  // What a row of a guessing recipe has for a target before it is mixed.
  void FillOwn(size_t r, SheetRow* row) const {
    if (!recipe_.guesses()) return;
    const ViewPlan& view = plan_.rows[r];
    if (view.pool != PoolId::kUnlabelled) {
      row->own_name = "label";
      row->own = {{ClassName(dataset_, view), 1.0f}};
      return;
    }
    const auto classes = static_cast<size_t>(guess_.classes);
    const size_t image =
        (r - static_cast<size_t>(plan_.labelled_rows)) % static_cast<size_t>(plan_.unlabelled_rows);
    row->own_name = "guess";
    row->own =
        TopClasses(dataset_, std::span(guess_.probabilities).subspan(image * classes, classes));
  }

  // All views of the row's image; the row itself is one of them.
  absl::Status AddViews(size_t r, SheetRow* row) const {
    const bool several = plan_.rows[r].pool == PoolId::kUnlabelled && plan_.views > 1;
    const auto group = static_cast<size_t>(plan_.unlabelled_rows);
    const auto labelled = static_cast<size_t>(plan_.labelled_rows);
    const size_t first = several ? labelled + (r - labelled) % group : r;
    for (int k = 0; k < (several ? plan_.views : 1); ++k) {
      const size_t source = first + static_cast<size_t>(k) * group;
      SheetTile tile{.column = 1 + k,
                     .heading = several ? absl::StrCat("view ", k + 1) : std::string("view")};
      if (source == r && !row->shares.empty()) {
        tile.share = 0;
        absl::StrAppend(&tile.heading, " ", WeightText(row->shares[0]));
      }
      MIXFEED_RETURN_IF_ERROR(RenderSource(source, &tile));
      row->tiles.push_back(std::move(tile));
    }
    return absl::OkStatus();
  }

  absl::Status AddPartners(size_t r, SheetRow* row) const {
    const std::vector<int32_t> sources = SourcesOf(plan_, r);
    for (size_t s = 1; s < sources.size(); ++s) {
      const auto source = static_cast<size_t>(sources[s]);
      SheetTile tile{.column = ViewColumns(recipe_) + static_cast<int>(s),
                     .heading = absl::StrCat("partner ", WeightText(row->shares[s])),
                     .caption = ClassName(dataset_, plan_.rows[source]),
                     .outline = BoxOf(r),
                     .share = static_cast<int>(s)};
      MIXFEED_RETURN_IF_ERROR(RenderSource(source, &tile));
      row->tiles.push_back(std::move(tile));
    }
    return absl::OkStatus();
  }

  void AddResult(size_t r, size_t sent, SheetRow* row) const {
    const size_t bytes = ImageBytes(batch_->shape, format_.type);
    const std::span<const std::byte> pixels = batch_->pixels.subspan(sent * bytes, bytes);
    const bool mixed_here = !row->shares.empty() && plan_.layer == 0;
    row->tiles.push_back({.column = SheetColumns(recipe_) - 1,
                          .heading = mixed_here ? "mixed" : "as sent",
                          .pixels = LevelsOf(format_, pixels),
                          .outline = BoxOf(r)});
  }

  // A row that is its own partner may have a box: nothing is to be seen of it.
  Box BoxOf(size_t r) const {
    const bool own = plan_.partner[r] == static_cast<int32_t>(r);
    return plan_.box.empty() || own ? Box{} : plan_.box[r];
  }

  absl::Status RenderSource(size_t source, SheetTile* tile) const {
    // Aligned to the pixel type, as all that is allocated.
    std::vector<std::byte> pixels(ImageBytes(dataset_.shape, format_.type));
    const RenderView view = ViewOf(plan_, static_cast<int32_t>(source));
    const RenderRow row{.a = view, .b = view};
    MIXFEED_RETURN_IF_ERROR(renderer_->Render(*feed_.pool, std::span(&row, 1), format_, pixels));
    tile->pixels = LevelsOf(format_, pixels);
    if (view.effects != nullptr) tile->hole = view.effects->hole;
    return absl::OkStatus();
  }

  const OpenedFeed& feed_;
  const Recipe& recipe_;
  const Dataset& dataset_;
  const PixelFormat format_;
  Renderer* const renderer_;
  Plan plan_;
  std::shared_ptr<const Batch> batch_;
  StepGuess guess_;  // of recipes that guess
};

}  // namespace

std::string WeightText(float weight) {
  const std::string text = absl::StrFormat("%.2f", weight);
  if (text == "1.00" && weight != 1) return ">.99";
  if (text == "0.00" && weight != 0) return "<.01";
  return text;
}

int SheetColumns(const Recipe& recipe) {
  if (recipe.rows == RowSource::kOrdered) return 1;
  const int sources = recipe.mix.enabled ? recipe.mix.sources : 0;
  // The image, its views, and of mixed recipes the partners and the result.
  return 1 + ViewColumns(recipe) + sources;
}

absl::StatusOr<SheetContent> CollectSheetRows(const OpenedFeed& feed, Renderer* renderer,
                                              int64_t step, int count) {
  return Collector(feed, renderer).Collect(step, count);
}

}  // namespace mixfeed
