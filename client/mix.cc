#include "client/mix.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/render/mix_images.h"
#include "augment/target/target.h"
#include "client/received_batch.h"

namespace mixfeed {
namespace {

// What Sharpen takes.
constexpr double kLowestTemperature = 0.01;
constexpr double kHighestTemperature = 100;

absl::Status CheckSize(const char* field, size_t given, size_t allowed, const std::string& what) {
  if (given == allowed) return absl::OkStatus();
  return FieldError(absl::StrCat(field, ".size()"), absl::StrCat(given),
                    absl::StrCat(allowed, ", ", what));
}

absl::Status CheckDistributions(const char* field, std::span<const float> rows, int classes) {
  const absl::Status status = CheckProbabilities(rows, classes);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", std::string(status.message())));
}

std::vector<int32_t> Indices(const google::protobuf::RepeatedField<uint32_t>& field) {
  std::vector<int32_t> indices;
  indices.reserve(static_cast<size_t>(field.size()));
  for (const uint32_t index : field) indices.push_back(static_cast<int32_t>(index));
  return indices;
}

std::span<const float> Floats(const google::protobuf::RepeatedField<float>& field) {
  return {field.data(), static_cast<size_t>(field.size())};
}

// `field` has four numbers a box.
std::vector<Box> Boxes(const google::protobuf::RepeatedField<uint32_t>& field) {
  // Sides beyond what an image has stay beyond it, for the renderer to refuse.
  const auto side = [&field](int at) {
    return static_cast<int16_t>(std::min<uint32_t>(field[at], INT16_MAX));
  };
  std::vector<Box> boxes;
  for (int at = 0; at + 3 < field.size(); at += 4) {
    boxes.push_back({.y0 = side(at), .x0 = side(at + 1), .y1 = side(at + 2), .x1 = side(at + 3)});
  }
  return boxes;
}

ImageShape ShapeOf(const ReceivedViews& views) {
  const v1::ImageShape& image = views.header().batch().image();
  return {.channels = static_cast<int>(image.channels()),
          .height = static_cast<int>(image.height()),
          .width = static_cast<int>(image.width())};
}

// What the header says, as renderer and target functions take it.
class Mixer {
 public:
  explicit Mixer(const ReceivedViews& views)
      : views_(views),
        header_(views.header()),
        row_(Indices(header_.batch().row())),
        partner_(Indices(header_.batch().partner())),
        more_partner_(Indices(header_.batch().more_partner())),
        box_(Boxes(header_.batch().box())) {
    for (const Box& hole : Boxes(header_.hole())) {
      ViewEffects& effects = effects_.emplace_back();
      effects.hole = hole;
      effects.normalised_zero = true;
    }
  }

  absl::Status Render(size_t first, size_t count, const PixelFormat& format,
                      std::span<std::byte> out) const {
    std::vector<RenderRow> rows(count);
    for (size_t i = 0; i < count; ++i) rows[i].a = View(static_cast<int32_t>(first + i));
    return MixImages(Images(), rows, format, out);
  }

  absl::Status MixPixels(const PixelFormat& format, std::span<std::byte> out) const {
    const v1::BatchHeader& batch = header_.batch();
    const MixedRows mixed({.row = row_,
                           .partner = partner_,
                           .lambda = Floats(batch.lambda()),
                           .more_partner = more_partner_,
                           .more_weight = Floats(batch.more_weight()),
                           .box = box_,
                           .mixed = batch.layer() == 0},
                          [this](int32_t image) { return View(image); });
    return MixImages(Images(), mixed.rows(), format, out);
  }

  void MixTargets(std::span<const float> guesses, std::span<float> out) const {
    const v1::BatchHeader& batch = header_.batch();
    const size_t classes = batch.classes();
    const auto target_of = [&](int32_t image, std::span<float> target) {
      const int32_t guess = header_.guess(image);
      const std::span<const float> rows = guess < 0 ? views_.targets() : guesses;
      const auto row = static_cast<size_t>(guess < 0 ? image : guess);
      std::ranges::copy(rows.subspan(row * classes, classes), target.begin());
    };
    for (size_t r = 0; r < row_.size(); ++r) {
      std::vector<int32_t> images = {row_[r]};
      std::vector<float> weights = {batch.lambda(static_cast<int>(r))};
      if (!header_.own_targets()) {
        images.push_back(partner_[r]);
        weights.push_back(1.0f);
        for (size_t at = r; at < more_partner_.size(); at += row_.size()) {
          images.push_back(more_partner_[at]);
          weights.push_back(batch.more_weight(static_cast<int>(at)));
        }
      }
      MixRowTarget(images, weights, target_of, out.subspan(r * classes, classes));
    }
  }

