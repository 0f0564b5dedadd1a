#ifndef MIXFEED_TESTS_CLIENT_FAKE_SERVER_H_
#define MIXFEED_TESTS_CLIENT_FAKE_SERVER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "augment/base/mutex.h"
#include "mixfeed/v1/feed.pb.h"
#include "mixfeed/v1/inspect.pb.h"
#include "mixfeed/v1/model.pb.h"

namespace mixfeed::testing {

// What one StreamBatches call does. The default streams without end.
struct StreamScript {
  int64_t batches = -1;  // sent before what follows; -1: without end
  bool stall = false;    // then: nothing more happens; else the call ends with `end`
  absl::Status end = {};
  bool ignore_credits = false;
  uint64_t skip_steps = 0;  // sent steps are that much too far
};

// A server of mixfeed.v1 whose batches are made up and whose failures are scripted. Its feed has
// 3 rows of 1x2x2 pixels and 4 classes, the last row unlabelled.
class FakeServer {
 public:
  // PEM files; with a cert it speaks TLS, and with a client_ca it asks for certificates.
  struct Tls {
    std::string cert;
    std::string key;
    std::string client_ca;
  };

  FakeServer();
  explicit FakeServer(Tls tls);
  ~FakeServer();

  // HOST:PORT; the same after Stop and Start.
  std::string address() const;
  // Cuts all connections.
  void Stop();
  void Start();

  // The batch of a step: its pixels and targets depend on the step alone.
  static v1::Batch MakeBatch(uint64_t step);
  // Its images: the same pixels, the first two labelled, the last one to be guessed.
  static v1::Views MakeViews(uint64_t step);

  // What calls are answered with.
  v1::OpenFeedResponse feed();
  void SetFeed(const v1::OpenFeedResponse& feed);
  void SetPlan(const v1::GetPlanResponse& plan);  // of the steps that have none of their own
  void SetPlanOf(uint64_t step, const v1::GetPlanResponse& plan);
  void SetFeeds(const std::vector<v1::FeedInfo>& feeds);
  // Under the id of the feed that is asked for.
  void SetGuessStats(const v1::GetGuessStatsResponse& stats);
  // A neighbour index is being built: GetServerInfo tells of each share once, and until it has told
  // of all, OpenFeed ends with `refusal`.
  void SetIndexProgress(const std::vector<double>& shares, const absl::Status& refusal);
  // Changes every batch before it is sent.
  void EditBatches(std::function<void(v1::Batch*)> edit);
  // Consecutive StreamBatches calls follow these; after them, the default.
  void Script(const StreamScript& script);
  // The next `times` calls of a unary method ("OpenFeed") end with `status`.
  void Fail(const std::string& method, const absl::Status& status, int times);
  // Calls of that method wait until they are cancelled.
  void Hang(const std::string& method);
  // The feed is unknown until it is opened again.
  void ForgetFeed();

  // What was called.
  int calls(const std::string& method);
  std::vector<v1::OpenStream> streams();
  std::vector<v1::OpenFeedRequest> opens();  // those that failed too
  v1::OpenFeedRequest last_open();
  v1::GetBatchRequest last_get();
  v1::RegisterModelHeader last_header();
  v1::PushWeightsHeader last_push();
  v1::ForkRunRequest last_fork();
  v1::GetGuessStatsRequest last_stats();
  std::vector<size_t> chunks();  // sizes, of the last RegisterModel or PushWeights
  // The most batches that a stream had room for beyond what it was sent, over all streams.
  int64_t max_outstanding();
  int credit_messages();
  // Waits until this many calls of the method have begun.
  void AwaitCalls(const std::string& method, int count);
  // Waits until all streams have ended.
  void AwaitNoStreams();

  struct State;

 private:
  class Rpc;

  const std::shared_ptr<State> state_;
  const Tls tls_;
  std::unique_ptr<Rpc> rpc_;
  int port_ = 0;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_CLIENT_FAKE_SERVER_H_
