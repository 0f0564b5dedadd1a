#include "client/train/batch_rows.h"

// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

absl::Status Invalid(const std::string& text) { return absl::InvalidArgumentError(text); }

absl::Status CheckWhole(const v1::BatchHeader& header) {
  std::vector<bool> seen(header.rows());
  bool whole = header.rows() > 0 && std::cmp_equal(header.row_size(), header.rows());
  for (const uint32_t row : header.row()) {
    if (row >= header.rows() || seen[row]) whole = false;
    if (row < header.rows()) seen[row] = true;
  }
  return whole ? absl::OkStatus() : Invalid("batch: its rows are not those of a whole step");
}

bool AllBelow(const google::protobuf::RepeatedField<uint32_t>& values, uint32_t limit) {
  return std::all_of(values.begin(), values.end(), [limit](uint32_t v) { return v < limit; });
}

absl::Status CheckHidden(const v1::BatchHeader& header, uint32_t labelled) {
  if (header.layer() == 0) return absl::OkStatus();
  if (header.layer() > ResidualNetwork::kScales) {
    return Invalid(absl::StrCat("recipe.mix.layers: the step mixes layer ", header.layer(),
                                ", the network has the layers 0..", ResidualNetwork::kScales));
  }
  if (labelled > 0) {
    return Invalid(
        "recipe.mix.layers: hidden layers of labelled and unlabelled rows are not mixed here; "
        "allowed with unlabelled rows: 0");
  }
  const auto rows = static_cast<int>(header.rows());
  const bool known = header.partner_size() == rows && header.lambda_size() == rows &&
                     header.more_partner_size() == header.more_weight_size() &&
                     header.more_partner_size() % rows == 0 &&
                     AllBelow(header.partner(), header.rows()) &&
                     AllBelow(header.more_partner(), header.rows());
  return known ? absl::OkStatus() : Invalid("batch: partners in a hidden layer are no rows of it");
}

}  // namespace

absl::Status CheckImages(const v1::BatchHeader& header, const ImageShape& image, int classes) {
  const v1::ImageShape& given = header.image();
  const bool same = std::cmp_equal(given.channels(), image.channels) &&
                    std::cmp_equal(given.height(), image.height) &&
                    std::cmp_equal(given.width(), image.width) &&
                    std::cmp_equal(header.classes(), classes);
  if (same && header.type() == v1::FLOAT32 && header.layout() == v1::NCHW) return absl::OkStatus();
  return Invalid(absl::StrCat("batch: ", v1::PixelType_Name(header.type()), " ",
                              v1::Layout_Name(header.layout()), " images of ", given.channels(),
                              "x", given.height(), "x", given.width(), " with ", header.classes(),
                              " classes; the network takes FLOAT32 NCHW of ", image.channels, "x",
                              image.height, "x", image.width, " with ", classes));
}

absl::Status CheckRows(const v1::BatchHeader& header, uint32_t labelled) {
  MIXFEED_RETURN_IF_ERROR(CheckWhole(header));
  MIXFEED_RETURN_IF_ERROR(CheckHidden(header, labelled));
  if (labelled == 0) return absl::OkStatus();
  if (header.rows() <= labelled || header.rows() % labelled != 0) {
    return Invalid(absl::StrCat("batch: ", header.rows(), " rows are no groups of ", labelled));
  }
  if (header.targets() != v1::PAIRS) return absl::OkStatus();
  return Invalid("targets: pairs given, allowed with unlabelled rows: soft");
}

at::Tensor PositionsOf(const v1::BatchHeader& header) {
  std::vector<int64_t> positions(header.rows());
  for (uint32_t i = 0; i < header.rows(); ++i) positions[header.row(static_cast<int>(i))] = i;
  return at::tensor(positions);
}

ResidualNetwork::HiddenMix MixHidden(const v1::BatchHeader& header, const at::Tensor& positions) {
  if (header.layer() == 0) return nullptr;
  return [&header, positions](int scale, const at::Tensor& x) {
    if (std::cmp_not_equal(scale, header.layer())) return x;
    const auto rows = static_cast<int>(header.rows());
    const auto partners = [&](const auto& places, int first) {
      const std::vector<int64_t> index(places.begin() + first, places.begin() + first + rows);
      return x.index_select(0, positions.index_select(0, at::tensor(index)));
    };
    const auto weights = [rows](const auto& values, int first) {
      const std::vector<float> some(values.begin() + first, values.begin() + first + rows);
      return at::tensor(some).view({rows, 1, 1, 1});
    };
    const at::Tensor lambda = weights(header.lambda(), 0);
    at::Tensor rest = 1 - lambda;
    at::Tensor mixed = lambda * x;
    for (int first = 0; first < header.more_partner_size(); first += rows) {
      const at::Tensor weight = weights(header.more_weight(), first);
      rest = rest - weight;
      mixed = mixed + weight * partners(header.more_partner(), first);
    }
    return mixed + rest * partners(header.partner(), 0);
  };
}

}  // namespace mixfeed
