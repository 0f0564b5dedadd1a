// What StateDict::Parse makes of bytes that are no safetensors file: InvalidArgument, in little
// time and memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "augment/weights/state_dict.h"
#include "tests/augment/weights/golden_weights.h"
#include "tests/augment/weights/safetensors_bytes.h"
#include "tests/testing/allocation_counter.h"
#include "tests/testing/sanitizers.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using testing::LittleEndian64;
using testing::ReadGolden;
using testing::SafetensorsOf;

constexpr char kHeaderForm[] =
    "; allowed: a JSON object {\"NAME\": {\"dtype\", \"shape\", \"data_offsets\"}, ...}";

// What Parse says against these bytes.
std::string ErrorOf(const std::string& bytes) {
  const absl::Status status = StateDict::Parse(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

// The same of a header with 8 bytes of data, without the "safetensors: " in front.
std::string HeaderError(const std::string& header) {
  const std::string error = ErrorOf(SafetensorsOf(header, "12345678"));
  EXPECT_TRUE(error.starts_with("safetensors: ")) << error;
  return error.substr(sizeof("safetensors: ") - 1);
}

// The same of a header of one tensor, "w", that has these fields.
std::string FieldsError(const std::string& fields) {
  const std::string error = HeaderError(absl::StrCat("{\"w\":{", fields, "}}"));
  EXPECT_TRUE(error.starts_with("tensor 'w'")) << error;
  return error;
}
std::string ShapeError(const std::string& shape) {
  return FieldsError(absl::StrCat(R"("dtype":"F32","data_offsets":[0,8],"shape":)", shape));
}
std::string OffsetsError(const std::string& offsets) {
  return FieldsError(absl::StrCat(R"("dtype":"F32","shape":[2],"data_offsets":)", offsets));
}

// A tensor in a header, of F32.
std::string EntryOf(const std::string& name, int values, int begin, int end) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"F32\",\"shape\":[", values,
                      "],\"data_offsets\":[", begin, ",", end, "]}");
}

TEST(HostileSafetensorsTest, ShorterThanALength) {
  for (const std::string bytes : {"", "1234567"}) {
    EXPECT_EQ(ErrorOf(bytes), absl::StrCat("safetensors: size is ", bytes.size(),
                                           " bytes; allowed: at least 8, the length of the "
                                           "header"));
  }
}

TEST(HostileSafetensorsTest, AHeaderBeyondTheEnd) {
  EXPECT_EQ(ErrorOf(LittleEndian64(3) + "{}"),
            "safetensors: length of the header is 3; allowed: 0..2");
  EXPECT_EQ(ErrorOf(LittleEndian64(~uint64_t{0}) + "{}"),
            "safetensors: length of the header is 18446744073709551615; allowed: 0..2");
}

TEST(HostileSafetensorsTest, AHeaderAboveTheLimit) {
  std::string header = "{}";
  header.resize(100'000'001, ' ');
  EXPECT_EQ(ErrorOf(SafetensorsOf(header, "")),
            "safetensors: length of the header is 100000001; allowed: 0..100000000");
  header.pop_back();
  EXPECT_TRUE(StateDict::Parse(SafetensorsOf(header, "")).ok());
}

TEST(HostileSafetensorsTest, NoJson) {
  EXPECT_EQ(HeaderError(""), absl::StrCat("header is no JSON from its byte 1 on", kHeaderForm));
  EXPECT_EQ(HeaderError("{]"), absl::StrCat("header is no JSON from its byte 2 on", kHeaderForm));
  for (const char* header :
       {" {}", "\xEF\xBB\xBF{}", "{", "{\"a\"", "{\"a\":", "{}{}", "{}x", "{},",
        "{\"__metadata__\":{}", "{'a':{}}", "{\"__metadata__\":{},}", "{/**/}", "{\"\xff\":{}}",
        R"({"\ud800":{}})", R"({"\x":{}})", "{\"a\n\":{}}", R"({"w":{"shape":[01]}})",
        R"({"w":{"shape":[1e999]}})"}) {
    EXPECT_THAT(HeaderError(header), HasSubstr("header is no JSON from its byte")) << header;
  }
}

// The JSON parser takes it for the end.
TEST(HostileSafetensorsTest, AZeroByteInTheHeader) {
  EXPECT_EQ(HeaderError(std::string("{}\0x", 4)),
            absl::StrCat("header is no JSON from its byte 3 on", kHeaderForm));
  EXPECT_THAT(HeaderError(std::string("{}\0", 3)), HasSubstr("no JSON from its byte 3 on"));
}

