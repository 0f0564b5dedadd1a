#include "augment/weights/state_dict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "tests/augment/weights/golden_weights.h"
#include "tests/augment/weights/safetensors_bytes.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LittleEndian64;
using testing::MustParse;
using testing::ReadGolden;
using testing::SafetensorsOf;

constexpr char kOddName[] = "gr\u00f6\u00dfe \"1\"\\\n\x01\x7f";

template <typename Value>
std::vector<Value> ValuesOf(const WeightTensor& tensor) {
  std::vector<Value> values(tensor.data.size() / sizeof(Value));
  if (!values.empty()) std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

// The values, the name of their type and the sizes of a tensor that must be there.
template <typename Value>
void ExpectTensor(const StateDict& weights, const std::string& name, const std::string& type,
                  const std::vector<int64_t>& shape, const std::vector<Value>& values) {
  const WeightTensor* const tensor = weights.Find(name);
  ASSERT_NE(tensor, nullptr) << name;
  EXPECT_EQ(tensor->name, name);
  EXPECT_EQ(NamesOf(tensor->type)[static_cast<size_t>(tensor->type)], type) << name;
  EXPECT_EQ(tensor->shape, shape) << name;
  EXPECT_EQ(ValuesOf<Value>(*tensor), values) << name;
}

std::vector<std::string> NamesIn(const StateDict& weights) {
  std::vector<std::string> names;
  for (const WeightTensor& tensor : weights.tensors()) names.push_back(tensor.name);
  return names;
}

// Whether the tensors' data lie one after another at the end of the bytes.
bool PointsIntoItsBytes(const StateDict& weights) {
  const auto bytes = std::as_bytes(std::span(weights.bytes()));
  size_t size = 0;
  for (const WeightTensor& tensor : weights.tensors()) size += tensor.data.size();
  const std::byte* at = bytes.data() + bytes.size() - size;
  for (const WeightTensor& tensor : weights.tensors()) {
    if (tensor.data.data() != at) return false;
    at += tensor.data.size();
  }
  return true;
}

TEST(StateDictTest, ReadsAFileWrittenByHand) {
  const std::string data = std::string("\x00\x00\x80\x3F\x00\x00\x00\xC0", 8) +  // 1, -2
                           LittleEndian64(7);
  const std::string bytes =
      SafetensorsOf(R"({"n":{"dtype":"I64","shape":[],"data_offsets":[8,16]},)"
                    R"("w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}})",
                    data);
  const StateDict weights = MustParse(bytes);
  ExpectTensor<float>(weights, "w", "F32", {2, 1}, {1, -2});
  ExpectTensor<int64_t>(weights, "n", "I64", {}, {7});
  EXPECT_EQ(weights.bytes(), bytes);
}

// Spaces, escapes and the order of fields are the writer's choice.
TEST(StateDictTest, ReadsAnyJsonOfTheForm) {
  const StateDict weights = MustParse(SafetensorsOf(
      "{ \"\\u00e9\\ud83d\\ude00\" :\n{\t\"data_offsets\": [ 0 , 2 ], \"shape\": [1,1 ,1],\r"
      "\"dtype\": \"\\u00461\\u0036\"}, \"__metadata__\": {} }  \n",
      "ab"));
  ExpectTensor<uint16_t>(weights, "\u00e9\U0001f600", "F16", {1, 1, 1}, {0x6261});
}

void ExpectGoldenTensors(const StateDict& weights) {
  ExpectTensor<float>(
      weights, "conv.weight", "F32", {2, 1, 1, 2},
      {0.1f, -2.5f, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::max()});
  ExpectTensor<double>(weights, "bn.running_mean", "F64", {2}, {1.0 / 3, -1e300});
  ExpectTensor<int64_t>(weights, "bn.num_batches_tracked", "I64", {}, {-1'099'511'627'777});
  ExpectTensor<uint16_t>(weights, "head.bias", "F16", {3}, {0x3C00, 0xC100, 0x7BFF});
  ExpectTensor<uint16_t>(weights, "head.weight", "BF16", {1, 3}, {0x3F80, 0xC020, 0x7F7F});
  ExpectTensor<float>(weights, "nothing", "F32", {0, 3}, {});
  ExpectTensor<float>(weights, kOddName, "F32", {1}, {7});
  EXPECT_EQ(weights.tensors().size(), 7);
}

