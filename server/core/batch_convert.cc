#include "server/core/batch_convert.h"

#include <limits>

#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "server/core/enum_table.h"
#include "server/core/spec_convert.h"

namespace mixfeed {
namespace {

constexpr EnumPair<v1::PixelType, PixelType> kPixelTypes[] = {
    {v1::UINT8, PixelType::kUint8},
    {v1::FLOAT16, PixelType::kFloat16},
    {v1::BFLOAT16, PixelType::kBfloat16},
    {v1::FLOAT32, PixelType::kFloat32},
};
constexpr EnumPair<v1::Layout, PixelLayout> kLayouts[] = {
    {v1::NCHW, PixelLayout::kNchw},
    {v1::NHWC, PixelLayout::kNhwc},
};
constexpr EnumPair<v1::TargetForm, TargetForm> kTargetForms[] = {
    {v1::SOFT, TargetForm::kSoft},
    {v1::PAIRS, TargetForm::kPairs},
};
constexpr uint32_t kMaxWorld = std::numeric_limits<int32_t>::max();
constexpr uint32_t kLargestSide = kMaxImageSide;

template <typename Values>
absl::Status SetChannels(const std::string& field, const Values& values, int channels,
                         std::array<double, kMaxChannels>* out) {
  if (values.size() != channels) {
    return FieldError(field, absl::StrCat(values.size(), " numbers"),
                      absl::StrCat(channels, ", one a channel"));
  }
  for (int c = 0; c < channels; ++c) (*out)[static_cast<size_t>(c)] = values[c];
  return absl::OkStatus();
}

void AddBoxes(const std::vector<Box>& boxes, google::protobuf::RepeatedField<uint32_t>* sides) {
  for (const Box& box : boxes) {
    for (const int16_t side : {box.y0, box.x0, box.y1, box.x1}) {
      sides->Add(static_cast<uint32_t>(side));
    }
  }
}

// Puts the message's field in front of a library's finding.
absl::Status Within(const std::string& field, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", std::string(status.message())));
}

}  // namespace

absl::Status InField(const std::string& parent, const absl::Status& status) {
  if (status.ok()) return status;
  return {status.code(), absl::StrCat(parent, ".", std::string(status.message()))};
}

absl::StatusOr<Normalisation> NormalisationFromProto(const v1::Normalisation& proto,
                                                     const std::string& otherwise, int channels) {
  const bool numbers = proto.mean_size() > 0 || proto.std_size() > 0;
  if (!proto.name().empty() && numbers) {
    return FieldError("normalisation", "both a name and numbers", "one of them");
  }
  if (!numbers) {
    const std::string name = proto.name().empty() ? otherwise : proto.name();
    absl::StatusOr<Normalisation> found = FindNormalisation(name, channels);
    if (!found.ok()) return Within("normalisation.name", found.status());
    return found;
  }
  Normalisation values;
  MIXFEED_RETURN_IF_ERROR(SetChannels("normalisation.mean", proto.mean(), channels, &values.mean));
  MIXFEED_RETURN_IF_ERROR(SetChannels("normalisation.std", proto.std(), channels, &values.std));
  return values;
}

absl::StatusOr<BatchFormat> FormatFromProto(const v1::PixelFormat& proto, int channels) {
  BatchFormat format;
  MIXFEED_RETURN_IF_ERROR(EnumFromProto("format.type", proto.type(), kPixelTypes,
                                        v1::PixelType_Name<v1::PixelType>, &format.type));
  MIXFEED_RETURN_IF_ERROR(EnumFromProto("format.layout", proto.layout(), kLayouts,
                                        v1::Layout_Name<v1::Layout>, &format.layout));
  MIXFEED_RETURN_IF_ERROR(EnumFromProto("format.targets", proto.targets(), kTargetForms,
                                        v1::TargetForm_Name<v1::TargetForm>, &format.target_form));
  const char* const otherwise = format.type == PixelType::kUint8 ? "raw" : "signed";
  const absl::StatusOr<Normalisation> normalisation =
      NormalisationFromProto(proto.normalisation(), otherwise, channels);
  MIXFEED_RETURN_IF_ERROR(InField("format", normalisation.status()));
  format.normalisation = *normalisation;
  MIXFEED_RETURN_IF_ERROR(Within("format", ValidatePixelFormat(format, channels)));
  return format;
}

absl::StatusOr<Share> ShareFromProto(const v1::Share& proto) {
  const uint32_t world = proto.world() == 0 ? 1 : proto.world();
  MIXFEED_RETURN_IF_ERROR(CheckRange("world", world, 1u, kMaxWorld));
  MIXFEED_RETURN_IF_ERROR(CheckRange("rank", proto.rank(), 0u, world - 1));
  return Share{.rank = static_cast<int>(proto.rank()), .world = static_cast<int>(world)};
}

absl::StatusOr<ImageShape> ShapeFromProto(const v1::ImageShape& proto) {
  if (proto.channels() != 1 && proto.channels() != 3) {
    return FieldError("image.channels", absl::StrCat(proto.channels()), "1 or 3");
  }
  MIXFEED_RETURN_IF_ERROR(CheckRange("image.height", proto.height(), 1u, kLargestSide));
  MIXFEED_RETURN_IF_ERROR(CheckRange("image.width", proto.width(), 1u, kLargestSide));
  return ImageShape{.channels = static_cast<int>(proto.channels()),
                    .height = static_cast<int>(proto.height()),
                    .width = static_cast<int>(proto.width())};
}

v1::ImageShape ShapeToProto(const ImageShape& shape) {
  v1::ImageShape proto;
  proto.set_channels(static_cast<uint32_t>(shape.channels));
  proto.set_height(static_cast<uint32_t>(shape.height));
  proto.set_width(static_cast<uint32_t>(shape.width));
  return proto;
}

v1::BatchHeader HeaderOf(const std::string& feed_id, const Batch& batch) {
  v1::BatchHeader header;
  header.set_feed_id(feed_id);
  header.set_run(batch.run);
  header.set_step(static_cast<uint64_t>(batch.step));
  header.set_rows(static_cast<uint32_t>(batch.size()));
  header.set_classes(static_cast<uint32_t>(batch.classes));
  *header.mutable_image() = ShapeToProto(batch.shape);
  header.set_type(EnumToProto(batch.format.type, kPixelTypes));
  header.set_layout(EnumToProto(batch.format.layout, kLayouts));
  header.set_targets(EnumToProto(batch.format.target_form, kTargetForms));
  header.set_unlabelled_weight(batch.unlabelled_weight);
  header.set_layer(static_cast<uint32_t>(batch.layer));
  for (size_t r = 0; r < batch.rows.size(); ++r) {
    const ViewPlan& row = batch.rows[r];
    header.add_row(static_cast<uint32_t>(batch.row_index[r]));
    header.add_sample(static_cast<uint32_t>(row.sample));
    header.add_pool(PoolToProto(row.pool));
    header.add_view(row.view);
    header.add_partner(static_cast<uint32_t>(batch.partner[r]));
    header.add_lambda(batch.lambda[r]);
  }
  AddBoxes(batch.box, header.mutable_box());
  for (size_t i = 0; i < batch.more_partners.size(); ++i) {
    header.add_more_partner(static_cast<uint32_t>(batch.more_partners[i]));
    header.add_more_weight(batch.more_weights[i]);
  }
  if (batch.guess) {
    v1::GuessOrigin* guess = header.mutable_guess();
    guess->set_model(batch.guess->model);
    guess->set_version(static_cast<uint64_t>(batch.guess->version));
    guess->set_age(static_cast<uint64_t>(batch.guess->age));
    guess->set_environment(batch.guess->environment);
    guess->set_confidence(batch.guess->confidence);
    guess->set_environment_changed(batch.guess->environment_changed);
    guess->set_update(static_cast<uint64_t>(batch.guess->update));
    guess->set_weights(batch.guess->weights);
    for (const GuessSource& further : batch.guess->more) {
      v1::GuessSource* const source = guess->add_more();
      source->set_model(further.model);
      source->set_version(static_cast<uint64_t>(further.version));
      source->set_update(static_cast<uint64_t>(further.update));
      source->set_weights(further.weights);
    }
  }
  return header;
}

v1::ViewsHeader ViewsHeaderOf(const std::string& feed_id, const Batch& batch) {
  const BatchViews& views = *batch.views;
  v1::ViewsHeader header;
  *header.mutable_batch() = HeaderOf(feed_id, batch);
  header.mutable_batch()->clear_type();
  header.mutable_batch()->clear_layout();
  header.mutable_batch()->clear_targets();
  header.set_images(static_cast<uint32_t>(views.images.size()));
  header.set_type(EnumToProto(batch.format.type, kPixelTypes));
  header.set_labelled_rows(static_cast<uint32_t>(views.labelled_rows));
  header.set_unlabelled_rows(static_cast<uint32_t>(views.unlabelled_rows));
  header.set_views(static_cast<uint32_t>(views.views));
  for (size_t i = 0; i < views.images.size(); ++i) {
    header.add_sample(static_cast<uint32_t>(views.images[i].sample));
    header.add_pool(PoolToProto(views.images[i].pool));
    header.add_view(views.images[i].view);
    header.add_guess(views.guess[i]);
  }
  AddBoxes(views.hole, header.mutable_hole());
  header.set_temperature(views.temperature);
  header.set_own_targets(views.own_targets);
  return header;
}

}  // namespace mixfeed