 private:
  ImageLevels Images() const {
    return {.shape = ShapeOf(views_),
            .count = header_.images(),
            .type = header_.type() == v1::UINT8 ? PixelType::kUint8 : PixelType::kFloat32,
            .pixels = views_.pixels()};
  }

  RenderView View(int32_t image) const {
    RenderView view;
    view.image = image;
    if (!effects_.empty()) view.effects = &effects_[static_cast<size_t>(image)];
    return view;
  }

  const ReceivedViews& views_;
  const v1::ViewsHeader& header_;
  const std::vector<int32_t> row_;
  const std::vector<int32_t> partner_;
  const std::vector<int32_t> more_partner_;
  const std::vector<Box> box_;
  std::vector<ViewEffects> effects_;  // [images], or empty
};

v1::PixelType TypeToProto(PixelType type) {
  switch (type) {
    case PixelType::kUint8:
      return v1::UINT8;
    case PixelType::kFloat16:
      return v1::FLOAT16;
    case PixelType::kBfloat16:
      return v1::BFLOAT16;
    case PixelType::kFloat32:
      break;
  }
  return v1::FLOAT32;
}

}  // namespace

absl::Status RenderImages(const ReceivedViews& views, size_t first, size_t count,
                          const PixelFormat& format, std::span<std::byte> out) {
  const size_t images = views.header().images();
  if (first <= images && count <= images - first) {
    return Mixer(views).Render(first, count, format, out);
  }
  return FieldError("first and count", absl::StrCat(first, " and ", count),
                    absl::StrCat("parts of the ", images, " images"));
}

absl::Status MakeGuesses(std::span<const float> probabilities, int views, int classes,
                         double temperature, std::span<float> guesses) {
  if (views < 1) return FieldError("views", absl::StrCat(views), "from 1");
  if (classes < 1 || guesses.size() % static_cast<size_t>(classes) != 0) {
    return FieldError("guesses.size()", absl::StrCat(guesses.size()),
                      absl::StrCat("multiples of the ", classes, " classes"));
  }
  MIXFEED_RETURN_IF_ERROR(CheckSize("probabilities", probabilities.size(),
                                    guesses.size() * static_cast<size_t>(views),
                                    absl::StrCat(views, " times as many as guesses")));
  MIXFEED_RETURN_IF_ERROR(
      CheckRange("temperature", temperature, kLowestTemperature, kHighestTemperature));
  MIXFEED_RETURN_IF_ERROR(CheckDistributions("probabilities", probabilities, classes));
  AverageViews(probabilities, views, guesses);
  Sharpen(temperature, classes, guesses);
  return absl::OkStatus();
}

absl::Status MixViews(const ReceivedViews& views, std::span<const float> guesses,
                      const PixelFormat& format, std::span<std::byte> pixels,
                      std::span<float> targets) {
  const v1::ViewsHeader& header = views.header();
  const size_t rows = header.batch().rows();
  const size_t classes = header.batch().classes();
  MIXFEED_RETURN_IF_ERROR(
      CheckSize("guesses", guesses.size(), header.unlabelled_rows() * classes,
                absl::StrCat(header.unlabelled_rows(), " rows of ", classes, " classes")));
  MIXFEED_RETURN_IF_ERROR(CheckSize("targets", targets.size(), rows * classes,
                                    absl::StrCat(rows, " rows of ", classes, " classes")));
  if (!guesses.empty()) {
    MIXFEED_RETURN_IF_ERROR(CheckDistributions("guesses", guesses, static_cast<int>(classes)));
  }
  const Mixer mixer(views);
  MIXFEED_RETURN_IF_ERROR(mixer.MixPixels(format, pixels));
  mixer.MixTargets(guesses, targets);
  return absl::OkStatus();
}

absl::StatusOr<ReceivedBatch> ReceivedViews::Mix(std::span<const float> guesses,
                                                 const PixelFormat& format) const {
  if (impl_ == nullptr) return absl::FailedPreconditionError("no views were received");
  auto impl = std::make_unique<ReceivedBatch::Impl>(impl_->pool);
  v1::BatchHeader& batch = impl->header;
  batch = header().batch();
  batch.set_type(TypeToProto(format.type));
  batch.set_layout(format.layout == PixelLayout::kNhwc ? v1::NHWC : v1::NCHW);
  batch.set_targets(v1::SOFT);
  impl->Allocate(batch.rows() * ImageBytes(ShapeOf(*this), format.type),
                 size_t{batch.rows()} * batch.classes() * sizeof(float));
  MIXFEED_RETURN_IF_ERROR(MixViews(*this, guesses, format, impl->pixels, impl->targets));
  return ReceivedBatch(std::move(impl));
}

}  // namespace mixfeed
