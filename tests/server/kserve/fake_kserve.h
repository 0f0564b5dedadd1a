#ifndef MIXFEED_TESTS_SERVER_KSERVE_FAKE_KSERVE_H_
#define MIXFEED_TESTS_SERVER_KSERVE_FAKE_KSERVE_H_

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "augment/base/mutex.h"
#include "kserve/inference.grpc.pb.h"

namespace mixfeed::testing {

// A server of the KServe v2 protocol in this process, on a free port of the loopback address. Its
// one model "net" gives a row with the mean m of its inputs the logits m, 2m, 3m, ...
class FakeKserve final : public inference::GRPCInferenceService::Service {
 public:
  // What it does; may be changed while it runs.
  struct Behaviour {
    bool ready = true;
    inference::ModelMetadataResponse metadata;  // of "net", as the constructor fills it in
    int most_rows = 1 << 20;                    // more are refused as Triton does
    std::deque<grpc::Status> failures;          // of the next requests for guesses
    bool held = false;                          // requests for guesses wait
    std::vector<std::string> versions = {"1"};  // that answer, in turn
    // Changes an answer.
    std::function<void(inference::ModelInferResponse*)> spoil;
  };

  FakeKserve(int channels, int side, int classes);
  ~FakeKserve() override;

  std::string address() const;  // HOST:PORT/net

  void Change(const std::function<void(Behaviour*)>& change);

  // It is gone, and comes back on the same port.
  void Stop();
  void Start();

  // Of requests for guesses.
  std::vector<int> rows() const;  // of each
  int under_way() const;
  int most_under_way() const;

  grpc::Status ModelReady(grpc::ServerContext* context, const inference::ModelReadyRequest* request,
                          inference::ModelReadyResponse* response) override;
  grpc::Status ModelMetadata(grpc::ServerContext* context,
                             const inference::ModelMetadataRequest* request,
                             inference::ModelMetadataResponse* response) override;
  grpc::Status ModelInfer(grpc::ServerContext* context, const inference::ModelInferRequest* request,
                          inference::ModelInferResponse* response) override;

 private:
  grpc::Status Answer(const inference::ModelInferRequest& request,
                      inference::ModelInferResponse* response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int classes_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;

  mutable Mutex mu_;
  CondVar released_;
  Behaviour behaviour_ ABSL_GUARDED_BY(mu_);
  std::vector<int> rows_ ABSL_GUARDED_BY(mu_);
  int under_way_ ABSL_GUARDED_BY(mu_) = 0;
  int most_under_way_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_SERVER_KSERVE_FAKE_KSERVE_H_
