#ifndef MIXFEED_SERVER_CORE_INSPECT_CALLS_H_
#define MIXFEED_SERVER_CORE_INSPECT_CALLS_H_

#include <functional>

#include "absl/status/statusor.h"
#include "mixfeed/v1/inspect.pb.h"
#include "server/core/core.h"

namespace mixfeed {

// What InspectService answers. Changes nothing but the journal, since a contact sheet of a step
// that was not guessed yet guesses it, and the feeds' statistics of validation. Thread safe; the
// core must outlive it.
class InspectCalls {
 public:
  explicit InspectCalls(const Core* core) : core_(core) {}

  v1::GetServerInfoResponse GetServerInfo() const;
  v1::ListFeedsResponse ListFeeds() const;

  // Labels of unlabelled rows only under --reveal-hidden-labels.
  absl::StatusOr<v1::GetPlanResponse> GetPlan(const v1::GetPlanRequest& request) const;
  absl::StatusOr<v1::GetSplitResponse> GetSplit(const v1::GetSplitRequest& request) const;

  absl::StatusOr<v1::RenderContactSheetResponse> RenderContactSheet(
      const v1::RenderContactSheetRequest& request) const;

  // Takes as long as it is asked to; ends early, with Cancelled, when `stop` says so.
  absl::StatusOr<v1::MeasureForwardResponse> MeasureForward(
      const v1::MeasureForwardRequest& request, const std::function<bool()>& stop) const;

  // Tries request.validate() versions first, which takes seconds; ends early, with Cancelled, when
  // `stop` says so.
  absl::StatusOr<v1::GetGuessStatsResponse> GetGuessStats(const v1::GetGuessStatsRequest& request,
                                                          const std::function<bool()>& stop) const;

 private:
  const Core* const core_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_INSPECT_CALLS_H_
