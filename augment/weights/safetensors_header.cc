#include "augment/weights/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxSize = std::numeric_limits<int64_t>::max();

constexpr char kHeaderField[] = "safetensors: header";
constexpr char kHeaderForm[] =
    "a JSON object {\"NAME\": {\"dtype\", \"shape\", \"data_offsets\"}, ...}";

// In quotes, printable and short enough for a message.
std::string Quoted(std::string_view text) {
  constexpr size_t kMostBytes = 200;
  return absl::StrCat("'", absl::CHexEscape(std::string(text.substr(0, kMostBytes))),
                      text.size() > kMostBytes ? "...'" : "'");
}

// `byte` counts from 1.
std::string NoJsonAt(size_t byte) { return absl::StrCat("no JSON from its byte ", byte, " on"); }

// What comes next in the header: a value, or a key (or the end) of an object.
enum class Next {
  kHeader,
  kNames,
  kTensor,
  kFields,
  kDtype,
  kShape,
  kSizes,
  kDataOffsets,
  kOffsets,
  kMetadata,
  kMetadataKeys,
  kMetadataText,
  kEnd,
};

struct Field {
  const char* name;
  Next value;
};
constexpr Field kFields[] = {
    {"dtype", Next::kDtype}, {"shape", Next::kShape}, {"data_offsets", Next::kDataOffsets}};
constexpr char kFieldNames[] = "dtype, shape, data_offsets, each once";

// Reads the header event by event. Anything unexpected ends it, so that it goes no deeper than the
// form does, and keeps no more than the form has.
class HeaderReader : public json::json_sax_t {
 public:
  const absl::Status& status() const { return status_; }
  std::vector<SafetensorsEntry> TakeEntries() { return std::move(entries_); }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool value) override { return Unexpected(value ? "true" : "false"); }
  // Only of numbers with a minus sign.
  bool number_integer(int64_t value) override {
    return Unexpected(value == 0 ? "-0" : absl::StrCat(value));
  }
  bool number_unsigned(uint64_t value) override;
  bool number_float(double /*value*/, const std::string& text) override {
    return Unexpected(absl::CHexEscape(text.substr(0, kMostDigits)));
  }
  bool string(std::string& text) override;
  bool binary(json::binary_t& /*bytes*/) override { return Unexpected("binary"); }
  bool start_object(size_t /*elements*/) override;
  bool key(std::string& key) override;
  bool end_object() override;
  bool start_array(size_t /*elements*/) override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string& /*last_token*/,
                   const json::exception& /*error*/) override {
    return Fail(kHeaderField, NoJsonAt(position), kHeaderForm);
  }

 private:
  static constexpr size_t kMostDigits = 40;

  bool GoTo(Next next) {
    next_ = next;
    return true;
  }
  bool Fail(const std::string& field, const std::string& given, const std::string& allowed) {
    status_ = FieldError(field, given, allowed);
    return false;
  }
  bool FailField(const std::string& field, const std::string& given, const std::string& allowed) {
    return Fail(absl::StrCat(TensorField(entries_.back().tensor.name), ": ", field), given,
                allowed);
  }
  bool Unexpected(const std::string& given);
  bool StartTensor(std::string& name);
  bool StartField(const std::string& name);
  bool AddMetadataKey(const std::string& key);
  bool SetType(const std::string& name);
  bool AddSize(uint64_t size);
  bool AddOffset(uint64_t offset);
  bool CheckComplete();

  absl::Status status_;
  Next next_ = Next::kHeader;
  std::vector<SafetensorsEntry> entries_;
  std::vector<std::string> fields_;  // of the last entry, so far
  size_t offsets_ = 0;               // of the last entry, so far
  bool has_metadata_ = false;
  std::set<std::string> metadata_keys_;
};

// A value that is not what comes next.
bool HeaderReader::Unexpected(const std::string& given) {
  switch (next_) {
    case Next::kTensor:
      return Fail(TensorField(entries_.back().tensor.name), given,
                  absl::StrCat("an object of ", kFieldNames));
    case Next::kDtype:
      return FailField("dtype", given, absl::StrJoin(NamesOf(WeightType()), ", "));
    case Next::kShape:
      return FailField("shape", given, "an array of sizes");
    case Next::kSizes:
      return FailField(absl::StrCat("shape[", entries_.back().tensor.shape.size(), "]"), given,
                       absl::StrCat("0..", kMaxSize));
    case Next::kDataOffsets:
      return FailField("data_offsets", given, "an array of two offsets");
    case Next::kOffsets:
      return FailField(absl::StrCat("data_offsets[", offsets_, "]"), given,
                       "0 to the size of the data");
    case Next::kMetadata:
    case Next::kMetadataText:
      return Fail(absl::StrCat("safetensors: ", kMetadataKey), given, "an object of texts");
    default:
      return Fail(kHeaderField, given, kHeaderForm);
  }
}

bool HeaderReader::number_unsigned(uint64_t value) {
  if (next_ == Next::kSizes) return AddSize(value);
  if (next_ == Next::kOffsets) return AddOffset(value);
  return Unexpected(absl::StrCat(value));
}

bool HeaderReader::string(std::string& text) {
  if (next_ == Next::kDtype) return SetType(text);
  if (next_ == Next::kMetadataText) return GoTo(Next::kMetadataKeys);
  return Unexpected(Quoted(text));
}

bool HeaderReader::start_object(size_t /*elements*/) {
  if (next_ == Next::kHeader) return GoTo(Next::kNames);
  if (next_ == Next::kTensor) return GoTo(Next::kFields);
  if (next_ == Next::kMetadata) return GoTo(Next::kMetadataKeys);
  return Unexpected("an object");
}

