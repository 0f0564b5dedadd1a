#ifndef MIXFEED_TESTS_CLIENT_FAKE_STATE_H_
#define MIXFEED_TESTS_CLIENT_FAKE_STATE_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/client/fake_server.h"

namespace mixfeed::testing {

inline constexpr uint32_t kFakeRows = 3, kFakeClasses = 4, kFakePixels = 4;
inline constexpr char kFakeFeedId[] = "0123456789abcdef0123456789abcdef";

v1::OpenFeedResponse DefaultFeed();
v1::FeedInfo DefaultFeedInfo();
grpc::Status ToGrpc(const absl::Status& status);

// What the services of a FakeServer do and have seen.
struct FakeServer::State {
  Mutex mu;
  v1::OpenFeedResponse feed = DefaultFeed();
  v1::GetPlanResponse plan;
  std::map<uint64_t, v1::GetPlanResponse> plans_of_steps;  // the others have `plan`
  std::vector<v1::FeedInfo> feeds = {DefaultFeedInfo()};
  v1::GetGuessStatsResponse stats;
  std::deque<double> index_progress;
  absl::Status index_refusal;
  std::function<void(v1::Batch*)> edit;
  std::deque<StreamScript> scripts;
  std::map<std::string, std::pair<absl::Status, int>> failures;
  std::set<std::string> hanging;
  bool forgotten = false;

  std::map<std::string, int> calls;
  std::vector<v1::OpenStream> streams;
  int live_streams = 0;
  std::vector<v1::OpenFeedRequest> opens;
  v1::GetBatchRequest last_get;
  v1::RegisterModelHeader last_header;
  v1::PushWeightsHeader last_push;
  v1::ForkRunRequest last_fork;
  v1::GetGuessStatsRequest last_stats;
  std::vector<size_t> chunks;
  int64_t max_outstanding = 0;
  int credit_messages = 0;

  // Counts the call, and fails or hangs it as scripted.
  grpc::Status Begin(const std::string& method, grpc::ServerContext* context);
  bool Forgotten();
  v1::Batch Make(uint64_t step);
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_CLIENT_FAKE_STATE_H_
