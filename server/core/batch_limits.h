#ifndef MIXFEED_SERVER_CORE_BATCH_LIMITS_H_
#define MIXFEED_SERVER_CORE_BATCH_LIMITS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "augment/batch/batch_maker.h"

namespace mixfeed {

// Bytes that a message with a batch of `share` takes at most.
int64_t MaxMessageBytes(const BatchMaker& maker, const BatchFormat& format, const Share& share);

// InvalidArgument when such a batch can never be sent: its message would reach protobuf's 2 GiB, or
// its slot would not fit in `max_slot_bytes`. Says what to make smaller.
absl::Status CheckBatchFits(const BatchMaker& maker, const BatchFormat& format, const Share& share,
                            int64_t max_slot_bytes);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_BATCH_LIMITS_H_