TEST(StateDictTest, ReadsWhatTheFormsAuthorsWrite) {
  ExpectGoldenTensors(MustParse(ReadGolden("weights.safetensors")));
  ExpectGoldenTensors(MustParse(ReadGolden("weights_with_metadata.safetensors")));
}

TEST(StateDictTest, GivesItsBytesAway) {
  const std::string bytes = ReadGolden("weights_with_metadata.safetensors");
  EXPECT_EQ(MustParse(bytes).TakeBytes(), bytes);
}

TEST(StateDictTest, TensorsAreInTheOrderOfTheirOffsets) {
  const StateDict weights =
      MustParse(SafetensorsOf(R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[4,6]},)"
                              R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                              R"("c":{"dtype":"F16","shape":[1],"data_offsets":[6,8]},)"
                              R"("e":{"dtype":"F64","shape":[0],"data_offsets":[6,6]},)"
                              R"("d":{"dtype":"F64","shape":[0],"data_offsets":[6,6]}})",
                              "12345678"));
  EXPECT_THAT(NamesIn(weights), ElementsAre("b", "a", "e", "d", "c"));
  EXPECT_TRUE(PointsIntoItsBytes(weights));
}

TEST(StateDictTest, AFileMayHaveNoTensors) {
  for (const char* header : {"{}", "{}      ", R"({"__metadata__":{"format":"pt"}})"}) {
    const StateDict weights = MustParse(SafetensorsOf(header, ""));
    EXPECT_THAT(weights.tensors(), IsEmpty());
    EXPECT_EQ(weights.Find("w"), nullptr);
  }
}

TEST(StateDictTest, FindsOnlyWholeNames) {
  const StateDict weights = MustParse(ReadGolden("weights_with_metadata.safetensors"));
  for (const char* name : {"", "conv", "conv.weight2", "zzz", "__metadata__", "format"}) {
    EXPECT_EQ(weights.Find(name), nullptr) << name;
  }
}

TEST(StateDictTest, MovesWithItsBytes) {
  static_assert(!std::is_copy_constructible_v<StateDict>);
  StateDict first = MustParse(ReadGolden("weights.safetensors"));
  const std::byte* const data = first.Find("conv.weight")->data.data();
  const auto shared = std::make_shared<const StateDict>(std::move(first));
  EXPECT_EQ(shared->Find("conv.weight")->data.data(), data);
  EXPECT_TRUE(PointsIntoItsBytes(*shared));
  ExpectGoldenTensors(*shared);
}

// A tensor of zero bytes, whatever it needs; `memory` keeps them.
WeightTensor ZeroTensor(const std::string& name, WeightType type, std::vector<int64_t> shape,
                        std::string* memory) {
  size_t bytes = BytesOf(type);
  for (const int64_t size : shape) bytes *= static_cast<size_t>(size);
  memory->assign(bytes, '\0');
  return {.name = name,
          .type = type,
          .shape = std::move(shape),
          .data = std::as_bytes(std::span(*memory))};
}

TEST(WriteSafetensorsTest, WritesTheBytesThatTheFormsAuthorsWrite) {
  const std::string golden = ReadGolden("weights.safetensors");
  const StateDict weights = MustParse(golden);
  EXPECT_EQ(*WriteSafetensors(weights.tensors()), golden);
  const std::vector<WeightTensor> reversed(weights.tensors().rbegin(), weights.tensors().rend());
  EXPECT_EQ(*WriteSafetensors(reversed), golden);
}

TEST(WriteSafetensorsTest, NothingIsAnEmptyObject) {
  EXPECT_EQ(*WriteSafetensors({}), SafetensorsOf("{}      ", ""));
}