TEST(HostileSafetensorsTest, OtherJson) {
  for (const char* header : {"[]", "null", "\"w\"", "7", "true"}) {
    EXPECT_THAT(HeaderError(header), HasSubstr("header is no JSON from its byte 1 on")) << header;
  }
  for (const auto& [value, given] : {std::pair("null", "null"),
                                     {"true", "true"},
                                     {"false", "false"},
                                     {"7", "7"},
                                     {"-7", "-7"},
                                     {"1.50", "1.50"},
                                     {"\"F32\"", "'F32'"},
                                     {"[]", "an array"}}) {
    EXPECT_EQ(HeaderError(absl::StrCat("{\"w\":", value, "}")),
              absl::StrCat("tensor 'w' is ", given,
                           "; allowed: an object of dtype, shape, data_offsets, each once"));
  }
}

TEST(HostileSafetensorsTest, FieldsThatAreNotThere) {
  EXPECT_EQ(FieldsError(""),
            "tensor 'w' is an object of 0 fields; allowed: dtype, shape, data_offsets, each once");
  for (const char* fields :
       {R"("shape":[2],"data_offsets":[0,8])", R"("dtype":"F32","data_offsets":[0,8])",
        R"("dtype":"F32","shape":[2])"}) {
    EXPECT_THAT(FieldsError(fields), HasSubstr("is an object of 2 fields"));
  }
}

TEST(HostileSafetensorsTest, FieldsThatAreThereTwice) {
  for (const std::string field : {"dtype", "shape", "data_offsets"}) {
    EXPECT_EQ(FieldsError(absl::StrCat(R"("dtype":"F32","shape":[2],"data_offsets":[0,8],")", field,
                                       "\":1")),
              absl::StrCat("tensor 'w': second field is '", field,
                           "'; allowed: dtype, shape, data_offsets, each once"));
  }
}

TEST(HostileSafetensorsTest, FieldsThatTheFormDoesNotHave) {
  EXPECT_EQ(FieldsError(R"("offsets":[0,8])"),
            "tensor 'w': field is 'offsets'; allowed: dtype, shape, data_offsets, each once");
}

TEST(HostileSafetensorsTest, UnknownTypes) {
  EXPECT_EQ(FieldsError(R"("dtype":"F8_E4M3")"),
            "tensor 'w': dtype is 'F8_E4M3'; allowed: F64, F32, F16, BF16, I64");
  EXPECT_EQ(FieldsError(R"("dtype":1)"),
            "tensor 'w': dtype is 1; allowed: F64, F32, F16, BF16, I64");
  for (const char* type : {"\"\"", "\"f32\"", "\"BOOL\"", "\"U8\"", "\"I32\"", "null", "{}"}) {
    EXPECT_THAT(FieldsError(absl::StrCat("\"dtype\":", type)),
                HasSubstr("; allowed: F64, F32, F16, BF16, I64"));
  }
}

TEST(HostileSafetensorsTest, Shapes) {
  EXPECT_EQ(ShapeError("[2,-1]"), "tensor 'w': shape[1] is -1; allowed: 0..9223372036854775807");
  for (const auto& [size, given] : {std::pair("9223372036854775808", "9223372036854775808"),
                                    {"99999999999999999999999", "99999999999999999999999"},
                                    {"2.0", "2.0"},
                                    {"2e0", "2e0"},
                                    {"-0", "-0"},
                                    {"\"2\"", "'2'"},
                                    {"null", "null"},
                                    {"[2]", "an array"},
                                    {"{}", "an object"}}) {
    EXPECT_EQ(ShapeError(absl::StrCat("[", size, "]")),
              absl::StrCat("tensor 'w': shape[0] is ", given, "; allowed: 0..9223372036854775807"));
  }
  EXPECT_EQ(ShapeError("2"), "tensor 'w': shape is 2; allowed: an array of sizes");
}

TEST(HostileSafetensorsTest, ShapesThatOverflow) {
  for (const char* shape :
       {"[9223372036854775807]", "[2305843009213693952]", "[2147483648, 2147483648, 2]",
        "[4294967296, 4294967296]", "[4294967296, 4294967296, 0]", "[0, 4294967296, 4294967296]"}) {
    EXPECT_EQ(ShapeError(shape),
              absl::StrCat("tensor 'w': shape is ", shape,
                           "; allowed: sizes from 0 that make less than 2^63 bytes"));
  }
}

