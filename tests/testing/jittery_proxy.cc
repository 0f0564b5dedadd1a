#include "tests/testing/jittery_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "tests/testing/random_delay.h"

namespace mixfeed::testing {
namespace {

constexpr size_t kMaxPiece = size_t{16} << 10;

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int Dial(int port) {
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (connect(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return socket_fd;
  }
  close(socket_fd);
  return -1;
}

bool SendAll(int to, const char* data, size_t bytes) {
  while (bytes > 0) {
    const ssize_t sent = send(to, data, bytes, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data += sent;
    bytes -= static_cast<size_t>(sent);
  }
  return true;
}

}  // namespace

JitteryProxy::JitteryProxy(const std::string& upstream, unsigned seed)
    : upstream_port_(std::stoi(upstream.substr(upstream.rfind(':') + 1))), seeds_(seed) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(listener_, SOMAXCONN) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  acceptor_ = std::thread([this] { Accept(); });
}

JitteryProxy::~JitteryProxy() {
  shutdown(listener_, SHUT_RDWR);  // ends accept()
  acceptor_.join();
  std::vector<std::thread> pumps;
  {
    MutexLock lock(&mu_);
    for (const int socket_fd : sockets_) shutdown(socket_fd, SHUT_RDWR);
    pumps.swap(pumps_);
  }
  for (std::thread& pump : pumps) pump.join();
  MutexLock lock(&mu_);
  for (const int socket_fd : sockets_) close(socket_fd);
  close(listener_);
}

void JitteryProxy::Accept() {
  while (true) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = Dial(upstream_port_);
    if (server < 0) {
      close(client);
      continue;
    }
    Join(client, server, seeds_());
  }
}

void JitteryProxy::Join(int client, int server, std::mt19937::result_type seed) {
  const int on = 1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  MutexLock lock(&mu_);
  sockets_.insert(sockets_.end(), {client, server});
  pumps_.emplace_back([=, this] { Pump(client, server, std::mt19937(seed)); });
  pumps_.emplace_back([=, this] { Pump(server, client, std::mt19937(seed + 1)); });
}

void JitteryProxy::Pump(int from, int to, std::mt19937 random) {
  std::array<char, kMaxPiece> piece;
  while (true) {
    const ssize_t bytes = recv(from, piece.data(), size_t{1} << random() % 15, 0);
    if (bytes <= 0) break;
    if (random() % 8 == 0) DelayAtRandom(&random);
    if (!SendAll(to, piece.data(), static_cast<size_t>(bytes))) break;
  }
  shutdown(from, SHUT_RDWR);
  shutdown(to, SHUT_RDWR);
}

}  // namespace mixfeed::testing