// The error of writing these tensors.
std::string WritingError(const std::vector<WeightTensor>& tensors) {
  const absl::Status status = WriteSafetensors(tensors).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

TEST(WriteSafetensorsTest, RefusesTwoTensorsOfOneName) {
  std::string memory[2];
  const WeightTensor one = ZeroTensor("w", WeightType::kFloat32, {1}, &memory[0]);
  const WeightTensor other = ZeroTensor("w", WeightType::kInt64, {}, &memory[1]);
  EXPECT_EQ(WritingError({one, other}),
            "safetensors: tensor 'w' is there twice; allowed: every name once");
}

TEST(WriteSafetensorsTest, RefusesDataThatDoNotFitTheShape) {
  std::string memory;
  WeightTensor tensor = ZeroTensor("w", WeightType::kFloat16, {2, 3}, &memory);
  tensor.data = tensor.data.first(11);
  EXPECT_EQ(WritingError({tensor}),
            "safetensors: tensor 'w': data is 11 bytes; allowed: 12, as its shape [2, 3] of F16 "
            "asks for");
}

TEST(WriteSafetensorsTest, RefusesShapesThatNoTensorHas) {
  const int64_t max = std::numeric_limits<int64_t>::max();
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{
           {-1}, {2, -3}, {max}, {max, max}, {0, max}, {max, 0}, {1 << 30, 1 << 30, 1}}) {
    WeightTensor tensor{.name = "w", .type = WeightType::kFloat64, .shape = shape, .data = {}};
    EXPECT_THAT(WritingError({tensor}), HasSubstr("allowed: sizes from 0 that make less than 2^63"))
        << ::testing::PrintToString(shape);
  }
  std::string memory;
  EXPECT_THAT(
      WritingError({ZeroTensor("w", WeightType::kFloat32, std::vector<int64_t>(65, 1), &memory)}),
      HasSubstr("shape is of 65 dimensions; allowed: at most 64"));
}

TEST(WriteSafetensorsTest, RefusesNamesThatAHeaderCannotHave) {
  std::string memory;
  for (const std::string name : {"__metadata__", "\xff", "\xc3", "\xed\xa0\x80"}) {
    EXPECT_THAT(WritingError({ZeroTensor(name, WeightType::kFloat32, {1}, &memory)}),
                HasSubstr("allowed: UTF-8 other than __metadata__"));
  }
  EXPECT_THAT(WritingError({ZeroTensor("\xff", WeightType::kFloat32, {1}, &memory)}),
              HasSubstr("tensor '\\xff'"));
}

TEST(WriteSafetensorsTest, RefusesAHeaderThatNobodyReads) {
  std::string memory;
  const std::string name(100'000'000, 'n');
  EXPECT_THAT(WritingError({ZeroTensor(name, WeightType::kFloat32, {1}, &memory)}),
              HasSubstr("length of the header is 100000056; allowed: 0..100000000"));
}

TEST(WriteSafetensorsTest, AnyUtf8NameArrives) {
  std::string memory;
  for (const std::string& name : {std::string(), std::string("a\0b", 3), std::string("\ufffd")}) {
    const StateDict weights =
        MustParse(*WriteSafetensors({{ZeroTensor(name, WeightType::kFloat32, {}, &memory)}}));
    ExpectTensor<float>(weights, name, "F32", {}, {0});
  }
}

// A file of one tensor, "w", with these values of a type.
template <typename Bits>
StateDict WeightsOf(WeightType type, const std::vector<Bits>& values) {
  const WeightTensor tensor{.name = "w",
                            .type = type,
                            .shape = {static_cast<int64_t>(values.size())},
                            .data = std::as_bytes(std::span(values))};
  return MustParse(*WriteSafetensors({{tensor}}));
}

