// Random specs at OpenFeed: what does not validate is refused with the same words over the wire, a
// sample of the rest opens, or is refused for what only the data can tell, and gives batches.

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "augment/recipe/presets.h"
#include "server/core/spec_convert.h"
#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using ::testing::ContainsRegex;
using testing::Stubs;

constexpr int kSpecs = testing::Rounds(100'000);
constexpr int kValidOnesForEachOpened = 200;
// A refusal begins with the path of a field of the spec.
constexpr char kFieldFirst[] =
    "^(dataset( \"[^\"]*\")?|batch|seed|plan_version|(recipe|split)(\\.[a-z_]+)+(\\[[0-9]+\\])?) "
    "is ";

// Fills messages with values from inside and outside their ranges.
class RandomMessages {
 public:
  explicit RandomMessages(uint32_t seed) : random_(seed) {}

  v1::FeedSpec Spec() {
    v1::FeedSpec spec;
    const auto presets = Presets();
    spec.mutable_recipe()->set_preset(presets[Below(presets.size())].name);
    spec.set_batch(1 + Below(8));
    for (size_t changes = Below(4); changes > 0; --changes) Change(&spec);
    return spec;
  }

 private:
  uint32_t Below(size_t bound) {
    return std::uniform_int_distribution<uint32_t>(0, static_cast<uint32_t>(bound) - 1)(random_);
  }
  template <typename Value>
  Value OneOf(const std::vector<Value>& values) {
    return values[Below(values.size())];
  }

  // One field of the message or of one inside it.
  void Change(Message* message) {
    const auto* const descriptor = message->GetDescriptor();
    const FieldDescriptor* const field =
        descriptor->field(static_cast<int>(Below(static_cast<size_t>(descriptor->field_count()))));
    const auto* const reflection = message->GetReflection();
    if (field->is_repeated()) return AddTo(*field, message);
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Change(reflection->MutableMessage(message, field));
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection->SetBool(message, field, Below(2) == 1);
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection->SetUInt32(message, field, OneOf(kCounts));
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection->SetUInt64(message, field, OneOf(kCounts));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return reflection->SetDouble(message, field, OneOf(kNumbers));
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection->SetEnumValue(message, field, static_cast<int>(Below(12)) - 1);
      default:
        return reflection->SetString(message, field, OneOf<std::string>({"", "no such", "\x01"}));
    }
  }

  void AddTo(const FieldDescriptor& field, Message* message) {
    const auto* const reflection = message->GetReflection();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
      reflection->AddUInt32(message, &field, OneOf(kCounts));
    } else {
      reflection->AddUInt64(message, &field, OneOf(kCounts));
    }
  }

  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<uint32_t> kCounts = {0, 1, 2, 3, 7, 40, 64, 255, 256, 4096, 4294967295};
  const std::vector<double> kNumbers = {
      -1, 0,  1e-9, 0.01, 0.3,       0.5,        1,
      2,  16, 100,  1e9,  kInfinity, -kInfinity, std::numeric_limits<double>::quiet_NaN()};
  std::mt19937 random_;
};

TEST(OpenFuzzTest, EveryRandomSpecIsOpenedOrRefusedWithAReason) {
  const testing::TestServer server;
  const Stubs stubs(server.address());
  RandomMessages random(1);
  const ::testing::Matcher<const std::string&> names_a_field = ContainsRegex(kFieldFirst);
  int refused = 0, valid = 0, opened = 0;
  for (int i = 0; i < kSpecs; ++i) {
    const v1::FeedSpec spec = random.Spec();
    const absl::Status expected = SpecFromProto(spec).status();
    if (expected.ok() && valid++ % kValidOnesForEachOpened != 0) continue;
    grpc::Status status;
    const v1::OpenFeedResponse feed = testing::Open(stubs, spec, "fuzz", &status);
    if (!expected.ok()) {
      ++refused;
      ASSERT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << spec.DebugString();
      ASSERT_EQ(status.error_message(), std::string(expected.message()));
      ASSERT_THAT(status.error_message(), names_a_field);
      continue;
    }
    if (!status.ok()) {
      ASSERT_NE(status.error_code(), grpc::StatusCode::INTERNAL) << status.error_message();
      ASSERT_NE(status.error_code(), grpc::StatusCode::UNKNOWN) << status.error_message();
      ASSERT_THAT(status.error_message(), names_a_field) << spec.DebugString();
      continue;
    }
    ++opened;
    const v1::Batch batch = testing::GetBatch(stubs, feed.feed_id(), 0, &status);
    if (status.ok()) {
      EXPECT_EQ(batch.header().row_size(), static_cast<int>(batch.header().rows()));
    } else {
      // No model is registered on this server.
      EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION)
          << status.error_message() << spec.DebugString();
      EXPECT_THAT(status.error_message(), names_a_field);
    }
  }
  EXPECT_GT(refused, kSpecs / 10);
  EXPECT_GT(opened, 20);
}

}  // namespace
}  // namespace mixfeed
