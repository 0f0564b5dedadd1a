#ifndef MIXFEED_TESTS_CLIENT_TRAIN_FREE_PORT_H_
#define MIXFEED_TESTS_CLIENT_TRAIN_FREE_PORT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace mixfeed::testing {

// A port of the loopback address that nobody listened at a moment ago.
inline uint16_t FreePort() {
  const int socket_end = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(socket_end, generic, size) != 0 || getsockname(socket_end, generic, &size) != 0) abort();
  close(socket_end);
  return ntohs(address.sin_port);
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_CLIENT_TRAIN_FREE_PORT_H_
