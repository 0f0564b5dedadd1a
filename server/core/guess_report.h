#ifndef MIXFEED_SERVER_CORE_GUESS_REPORT_H_
#define MIXFEED_SERVER_CORE_GUESS_REPORT_H_

#include "mixfeed/v1/inspect.pb.h"
#include "server/core/feed_registry.h"

namespace mixfeed {

// Below so many images with a hidden label, accuracy would say too much of a single one.
inline constexpr int64_t kMinAccuracyImages = 32;

// What is known of the guesses of `feed`, which guesses.
v1::GetGuessStatsResponse ReportGuesses(const OpenedFeed& feed);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_GUESS_REPORT_H_
