#include "server/store/guess_record.h"

#include <xxhash.h>

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <utility>

namespace mixfeed {
namespace {

static_assert(std::endian::native == std::endian::little, "records are stored as they lie in RAM");

constexpr uint32_t kFormat = 1;

class RecordWriter {
 public:
  template <std::integral Number>
  void Put(Number number) {
    PutBytes(&number, sizeof(number));
  }
  void PutBytes(const void* bytes, size_t size) {
    record_.append(static_cast<const char*>(bytes), size);
  }
  void PutText(const std::string& text) {
    Put(static_cast<uint32_t>(text.size()));
    PutBytes(text.data(), text.size());
  }
  std::string Finish() {
    Put(static_cast<uint64_t>(XXH3_64bits(record_.data(), record_.size())));
    return std::move(record_);
  }

 private:
  std::string record_;
};

// Reads zeros and empty texts beyond the end, which `whole` then tells.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : rest_(bytes) {}

  template <std::integral Number>
  Number Take() {
    Number number = 0;
    const std::string_view bytes = TakeBytes(sizeof(number));
    if (bytes.size() == sizeof(number)) std::memcpy(&number, bytes.data(), sizeof(number));
    return number;
  }
  std::string TakeText() { return std::string(TakeBytes(Take<uint32_t>())); }
  std::string_view TakeBytes(size_t size) {
    if (size > rest_.size()) {
      short_ = true;
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  size_t left() const { return rest_.size(); }
  bool whole() const { return !short_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool short_ = false;
};

}  // namespace

std::string EncodeGuess(const StepGuess& guess) {
  RecordWriter writer;
  writer.Put(kFormat);
  writer.Put(int32_t{guess.rows});
  writer.Put(int32_t{guess.classes});
  writer.Put(guess.model_version);
  writer.Put(guess.model_update);
  writer.Put(guess.age);
  writer.PutText(guess.model);
  writer.PutText(guess.weights);
  writer.PutText(guess.environment);
  writer.Put(static_cast<uint32_t>(guess.more.size()));
  for (const GuessSource& source : guess.more) {
    writer.PutText(source.model);
    writer.Put(source.version);
    writer.Put(source.update);
    writer.PutText(source.weights);
  }
  writer.PutBytes(guess.probabilities.data(), guess.probabilities.size() * sizeof(float));
  return writer.Finish();
}

std::optional<StepGuess> DecodeGuess(std::string_view bytes) {
  if (bytes.size() < sizeof(uint64_t)) return std::nullopt;
  const std::string_view body = bytes.substr(0, bytes.size() - sizeof(uint64_t));
  RecordReader checksum(bytes.substr(body.size()));
  if (checksum.Take<uint64_t>() != XXH3_64bits(body.data(), body.size())) return std::nullopt;
  RecordReader reader(body);
  if (reader.Take<uint32_t>() != kFormat) return std::nullopt;
  StepGuess guess;
  guess.rows = reader.Take<int32_t>();
  guess.classes = reader.Take<int32_t>();
  guess.model_version = reader.Take<int64_t>();
  guess.model_update = reader.Take<int64_t>();
  guess.age = reader.Take<int64_t>();
  guess.model = reader.TakeText();
  guess.weights = reader.TakeText();
  guess.environment = reader.TakeText();
  for (auto more = reader.Take<uint32_t>(); more > 0 && reader.left() > 0; --more) {
    GuessSource& source = guess.more.emplace_back();
    source.model = reader.TakeText();
    source.version = reader.Take<int64_t>();
    source.update = reader.Take<int64_t>();
    source.weights = reader.TakeText();
  }
  guess.probabilities.resize(reader.left() / sizeof(float));
  const std::string_view floats = reader.TakeBytes(guess.probabilities.size() * sizeof(float));
  if (!floats.empty()) std::memcpy(guess.probabilities.data(), floats.data(), floats.size());
  const bool sized =
      guess.rows > 0 && guess.classes > 0 &&
      std::cmp_equal(guess.probabilities.size(), int64_t{guess.rows} * guess.classes);
  if (!reader.whole() || !sized) return std::nullopt;
  return guess;
}

}  // namespace mixfeed
