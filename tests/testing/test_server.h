#ifndef MIXFEED_TESTS_TESTING_TEST_SERVER_H_
#define MIXFEED_TESTS_TESTING_TEST_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "augment/pool/dataset.h"
#include "server/options.h"
#include "server/server.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed::testing {

struct TestServerSpec {
  // Images of the dataset "tiny": 32x32 RGB, 10 classes in turn, random pixels (TinyDataset).
  int64_t train_images = 500;
  int64_t test_images = 50;
  // Try models that are registered in a child process, as the real server does; without it, the
  // trial finds nothing wrong with any (a child takes seconds to load LibTorch).
  bool real_trial = false;
  // Changes the options that the server is started with.
  std::function<void(ServerOptions*)> adjust = nullptr;
};

// A server in this process, on a free port of the loopback address, with the tiny dataset written
// as CIFAR-10 files, and a state directory that lives as long as the object. Aborts the test
// program, showing why, when the server does not start.
class TestServer {
 public:
  explicit TestServer(const TestServerSpec& spec = {});
  explicit TestServer(const std::function<void(ServerOptions*)>& adjust)
      : TestServer(TestServerSpec{.adjust = adjust}) {}

  std::string address() const { return server_->address(); }  // HOST:PORT
  Server* server() { return server_.get(); }

  // What the server holds under the name "tiny".
  const Dataset& dataset() const { return dataset_; }

  // Folders that were written: the dataset's, and the state directory.
  std::string data_dir() const { return files_.File("tiny"); }
  std::string state_dir() const { return files_.File("state"); }

  // Stops the server without draining and starts another with the same state, on the same port.
  void Restart();
  // `Restart` in two parts.
  void Stop() { server_.reset(); }
  void Start();

  // Changes the options of the next start.
  ServerOptions* options() { return &options_; }
  const ServerOptions* options() const { return &options_; }

 private:
  std::string WriteTrialThatFindsNothing() const;

  const TempDir files_;
  const Dataset dataset_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_TEST_SERVER_H_