TEST(HostileSafetensorsTest, ManyDimensions) {
  std::string ones = "2";
  for (int i = 0; i < 63; ++i) ones += ",1";
  const std::string header = R"({"w":{"dtype":"F32","data_offsets":[0,8],"shape":[)";
  EXPECT_TRUE(StateDict::Parse(SafetensorsOf(header + ones + "]}}", "12345678")).ok());
  EXPECT_EQ(ShapeError("[" + ones + ",1]"),
            "tensor 'w': shape is of more than 64 dimensions; allowed: at most 64");
}

TEST(HostileSafetensorsTest, OffsetsThatAreNoPair) {
  EXPECT_EQ(OffsetsError("[]"), "tensor 'w': data_offsets is an array of 0; allowed: two offsets");
  EXPECT_EQ(OffsetsError("[0]"), "tensor 'w': data_offsets is an array of 1; allowed: two offsets");
  EXPECT_EQ(OffsetsError("[0,8,8]"),
            "tensor 'w': data_offsets is an array of more; allowed: two offsets");
  EXPECT_EQ(OffsetsError("8"), "tensor 'w': data_offsets is 8; allowed: an array of two offsets");
  EXPECT_EQ(OffsetsError("[0,-8]"),
            "tensor 'w': data_offsets[1] is -8; allowed: 0 to the size of the data");
  for (const char* offsets :
       {"[0,8.0]", "[0,\"8\"]", "[0,[8]]", "[0,18446744073709551616]", "[null,8]"}) {
    EXPECT_THAT(OffsetsError(offsets), HasSubstr("; allowed: 0 to the size of the data"));
  }
}

TEST(HostileSafetensorsTest, OffsetsOutOfRange) {
  EXPECT_EQ(OffsetsError("[0,9]"),
            "tensor 'w': data_offsets is [0, 9]; allowed: [0, END], without a hole or an overlap, "
            "and END at most 8");
  for (const char* offsets :
       {"[8,0]", "[4,8]", "[4,2]", "[9,17]", "[0,18446744073709551615]",
        "[18446744073709551615,18446744073709551615]", "[18446744073709551608,8]"}) {
    EXPECT_THAT(OffsetsError(offsets), HasSubstr("; allowed: [0, END], without a hole"));
  }
}

TEST(HostileSafetensorsTest, DataThatDoNotFitTheShape) {
  EXPECT_EQ(ShapeError("[3]"),
            "tensor 'w': data is 8 bytes; allowed: 12, as its shape [3] of F32 asks for");
  EXPECT_EQ(ShapeError("[2, 0]"),
            "tensor 'w': data is 8 bytes; allowed: 0, as its shape [2, 0] of F32 asks for");
  EXPECT_EQ(ShapeError("[]"),
            "tensor 'w': data is 8 bytes; allowed: 4, as its shape [] of F32 asks for");
}

TEST(HostileSafetensorsTest, Overlaps) {
  EXPECT_EQ(HeaderError(absl::StrCat("{", EntryOf("a", 1, 0, 4), ",", EntryOf("b", 1, 2, 6), "}")),
            "tensor 'b': data_offsets is [2, 6]; allowed: [4, END], without a hole or an overlap, "
            "and END at most 8");
  EXPECT_THAT(
      HeaderError(absl::StrCat("{", EntryOf("a", 2, 0, 8), ",", EntryOf("b", 2, 0, 8), "}")),
      HasSubstr("tensor 'b': data_offsets is [0, 8]"));
}

TEST(HostileSafetensorsTest, Holes) {
  EXPECT_EQ(HeaderError(absl::StrCat("{", EntryOf("b", 0, 8, 8), ",", EntryOf("a", 1, 0, 4), "}")),
            "tensor 'b': data_offsets is [8, 8]; allowed: [4, END], without a hole or an overlap, "
            "and END at most 8");
}

TEST(HostileSafetensorsTest, TrailingBytes) {
  EXPECT_EQ(HeaderError(absl::StrCat("{", EntryOf("a", 1, 0, 4), "}")),
            "data is 8 bytes; allowed: 4, where the last tensor ends");
  EXPECT_EQ(HeaderError("{}"), "data is 8 bytes; allowed: 0, where the last tensor ends");
}

TEST(HostileSafetensorsTest, TwoTensorsOfOneName) {
  EXPECT_EQ(HeaderError(absl::StrCat("{", EntryOf("a", 1, 0, 4), ",", EntryOf("b", 0, 4, 4), ",",
                                     EntryOf("\\u0061", 1, 4, 8), "}")),
            "tensor 'a' is there twice; allowed: every name once");
}

