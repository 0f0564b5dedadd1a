#ifndef MIXFEED_CLIENT_LOOK_REPORT_H_
#define MIXFEED_CLIENT_LOOK_REPORT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/feed_client.h"
#include "client/look/look.h"

namespace mixfeed {

// What an appendix must say of a run so that others can repeat it.
struct RunReport {
  v1::GetServerInfoResponse server = {};
  v1::DatasetInfo dataset = {};  // the feed's
  v1::FeedInfo feed = {};
  v1::GetSplitResponse split = {};
  // Of feeds that guess. What is counted there, and FeedInfo.served, is since the server opened the
  // feed.
  std::optional<v1::GetGuessStatsResponse> guesses = {};
  std::vector<v1::Model> models = {};  // those that guess for the feed
};

// Asks the server. NotFound: no such feed is open there.
absl::StatusOr<RunReport> CollectReport(FeedClient* client, const std::string& feed_id);

// Steps of all spans by the age of the weights that guessed them; the bins of
// GuessSpan.age_histogram.
std::vector<uint64_t> AgeHistogram(const v1::GetGuessStatsResponse& stats);
// The ages of bin `bin`, both included.
struct AgeRange {
  uint64_t first = 0;
  uint64_t last = 0;
};
AgeRange AgesOfBin(size_t bin);

// The report's form for scripts: sections as objects, the spec in protobuf's JSON form.
Json JsonOf(const RunReport& report);

// `mixfeed report`: CollectReport, as text and JSON.
absl::StatusOr<Look> LookAtRun(FeedClient* client, const std::string& feed_id);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_REPORT_H_
