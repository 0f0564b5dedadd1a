#include "server/core/batch_limits.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "proto/frame/frame_writer.h"

namespace mixfeed {
namespace {

constexpr int64_t kMaxMessageBytes = std::numeric_limits<int32_t>::max();
// More than a feed's id and what GuessOrigin holds take.
constexpr size_t kMaxTextBytes = 4096;

}  // namespace

int64_t MaxMessageBytes(const BatchMaker& maker, const BatchFormat& format, const Share& share) {
  auto rows = static_cast<size_t>(maker.Images(BatchContent::kMixed, share));
  if (format.content == BatchContent::kViews)
    rows += static_cast<size_t>(maker.Images(format.content, share));
  return maker.SlotBytes(format, share) +
         static_cast<int64_t>(MaxFrameOverhead(rows, kMaxTextBytes, kMaxTextBytes));
}

absl::Status CheckBatchFits(const BatchMaker& maker, const BatchFormat& format, const Share& share,
                            int64_t max_slot_bytes) {
  const int64_t message = MaxMessageBytes(maker, format, share);
  const int64_t slot = maker.SlotBytes(format, share);
  if (message <= kMaxMessageBytes && slot <= max_slot_bytes) return absl::OkStatus();
  const char* const limit =
      slot > max_slot_bytes ? "the server's --max-slot-bytes" : "what one message holds";
  return absl::InvalidArgumentError(
      absl::StrCat("batch is ", maker.spec().batch, ": a batch takes ", message,
                   " bytes in this pixel type; allowed: ", limit, ", ",
                   slot > max_slot_bytes ? max_slot_bytes : kMaxMessageBytes,
                   ". Make batch, views or the pixel type smaller"));
}

}  // namespace mixfeed
