#ifndef MIXFEED_TESTS_TESTING_JITTERY_PROXY_H_
#define MIXFEED_TESTS_TESTING_JITTERY_PROXY_H_

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "augment/base/mutex.h"

namespace mixfeed::testing {

// A network between clients and a server: forwards TCP connections in pieces of 1 byte to 16 KiB,
// and delays some of them by up to 2 ms, all as the seed says. Connections end with the object.
class JitteryProxy {
 public:
  // `upstream`: 127.0.0.1:PORT. Listens on a free port of the loopback address; aborts the test
  // program where it cannot.
  JitteryProxy(const std::string& upstream, unsigned seed);
  ~JitteryProxy();
  JitteryProxy(const JitteryProxy&) = delete;
  JitteryProxy& operator=(const JitteryProxy&) = delete;

  const std::string& address() const { return address_; }  // HOST:PORT

 private:
  void Accept();
  // Both directions of a connection.
  void Join(int client, int server, std::mt19937::result_type seed);
  void Pump(int from, int to, std::mt19937 random);

  const int upstream_port_;
  int listener_ = -1;
  std::string address_;
  std::mt19937 seeds_;

  Mutex mu_;
  std::vector<int> sockets_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> pumps_ ABSL_GUARDED_BY(mu_);

  std::thread acceptor_;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_JITTERY_PROXY_H_
