#include "augment/guess/trial_protocol.h"

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace mixfeed {
namespace {

// Appends what it is called with; Reader takes the same from the front.
class Writer {
 public:
  template <typename Number>
  void operator()(const Number& value) {
    static_assert(std::is_arithmetic_v<Number>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void operator()(const std::string& text) {
    (*this)(uint64_t{text.size()});
    bytes_ += text;
  }

  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}

  template <typename Number>
  void operator()(Number& value) {
    static_assert(std::is_arithmetic_v<Number>);
    if (Take(sizeof(value)))
      std::memcpy(&value, bytes_.data() + at_ - sizeof(value), sizeof(value));
  }
  void operator()(std::string& text) {
    uint64_t size = 0;
    (*this)(size);
    if (Take(size)) text = bytes_.substr(at_ - size, size);
  }

  // Everything was there, and nothing is left.
  bool finished() const { return sound_ && at_ == bytes_.size(); }

 private:
  bool Take(uint64_t size) {
    sound_ = sound_ && size <= bytes_.size() - at_;
    if (sound_) at_ += size;
    return sound_;
  }

  const std::string& bytes_;
  size_t at_ = 0;
  bool sound_ = true;
};

// The fields, for either direction.
template <typename Coder, typename Source>
void VisitSource(Coder& coder, Source& source) {
  coder(source.info.name);
  coder(source.info.version);
  coder(source.info.update);
  coder(source.info.kind);
  coder(source.info.input.channels);
  coder(source.info.input.height);
  coder(source.info.input.width);
  coder(source.info.classes);
  for (auto& mean : source.info.normalisation.mean) coder(mean);
  for (auto& std : source.info.normalisation.std) coder(std);
  coder(source.info.environment);
  coder(source.archive);
  coder(source.init_seed);
  coder(source.batch_statistics);
}

}  // namespace

std::string EncodeModelSource(const ModelSource& source) {
  Writer writer;
  VisitSource(writer, source);
  return std::move(writer.bytes_);
}

absl::StatusOr<ModelSource> DecodeModelSource(const std::string& bytes) {
  Reader reader(bytes);
  ModelSource source;
  VisitSource(reader, source);
  if (!reader.finished()) return absl::DataLossError("model trial: damaged model source");
  return source;
}

std::string EncodeFinding(const TrialFinding& finding) {
  Writer writer;
  writer(static_cast<int>(finding.status.code()));
  writer(std::string(finding.status.message()));
  return std::move(writer.bytes_);
}

absl::StatusOr<TrialFinding> DecodeFinding(const std::string& bytes) {
  Reader reader(bytes);
  int code = 0;
  std::string message;
  reader(code);
  reader(message);
  if (!reader.finished()) return absl::DataLossError("model trial: damaged finding");
  return TrialFinding{absl::Status(static_cast<absl::StatusCode>(code), message)};
}

}  // namespace mixfeed
