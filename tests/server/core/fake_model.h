#ifndef MIXFEED_TESTS_SERVER_CORE_FAKE_MODEL_H_
#define MIXFEED_TESTS_SERVER_CORE_FAKE_MODEL_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "augment/guess/guess_model.h"
#include "augment/weights/state_dict.h"
#include "mixfeed/v1/model.pb.h"
#include "server/core/batch_convert.h"

namespace mixfeed::testing {

// A file with one int64 tensor "w", what the fake models' weights are.
inline std::string Weights(int64_t value) {
  const WeightTensor tensor{.name = "w",
                            .type = WeightType::kInt64,
                            .shape = {},
                            .data = std::as_bytes(std::span(&value, 1))};
  return *WriteSafetensors({&tensor, 1});
}

// A model that only knows its info and its weights; it takes no others than one tensor "w".
class FakeModel : public GuessModel {
 public:
  FakeModel(GuessModelInfo info, std::string weights)
      : info_(std::move(info)), weights_(std::move(weights)) {
    info_.weights = DigestOf(weights_);
  }
  const GuessModelInfo& info() const override { return info_; }
  absl::Status Guess(std::span<const float>, int, bool, std::span<float>) override {
    return absl::UnimplementedError("fake");
  }
  absl::StatusOr<std::shared_ptr<GuessModel>> WithWeights(const StateDict& weights, bool whole,
                                                          int64_t version,
                                                          int64_t update) const override {
    const bool known = weights.Find("w") != nullptr;
    if (weights.tensors().size() != (known ? 1u : 0u) || (whole && !known)) {
      return absl::InvalidArgumentError("weights: other tensors");
    }
    GuessModelInfo info = info_;
    info.version = version;
    info.update = update;
    if (!known) return std::make_shared<FakeModel>(info, weights_);
    const WeightTensor tensor{
        .name = "w", .type = WeightType::kInt64, .shape = {}, .data = weights.Find("w")->data};
    return std::make_shared<FakeModel>(info, *WriteSafetensors({&tensor, 1}));
  }
  absl::StatusOr<std::string> Weights() const override { return weights_; }

  // In whole numbers, as its weights are.
  absl::StatusOr<std::string> Average(const StateDict& average, double decay) const override {
    const StateDict own = *StateDict::Parse(weights_);
    return testing::Weights(static_cast<int64_t>(decay * Value(average)) +
                            static_cast<int64_t>((1 - decay) * Value(own)));
  }

 private:
  static double Value(const StateDict& weights) {
    int64_t value = 0;
    std::memcpy(&value, weights.Find("w")->data.data(), sizeof(value));
    return static_cast<double>(value);
  }

  GuessModelInfo info_;
  const std::string weights_;
};

// Of a model for small images.
inline v1::RegisterModelHeader Header(const std::string& name,
                                      const std::string& kind = "torchscript") {
  v1::RegisterModelHeader header;
  header.set_name(name);
  header.set_kind(kind);
  header.set_classes(10);
  *header.mutable_image() = ShapeToProto({});
  header.set_update(5);
  return header;
}

// Of a push to model "m".
inline v1::PushWeightsHeader PushHeader(uint64_t update, uint64_t replaces,
                                        const std::string& weights) {
  v1::PushWeightsHeader header;
  header.set_model("m");
  header.set_update(update);
  header.set_replaces(replaces);
  header.set_weights_bytes(weights.size());
  header.set_digest(DigestOf(weights));
  return header;
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_SERVER_CORE_FAKE_MODEL_H_
