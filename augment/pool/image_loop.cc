#include "augment/pool/image_loop.h"

#include <algorithm>
#include <vector>

#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

constexpr int64_t kImagesPerReport = 1000;
constexpr int64_t kImagesPerChunk = 16;

}  // namespace

absl::Status ForEachImage(int64_t count, ThreadPool* threads, ImageProgress* progress,
                          const std::function<absl::Status(int64_t)>& body) {
  for (int64_t start = 0; start < count; start += kImagesPerReport) {
    const int64_t part = std::min(kImagesPerReport, count - start);
    std::vector<absl::Status> statuses(static_cast<size_t>(part));
    threads->ParallelFor(part, kImagesPerChunk, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) statuses[static_cast<size_t>(i)] = body(start + i);
    });
    for (const absl::Status& status : statuses) MIXFEED_RETURN_IF_ERROR(status);
    progress->Add(part);
  }
  return absl::OkStatus();
}

}  // namespace mixfeed