bool HeaderReader::key(std::string& key) {
  if (next_ == Next::kFields) return StartField(key);
  if (next_ == Next::kMetadataKeys) return AddMetadataKey(key);
  if (key != kMetadataKey) return StartTensor(key);
  if (has_metadata_) return Fail(kHeaderField, absl::StrCat("twice ", kMetadataKey), "once");
  has_metadata_ = true;
  return GoTo(Next::kMetadata);
}

bool HeaderReader::end_object() {
  if (next_ == Next::kFields && !CheckComplete()) return false;
  return GoTo(next_ == Next::kNames ? Next::kEnd : Next::kNames);
}

bool HeaderReader::start_array(size_t /*elements*/) {
  if (next_ == Next::kShape) return GoTo(Next::kSizes);
  if (next_ == Next::kDataOffsets) return GoTo(Next::kOffsets);
  return Unexpected("an array");
}

bool HeaderReader::end_array() {
  if (next_ == Next::kOffsets && offsets_ != 2) {
    return FailField("data_offsets", absl::StrCat("an array of ", offsets_), "two offsets");
  }
  return GoTo(Next::kFields);
}

bool HeaderReader::StartTensor(std::string& name) {
  entries_.emplace_back().tensor.name = std::move(name);
  fields_.clear();
  offsets_ = 0;
  return GoTo(Next::kTensor);
}

bool HeaderReader::StartField(const std::string& name) {
  const auto field = std::find_if(std::begin(kFields), std::end(kFields),
                                  [&](const Field& known) { return known.name == name; });
  const bool twice = std::find(fields_.begin(), fields_.end(), name) != fields_.end();
  if (field == std::end(kFields) || twice) {
    return FailField(twice ? "second field" : "field", Quoted(name), kFieldNames);
  }
  fields_.push_back(name);
  return GoTo(field->value);
}

bool HeaderReader::AddMetadataKey(const std::string& key) {
  const std::string field = absl::StrCat("safetensors: ", kMetadataKey);
  if (!metadata_keys_.insert(key).second) {
    return Fail(absl::StrCat(field, ": second key"), Quoted(key), "every key once");
  }
  if (metadata_keys_.size() > kMaxMetadataKeys) {
    return Fail(field, absl::StrCat("of more than ", kMaxMetadataKeys, " keys"),
                absl::StrCat("at most ", kMaxMetadataKeys));
  }
  return GoTo(Next::kMetadataText);
}

bool HeaderReader::SetType(const std::string& name) {
  const auto names = NamesOf(WeightType());
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return Unexpected(Quoted(name));
  entries_.back().tensor.type = static_cast<WeightType>(found - names.begin());
  return GoTo(Next::kFields);
}

bool HeaderReader::AddSize(uint64_t size) {
  std::vector<int64_t>& shape = entries_.back().tensor.shape;
  if (size > kMaxSize) return Unexpected(absl::StrCat(size));
  if (shape.size() == kMaxWeightDimensions) {
    return FailField("shape", absl::StrCat("of more than ", kMaxWeightDimensions, " dimensions"),
                     absl::StrCat("at most ", kMaxWeightDimensions));
  }
  shape.push_back(static_cast<int64_t>(size));
  return true;
}

bool HeaderReader::AddOffset(uint64_t offset) {
  if (offsets_ == 2) return FailField("data_offsets", "an array of more", "two offsets");
  (offsets_ == 0 ? entries_.back().begin : entries_.back().end) = offset;
  ++offsets_;
  return true;
}

bool HeaderReader::CheckComplete() {
  if (fields_.size() == std::size(kFields)) return true;
  return Fail(TensorField(entries_.back().tensor.name),
              absl::StrCat("an object of ", fields_.size(), " fields"), kFieldNames);
}

// A text in JSON; what is not UTF-8 in it becomes U+FFFD.
std::string ToJson(const std::string& text) {
  return json(text).dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false,
                         json::error_handler_t::replace);
}

}  // namespace

absl::StatusOr<std::vector<SafetensorsEntry>> ReadSafetensorsHeader(std::string_view header) {
  // The parser would pass over a byte order mark, and take a zero byte for the end.
  if (!header.starts_with('{') || header.find('\0') != std::string_view::npos) {
    const size_t at = header.starts_with('{') ? header.find('\0') : 0;
    return FieldError(kHeaderField, NoJsonAt(at + 1), kHeaderForm);
  }
  HeaderReader reader;
  json::sax_parse(header.begin(), header.end(), &reader);
  MIXFEED_RETURN_IF_ERROR(reader.status());
  return reader.TakeEntries();
}

std::string WriteSafetensorsHeader(std::span<const WeightTensor* const> tensors) {
  constexpr size_t kAlignment = 8;
  std::string header = "{";
  size_t offset = 0;
  for (const WeightTensor* tensor : tensors) {
    const size_t end = offset + tensor->data.size();
    absl::StrAppend(&header, header.size() == 1 ? "" : ",", ToJson(tensor->name), ":{\"dtype\":\"",
                    NamesOf(tensor->type)[static_cast<size_t>(tensor->type)], "\",\"shape\":[",
                    absl::StrJoin(tensor->shape, ","), "],\"data_offsets\":[", offset, ",", end,
                    "]}");
    offset = end;
  }
  header += '}';
  header.append((kAlignment - header.size() % kAlignment) % kAlignment, ' ');
  return header;
}

bool IsUtf8(const std::string& name) {
  return json::parse(ToJson(name), nullptr, /*allow_exceptions=*/false) == name;
}

std::string TensorField(std::string_view name) {
  return absl::StrCat("safetensors: tensor ", Quoted(name));
}

}  // namespace mixfeed