TEST(CheckFiniteTest, TheLargestAndTheSmallestNumbersAreFinite) {
  const double max = std::numeric_limits<double>::max();
  const double least = std::numeric_limits<double>::denorm_min();
  EXPECT_TRUE(CheckFinite(WeightsOf<double>(WeightType::kFloat64, {max, -max, least, 0})).ok());
  const float max32 = std::numeric_limits<float>::max();
  EXPECT_TRUE(CheckFinite(WeightsOf<float>(WeightType::kFloat32, {max32, -max32, -0.0f})).ok());
  // 65504, -65504, the least subnormal, -0.
  EXPECT_TRUE(
      CheckFinite(WeightsOf<uint16_t>(WeightType::kFloat16, {0x7BFF, 0xFBFF, 1, 0x8000})).ok());
  EXPECT_TRUE(
      CheckFinite(WeightsOf<uint16_t>(WeightType::kBfloat16, {0x7F7F, 0xFF7F, 1, 0x8000})).ok());
  EXPECT_TRUE(CheckFinite(MustParse(ReadGolden("weights.safetensors"))).ok());
}

TEST(CheckFiniteTest, IntegersAreFinite) {
  EXPECT_TRUE(
      CheckFinite(WeightsOf<uint64_t>(WeightType::kInt64, {0x7FF0'0000'0000'0000, ~uint64_t{0}}))
          .ok());
}

// What CheckFinite finds at place 1, behind a zero.
template <typename Bits>
std::string OddityIn(WeightType type, Bits odd) {
  const absl::Status status = CheckFinite(WeightsOf<Bits>(type, {Bits(0), odd, odd}));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

std::string OddityMessage(const std::string& value) {
  return absl::StrCat("safetensors: tensor 'w': value 1 is ", value, "; allowed: finite numbers");
}

TEST(CheckFiniteTest, NamesTheValueInFloat64AndFloat32) {
  const double inf = std::numeric_limits<double>::infinity();
  const auto type = WeightType::kFloat64;
  EXPECT_EQ(OddityIn<double>(type, inf), OddityMessage("inf"));
  EXPECT_EQ(OddityIn<double>(type, -inf), OddityMessage("-inf"));
  EXPECT_EQ(OddityIn<double>(type, std::numeric_limits<double>::quiet_NaN()), OddityMessage("nan"));
  EXPECT_EQ(OddityIn<uint64_t>(type, 0xFFF0'0000'0000'0001), OddityMessage("nan"));
  const float inf32 = std::numeric_limits<float>::infinity();
  EXPECT_EQ(OddityIn<float>(WeightType::kFloat32, inf32), OddityMessage("inf"));
  EXPECT_EQ(OddityIn<float>(WeightType::kFloat32, -inf32), OddityMessage("-inf"));
  EXPECT_EQ(OddityIn<uint32_t>(WeightType::kFloat32, 0x7F80'0001), OddityMessage("nan"));
}

TEST(CheckFiniteTest, NamesTheValueInFloat16AndBfloat16) {
  EXPECT_EQ(OddityIn<uint16_t>(WeightType::kFloat16, 0x7C00), OddityMessage("inf"));
  EXPECT_EQ(OddityIn<uint16_t>(WeightType::kFloat16, 0xFC00), OddityMessage("-inf"));
  EXPECT_EQ(OddityIn<uint16_t>(WeightType::kFloat16, 0x7C01), OddityMessage("nan"));
  EXPECT_EQ(OddityIn<uint16_t>(WeightType::kFloat16, 0xFE00), OddityMessage("nan"));
  EXPECT_EQ(OddityIn<uint16_t>(WeightType::kBfloat16, 0x7F80), OddityMessage("inf"));
  EXPECT_EQ(OddityIn<uint16_t>(WeightType::kBfloat16, 0xFF80), OddityMessage("-inf"));
  EXPECT_EQ(OddityIn<uint16_t>(WeightType::kBfloat16, 0x7F81), OddityMessage("nan"));
  EXPECT_EQ(OddityIn<uint16_t>(WeightType::kBfloat16, 0xFFC0), OddityMessage("nan"));
}

TEST(CheckFiniteTest, NamesTheFirstOfMany) {
  constexpr size_t kMany = 3000;
  for (const size_t place : {size_t{0}, size_t{1023}, size_t{1024}, size_t{2047}, kMany - 1}) {
    std::vector<float> values(kMany, 1.0f);
    values[place] = values[kMany - 1] = std::numeric_limits<float>::infinity();
    const absl::Status status = CheckFinite(WeightsOf<float>(WeightType::kFloat32, values));
    EXPECT_EQ(std::string(status.message()), absl::StrCat("safetensors: tensor 'w': value ", place,
                                                          " is inf; allowed: finite numbers"));
  }
}

// Every value of two bytes, against the compiler's float of the same upper half.
TEST(CheckFiniteTest, AgreesWithTheCompilerOnEveryBfloat16) {
  for (uint32_t bits = 0; bits < 0x1'0000; ++bits) {
    const bool finite = std::isfinite(std::bit_cast<float>(bits << 16));
    const std::vector<uint16_t> values = {static_cast<uint16_t>(bits)};
    ASSERT_EQ(CheckFinite(WeightsOf(WeightType::kBfloat16, values)).ok(), finite) << bits;
  }
}

TEST(CheckFiniteTest, NamesTheFirstOfSeveralTensors) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values = {0, 1, nan, nan};
  const auto bytes = std::as_bytes(std::span(values));
  const std::vector<WeightTensor> tensors = {
      {.name = "a", .type = WeightType::kFloat32, .shape = {1, 2}, .data = bytes.first(8)},
      {.name = "b", .type = WeightType::kFloat32, .shape = {3}, .data = bytes.first(12)},
      {.name = "c", .type = WeightType::kFloat32, .shape = {2, 2}, .data = bytes}};
  EXPECT_THAT(CheckFinite(MustParse(*WriteSafetensors(tensors))).message(),
              HasSubstr("tensor 'b': value 2 is nan"));
}

// xxhsum -H2 prints these; the first is also in xxHash's own test vectors.
TEST(DigestOfTest, IsWhatXxhsumPrints) {
  EXPECT_EQ(DigestOf(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(DigestOf("abc"), "06b05ab6733a618578af5f94892f3950");
  std::string bytes;
  for (int i = 0; i < 1024; ++i) bytes += static_cast<char>(i % 256);
  EXPECT_EQ(DigestOf(bytes), "83885e853bb6640ca870f92984398d22");
}

struct Named {
  std::string name;
  WeightType type = WeightType::kFloat32;
  std::vector<int64_t> shape = {1};
};

StateDict WithoutWrappers(const std::vector<Named>& names) {
  std::vector<std::string> memory(names.size());
  std::vector<WeightTensor> tensors;
  for (size_t i = 0; i < names.size(); ++i) {
    tensors.push_back(ZeroTensor(names[i].name, names[i].type, names[i].shape, &memory[i]));
  }
  return MustParse(*WriteSafetensors(tensors)).WithoutWrapperPrefixes();
}

const Named kAverageCount = {"n_averaged", WeightType::kInt64, {}};

TEST(WrapperPrefixesTest, GoWhenAllNamesHaveThem) {
  for (const std::string prefix :
       {"", "module.", "_orig_mod.", "module.module.", "_orig_mod.module.", "module._orig_mod."}) {
    const StateDict weights = WithoutWrappers({{prefix + "conv.weight"}, {prefix + "fc.module.b"}});
    EXPECT_THAT(NamesIn(weights), ElementsAre("conv.weight", "fc.module.b")) << prefix;
    EXPECT_NE(weights.Find("fc.module.b"), nullptr);
    EXPECT_EQ(weights.Find("module.conv.weight"), nullptr);
  }
}

TEST(WrapperPrefixesTest, StayWhenANameLacksThem) {
  EXPECT_THAT(NamesIn(WithoutWrappers({{"fc.b"}, {"module.w"}})), ElementsAre("fc.b", "module.w"));
  EXPECT_THAT(NamesIn(WithoutWrappers({{"module._orig_mod.w"}, {"module.b"}})),
              ElementsAre("_orig_mod.w", "b"));
  EXPECT_THAT(NamesIn(WithoutWrappers({{"_orig_mod.w"}, {"module.w"}})),
              ElementsAre("_orig_mod.w", "module.w"));
  EXPECT_THAT(NamesIn(WithoutWrappers({{"module"}, {"module.w"}})),
              ElementsAre("module", "module.w"));
}

TEST(WrapperPrefixesTest, LeaveAName) {
  EXPECT_THAT(NamesIn(WithoutWrappers({{"module.module."}})), ElementsAre("module."));
  EXPECT_THAT(NamesIn(WithoutWrappers({})), IsEmpty());
}

TEST(WrapperPrefixesTest, AveragedModelsCountGoesWithItsPrefix) {
  EXPECT_THAT(NamesIn(WithoutWrappers({kAverageCount, {"module.w"}})), ElementsAre("w"));
  EXPECT_THAT(NamesIn(WithoutWrappers({kAverageCount, {"module._orig_mod.w"}})), ElementsAre("w"));
  EXPECT_THAT(NamesIn(WithoutWrappers(
                  {{"_orig_mod.n_averaged", WeightType::kInt64, {}}, {"_orig_mod.module.w"}})),
              ElementsAre("w"));
}

TEST(WrapperPrefixesTest, OtherTensorsNamedSoStay) {
  const Named weight = {"n_averaged", WeightType::kFloat32, {}};
  const Named vector = {"n_averaged", WeightType::kInt64, {1}};
  EXPECT_THAT(NamesIn(WithoutWrappers({weight, {"module.w"}})),
              ElementsAre("module.w", "n_averaged"));
  EXPECT_THAT(NamesIn(WithoutWrappers({vector, {"module.w"}})),
              ElementsAre("n_averaged", "module.w"));
  EXPECT_THAT(NamesIn(WithoutWrappers({kAverageCount})), ElementsAre("n_averaged"));
  EXPECT_THAT(NamesIn(WithoutWrappers({kAverageCount, {"w"}})), ElementsAre("n_averaged", "w"));
  EXPECT_THAT(NamesIn(WithoutWrappers({kAverageCount, {"_orig_mod.w"}})),
              ElementsAre("n_averaged", "_orig_mod.w"));
}

TEST(WrapperPrefixesTest, BytesAndDataStay) {
  std::string memory;
  const std::string bytes =
      *WriteSafetensors({{ZeroTensor("module.w", WeightType::kFloat32, {2}, &memory)}});
  const StateDict weights = MustParse(bytes).WithoutWrapperPrefixes();
  EXPECT_EQ(weights.bytes(), bytes);
  ExpectTensor<float>(weights, "w", "F32", {2}, {0, 0});
  EXPECT_TRUE(PointsIntoItsBytes(weights));
}

TEST(StateDictTest, KnowsWhetherItsBytesAreWhatIsWritten) {
  EXPECT_TRUE(MustParse(ReadGolden("weights.safetensors")).IsInWrittenForm());
  EXPECT_FALSE(MustParse(ReadGolden("weights_with_metadata.safetensors")).IsInWrittenForm());
  std::string memory;
  const std::string written =
      *WriteSafetensors({{ZeroTensor("module.w", WeightType::kFloat32, {2}, &memory)}});
  EXPECT_TRUE(MustParse(written).IsInWrittenForm());
  EXPECT_FALSE(MustParse(written).WithoutWrapperPrefixes().IsInWrittenForm());
  // The order of the tensors differs, and nothing else.
  EXPECT_FALSE(MustParse(SafetensorsOf(R"({"b":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},)"
                                       R"("a":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}})",
                                       "1234"))
                   .IsInWrittenForm());
}

}  // namespace
}  // namespace mixfeed