TEST(HostileSafetensorsTest, MetadataThatIsNoMapOfTexts) {
  EXPECT_EQ(HeaderError(R"({"__metadata__":[]})"),
            "__metadata__ is an array; allowed: an object of texts");
  EXPECT_EQ(HeaderError(R"({"__metadata__":{"a":"b","c":1}})"),
            "__metadata__ is 1; allowed: an object of texts");
  EXPECT_EQ(HeaderError(R"({"__metadata__":{"a":{}}})"),
            "__metadata__ is an object; allowed: an object of texts");
  EXPECT_EQ(HeaderError(R"({"__metadata__":{"a":"b","a":"c"}})"),
            "__metadata__: second key is 'a'; allowed: every key once");
  EXPECT_EQ(HeaderError(R"({"__metadata__":{},"__metadata__":{}})"),
            "header is twice __metadata__; allowed: once");
}

TEST(HostileSafetensorsTest, ManyKeysOfMetadata) {
  std::string keys;
  for (int i = 0; i < 10'000; ++i) absl::StrAppend(&keys, i == 0 ? "" : ",", "\"", i, "\":\"\"");
  EXPECT_TRUE(StateDict::Parse(SafetensorsOf("{\"__metadata__\":{" + keys + "}}", "")).ok());
  EXPECT_EQ(HeaderError("{\"__metadata__\":{" + keys + R"(,"one more":""}})"),
            "__metadata__ is of more than 10000 keys; allowed: at most 10000");
}

TEST(HostileSafetensorsTest, MessagesStayShortAndPrintable) {
  const std::string name = "\\u0000\\n\u00e9" + std::string(100'000, 'x');
  const std::string error = HeaderError("{\"" + name + "\":7}");
  EXPECT_TRUE(error.starts_with("tensor '\\x00\\n\\xc3\\xa9xxx")) << error;
  EXPECT_THAT(error, HasSubstr("xxx...' is 7"));
  EXPECT_LT(error.size(), 400);
  EXPECT_LT(ShapeError("[0." + std::string(100'000, '9') + "]").size(), 400);
  EXPECT_LT(FieldsError("\"" + std::string(100'000, 'x') + "\":1").size(), 400);
  EXPECT_LT(FieldsError("\"dtype\":\"" + std::string(100'000, 'x') + '"').size(), 400);
  EXPECT_LT(HeaderError("{\"" + std::string(100'000, 'x')).size(), 400);
}

std::string Repeated(const std::string& text, size_t bytes) {
  std::string all;
  while (all.size() < bytes) all += text;
  return all;
}

// `separator` before every number from 0 and `after` behind it, until there are so many bytes.
std::string Numbered(const std::string& before, const std::string& after, size_t bytes) {
  std::string all;
  for (int i = 0; all.size() < bytes; ++i) {
    absl::StrAppend(&all, i == 0 ? "" : ",", before, i, after);
  }
  return all;
}

TEST(HostileSafetensorsTest, TakeMemoryInProportionToTheirSize) {
  constexpr size_t kBytes = 4'000'000;
  // Asked for in one piece, and in all, also what was freed: the parser's messages, which nobody
  // reads, take it several times.
  constexpr int64_t kMostAtOnce = 4 * int64_t{kBytes};
  constexpr int64_t kMost = 24 * int64_t{kBytes};
  const std::string tensors =
      Numbered("\"", R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})", kBytes);
  const std::string headers[] = {
      "{" + tensors + "}",
      "{\"__metadata__\":{" + Numbered("\"", "\":\"\"", kBytes) + "}}",
      Repeated("[", kBytes),
      Repeated("{\"a\":", kBytes),
      R"({"w":{"shape":)" + Repeated("[", kBytes),
      R"({"w":{"shape":[)" + Repeated("0,", kBytes) + "0]}}",
      R"({"w":{"shape":[)" + Repeated("9", kBytes) + "]}}",
      "{\"" + Repeated("x", kBytes),
      "{\"" + Repeated("x", kBytes) + "\":1}",
      R"({"__metadata__":{"a":")" + Repeated("\\n", kBytes) + "\"}}",
      "{" + Repeated(" ", kBytes),
  };
  for (const std::string& header : headers) {
    std::string bytes = SafetensorsOf(header, "");
    const int64_t before = testing::AllocatedBytes();
    testing::TakeLargestAllocation();
    StateDict::Parse(std::move(bytes)).IgnoreError();
    EXPECT_LE(testing::TakeLargestAllocation(), kMostAtOnce) << header.substr(0, 40);
    EXPECT_LE(testing::AllocatedBytes() - before, kMost) << header.substr(0, 40);
  }
}

TEST(HostileSafetensorsTest, ManyPrefixesTakeLittleTime) {
  const std::string name = Repeated("module.", 20'000'000);
  const std::string header = "{" + EntryOf(name + "w", 0, 0, 0) + "}";
  const StateDict weights = testing::MustParse(SafetensorsOf(header, "")).WithoutWrapperPrefixes();
  EXPECT_EQ(weights.tensors()[0].name, "w");
}

// Whether the tensors are of sound sizes and cover the data, as Parse promises.
void ExpectSound(const StateDict& weights) {
  const std::string& bytes = weights.bytes();
  uint64_t header = 0;
  for (size_t i = 8; i-- > 0;) header = header << 8 | static_cast<uint8_t>(bytes[i]);
  const std::byte* at = std::as_bytes(std::span(bytes)).data() + 8 + header;
  for (const WeightTensor& tensor : weights.tensors()) {
    uint64_t size = BytesOf(tensor.type);
    for (const int64_t extent : tensor.shape) {
      ASSERT_GE(extent, 0);
      size *= static_cast<uint64_t>(extent);
    }
    ASSERT_EQ(tensor.data.size(), size);
    ASSERT_EQ(tensor.data.data(), at);
    ASSERT_EQ(weights.Find(tensor.name), &tensor);
    at += size;
  }
  ASSERT_EQ(at, std::as_bytes(std::span(bytes)).data() + bytes.size());
}

// Changes bytes of a file at random, most of them in the header.
class Damage {
 public:
  explicit Damage(std::string sound) : sound_(std::move(sound)) {}

  std::string Next() {
    std::string bytes = sound_;
    const int changes = 1 + Draw(3);
    for (int i = 0; i < changes; ++i) Change(&bytes);
    // Else nearly all would fail by the length alone.
    if (Draw(2) == 0) FitLength(&bytes);
    return bytes;
  }

 private:
  int Draw(size_t below) { return static_cast<int>(random_() % below); }
  size_t Place(const std::string& bytes) { return static_cast<size_t>(Draw(bytes.size())); }

  void Change(std::string* bytes) {
    if (bytes->size() < 2) return;
    const size_t at = Place(*bytes);
    constexpr char kJson[] = "{}[]\",:0123456789-.e\\u ";
    switch (Draw(6)) {
      case 0:
        (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << Draw(8)));
        break;
      case 1:
        (*bytes)[at] = static_cast<char>(Draw(256));
        break;
      case 2:
        (*bytes)[at] = kJson[Draw(sizeof(kJson) - 1)];
        break;
      case 3:
        bytes->erase(at, static_cast<size_t>(1 + Draw(8)));
        break;
      case 4:
        bytes->insert(at, 1, kJson[Draw(sizeof(kJson) - 1)]);
        break;
      default:
        bytes->resize(at);
    }
  }

  // Makes the header as long as it was less what the file lost.
  void FitLength(std::string* bytes) const {
    if (bytes->size() < 8) return;
    uint64_t header = 0;
    for (size_t i = 8; i-- > 0;) header = header << 8 | static_cast<uint8_t>(sound_[i]);
    bytes->replace(0, 8, LittleEndian64(header + bytes->size() - sound_.size()));
  }

  const std::string sound_;
  std::mt19937 random_{20240607};
};

TEST(HostileSafetensorsTest, DamagedFilesAreRefusedOrSound) {
  constexpr int kFiles = testing::Rounds(20'000);
  Damage damage(ReadGolden("weights_with_metadata.safetensors"));
  int accepted = 0;
  for (int i = 0; i < kFiles; ++i) {
    const absl::StatusOr<StateDict> weights = StateDict::Parse(damage.Next());
    if (weights.ok()) {
      ++accepted;
      ASSERT_NO_FATAL_FAILURE(ExpectSound(*weights)) << i;
      CheckFinite(*weights).IgnoreError();
    } else {
      ASSERT_EQ(weights.status().code(), absl::StatusCode::kInvalidArgument) << weights.status();
    }
  }
  // Both happen often.
  EXPECT_GT(accepted, kFiles / 100);
  EXPECT_LT(accepted, kFiles / 2);
}

TEST(HostileSafetensorsTest, EveryBeginningOfAFileIsRefused) {
  const std::string sound = ReadGolden("weights.safetensors");
  for (size_t size = 0; size < sound.size(); ++size) ErrorOf(sound.substr(0, size));
  ErrorOf(sound + "x");
}

}  // namespace
}  // namespace mixfeed
