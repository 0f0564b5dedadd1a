#include "client/train/process_group.h"

// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>

#include <chrono>
#include <optional>
#include <string>
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "augment/base/status_macros.h"
#include "augment/guess/torch_errors.h"

namespace mixfeed {
namespace {

constexpr char kFilePrefix[] = "file:";
constexpr uint32_t kMostProcesses = 1024;

struct Meeting {
  std::string file;  // or
  std::string host;
  uint16_t port = 0;
};

absl::StatusOr<Meeting> ParseRendezvous(const std::string& text) {
  Meeting meeting;
  if (absl::StartsWith(text, kFilePrefix)) {
    meeting.file = text.substr(sizeof(kFilePrefix) - 1);
    if (!meeting.file.empty()) return meeting;
  }
  const size_t colon = text.rfind(':');
  uint32_t port = 0;
  if (meeting.file.empty() && colon != std::string::npos && colon > 0 &&
      absl::SimpleAtoi(text.substr(colon + 1), &port) && port >= 1 && port <= 65535) {
    meeting.host = text.substr(0, colon);
    meeting.port = static_cast<uint16_t>(port);
    return meeting;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "rendezvous: '", text, "' given; allowed: HOST:PORT with a port from 1 to 65535, file:PATH"));
}

absl::Status CheckRanks(const ProcessGroupOptions& options) {
  if (options.world < 1 || options.world > kMostProcesses) {
    return absl::InvalidArgumentError(
        absl::StrCat("world: ", options.world, " given, allowed: 1..", kMostProcesses));
  }
  if (options.rank < options.world) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("rank: ", options.rank, " given, must be below the world of ", options.world));
}

c10::intrusive_ptr<c10d::Store> MakeStore(const Meeting& meeting,
                                          const ProcessGroupOptions& options) {
  if (!meeting.file.empty()) {
    return c10::make_intrusive<c10d::FileStore>(meeting.file, static_cast<int>(options.world));
  }
  c10d::TCPStoreOptions store;
  store.port = meeting.port;
  store.isServer = options.rank == 0;
  store.numWorkers = options.world;
  store.timeout = std::chrono::milliseconds(options.timeout_ms);
  return c10::make_intrusive<c10d::TCPStore>(meeting.host, store);
}

// Waits until all are there: Gloo itself has one limit for meeting and for each call.
void Meet(const ProcessGroupOptions& options, c10d::Store* store) {
  const auto name = [](uint32_t rank) { return absl::StrCat("meets/", rank); };
  store->set(name(options.rank), std::vector<uint8_t>{1});
  std::vector<std::string> all;
  for (uint32_t rank = 0; rank < options.world; ++rank) all.push_back(name(rank));
  store->wait(all);
}

class GlooGroup final : public ProcessGroup {
 public:
  GlooGroup(const Meeting& meeting, const ProcessGroupOptions& options)
      : rank_(options.rank), world_(options.world) {
    const c10::intrusive_ptr<c10d::Store> store = MakeStore(meeting, options);
    store->setTimeout(std::chrono::milliseconds(options.timeout_ms));
    Meet(options, store.get());
    const auto gloo =
        c10d::ProcessGroupGloo::Options::create(std::chrono::milliseconds(options.call_timeout_ms));
    // On loopback the machine's own name may lead to an address that nobody listens at.
    const bool loopback = !meeting.file.empty() || absl::StartsWith(meeting.host, "127.") ||
                          meeting.host == "localhost";
    gloo->devices.push_back(loopback ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                     : c10d::ProcessGroupGloo::createDefaultDevice());
    group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(rank_),
                                                         static_cast<int>(world_), gloo);
  }

  absl::Status Sum(std::span<float> values) override {
    return Call([&] {
      std::vector<at::Tensor> tensors = {
          at::from_blob(values.data(), {static_cast<int64_t>(values.size())}, at::kFloat)};
      group_->allreduce(tensors)->wait();
    });
  }

  absl::Status Share(std::string* bytes) override {
    return Call([&] {
      std::vector<at::Tensor> size = {
          at::full({1}, static_cast<int64_t>(bytes->size()), at::kLong)};
      group_->broadcast(size)->wait();
      bytes->resize(static_cast<size_t>(size[0].item<int64_t>()));
      if (bytes->empty()) return;
      std::vector<at::Tensor> tensors = {
          at::from_blob(bytes->data(), {static_cast<int64_t>(bytes->size())}, at::kByte)};
      group_->broadcast(tensors)->wait();
    });
  }

  uint32_t rank() const override { return rank_; }
  uint32_t world() const override { return world_; }

 private:
  template <typename Work>
  static absl::Status Call(const Work& work) {
    const absl::Status status = CatchTorchErrors(absl::StatusCode::kUnavailable, [&] {
      work();
      return absl::OkStatus();
    });
    if (status.ok()) return status;
    return absl::Status(
        status.code(),
        absl::StrCat("another process of --world is gone or too slow: ", status.message()));
  }

  const uint32_t rank_;
  const uint32_t world_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessGroup>> ProcessGroup::Join(
    const ProcessGroupOptions& options) {
  MIXFEED_RETURN_IF_ERROR(CheckRanks(options));
  MIXFEED_ASSIGN_OR_RETURN(const Meeting meeting, ParseRendezvous(options.rendezvous));
  options.waits();
  std::unique_ptr<ProcessGroup> group;
  const absl::Status status = CatchTorchErrors(absl::StatusCode::kUnavailable, [&] {
    group = std::make_unique<GlooGroup>(meeting, options);
    return absl::OkStatus();
  });
  if (status.ok()) return group;
  return absl::Status(status.code(),
                      absl::StrCat("rendezvous: ", options.rendezvous, ": not all of ",
                                   options.world, " processes met: ", status.message()));
}

}  // namespace mixfeed
