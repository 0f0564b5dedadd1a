#ifndef MIXFEED_TESTS_TESTING_FREE_PORT_H_
#define MIXFEED_TESTS_TESTING_FREE_PORT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <random>

namespace mixfeed::testing {

// A port of the loopback address that nobody listens at, to be bound by others and again and again.
// Below those that the kernel gives to connections and to port 0 (from 32768 on), so that it is not
// taken meanwhile. Aborts the test program where none can be found.
inline uint16_t FreePort() {
  constexpr int kTries = 1000;
  std::random_device random;
  std::uniform_int_distribution<int> ports(10'000, 32'767);
  for (int tries = 0; tries < kTries; ++tries) {
    const auto port = static_cast<uint16_t>(ports(random));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_free =
        bind(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    close(socket_fd);
    if (is_free) return port;
  }
  std::abort();
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_FREE_PORT_H_
