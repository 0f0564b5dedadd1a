#include "server/core/guess_validator.h"

#include <algorithm>
#include <span>
#include <utility>

#include "augment/base/memory.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

// With running statistics, where the number of rows makes no difference: few enough that a guess
// does not wait long.
constexpr size_t kMostRunningRows = 64;

std::vector<int32_t> SliceOf(const Dataset& dataset, const std::vector<int32_t>& validation) {
  std::vector<int32_t> labelled;
  for (const int32_t sample : validation) {
    const bool known = dataset.train.labels[static_cast<size_t>(sample)] != kNoLabel;
    if (known) labelled.push_back(sample);
  }
  const size_t count = std::min(labelled.size(), GuessValidator::kMaxImages);
  std::vector<int32_t> slice;
  // Evenly, since a list may have one class after the other.
  for (size_t i = 0; i < count; ++i) slice.push_back(labelled[i * labelled.size() / count]);
  return slice;
}

size_t RowsOfPass(const GuessValidator::Parts& parts, size_t images) {
  const size_t most = parts.batch_statistics ? images : std::min(images, kMostRunningRows);
  return std::max<size_t>(1, std::min(parts.rows_of_pass, most));
}

// All of them, but with batch statistics whole passes only.
std::vector<int32_t> InWholePasses(std::vector<int32_t> samples,
                                   const GuessValidator::Parts& parts) {
  if (parts.batch_statistics) {
    samples.resize(samples.size() - samples.size() % RowsOfPass(parts, samples.size()));
  }
  return samples;
}

}  // namespace

GuessValidator::GuessValidator(Parts parts, const std::vector<int32_t>& validation)
    : parts_(std::move(parts)),
      samples_(InWholePasses(SliceOf(*parts_.dataset, validation), parts_)),
      rows_(RowsOfPass(parts_, samples_.size())) {}

absl::Status GuessValidator::Validate(size_t most, const std::function<bool()>& stop) {
  if (samples_.empty()) return absl::OkStatus();
  MutexLock lock(&mu_);
  for (const Version& version : NewVersions(most)) {
    const auto model = parts_.find_model(
        version.model, {WeightsWish::Kind::kVersion, version.version, parts_.ema});
    if (!model.ok()) continue;
    MIXFEED_RETURN_IF_ERROR(Try(version, model->get(), stop));
  }
  return absl::OkStatus();
}

std::vector<GuessValidator::Version> GuessValidator::NewVersions(size_t most) const {
  std::vector<Version> versions;
  const std::vector<GuessSpan> spans = parts_.stats->Spans();
  for (auto span = spans.rbegin(); span != spans.rend() && versions.size() < most; ++span) {
    const bool tried =
        span->model == last_.model && !last_guesses_.empty() && span->version <= last_.version;
    if (!tried) versions.push_back({span->model, span->version});
  }
  std::reverse(versions.begin(), versions.end());
  return versions;
}

absl::Status GuessValidator::Try(const Version& version, GuessModel* model,
                                 const std::function<bool()>& stop) {
  MIXFEED_ASSIGN_OR_RETURN(std::vector<float> guesses, GuessSlice(model, stop));
  const auto classes = static_cast<size_t>(parts_.dataset->num_classes());
  std::vector<int16_t> labels;
  for (const int32_t sample : samples_) {
    labels.push_back(parts_.dataset->train.labels[static_cast<size_t>(sample)]);
  }
  GuessValidation validation{.version = version.version,
                             .calibration = CalibrationOf(guesses, labels, classes)};
  if (!last_guesses_.empty() && last_.model == version.model) {
    validation.drift = MeanTotalVariation(last_guesses_, guesses, classes);
    validation.drift_from = last_.version;
  }
  parts_.stats->SetValidation(version.model, validation);
  last_ = version;
  last_guesses_ = std::move(guesses);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<float>> GuessValidator::GuessSlice(
    GuessModel* model, const std::function<bool()>& stop) const {
  const auto pixels = static_cast<size_t>(parts_.dataset->shape.pixels());
  const auto classes = static_cast<size_t>(parts_.dataset->num_classes());
  const auto bytes = static_cast<int64_t>(sizeof(float) * rows_ * pixels);
  return CatchOutOfMemory("validation images", bytes, [&]() -> absl::StatusOr<std::vector<float>> {
    std::vector<float> views(rows_ * pixels);
    std::vector<float> guesses(samples_.size() * classes);
    for (size_t first = 0; first < samples_.size(); first += rows_) {
      if (stop()) return absl::CancelledError("the validation was stopped");
      const size_t rows = std::min(rows_, samples_.size() - first);
      const std::span<float> pass(views.data(), rows * pixels);
      MIXFEED_RETURN_IF_ERROR(Render(first, model->info().normalisation, pass));
      MIXFEED_RETURN_IF_ERROR(
          model->Guess(pass, static_cast<int>(rows), parts_.batch_statistics,
                       std::span(guesses).subspan(first * classes, rows * classes)));
    }
    return guesses;
  });
}

absl::Status GuessValidator::Render(size_t first, const Normalisation& normalisation,
                                    std::span<float> views) const {
  const auto centre = static_cast<int16_t>(parts_.pool->pad());
  std::vector<RenderRow> rows(views.size() / static_cast<size_t>(parts_.dataset->shape.pixels()));
  for (size_t row = 0; row < rows.size(); ++row) {
    rows[row].a = {.image = samples_[first + row], .crop_y = centre, .crop_x = centre};
    rows[row].b = rows[row].a;
  }
  const PixelFormat format = {PixelType::kFloat32, PixelLayout::kNchw, normalisation};
  return parts_.renderer->Render(*parts_.pool, rows, format, std::as_writable_bytes(views));
}

}  // namespace mixfeed
