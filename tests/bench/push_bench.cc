// What a trainer's push costs, over loopback to a server process with two guess threads:
//
// - WRN-28-2, 1.5 M parameters: from the call of PushWeights to the first batch that is guessed
//   with the new weights, less what the same batch takes when its weights are there, and less what
//   the disk takes to sync a file of that size. Beside the limit of 15 ms.
// - The small network: guessed views/s of a MixMatch stream (uint8, policy newest), without pushes
//   and with one every 10 batches, against its bare forward passes on the same threads. Beside the
//   goal of 0.95, and of the passes that fit into the time which this process, consumer and trainer
//   in one, leaves the server on the cores that they share. And what the pushes take off the
//   stream's rate, beside the share of the machine's time that goes to them: what both processes
//   then work more than without pushes, besides the passes. At most 1 of it.
//
// Prints medians of short alternating rounds, since the machine's speed drifts.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/guess/torch_runtime.h"
#include "augment/pool/file_io.h"
#include "client/feed_client.h"
#include "tests/testing/child_process.h"
#include "tests/testing/cifar_files.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed {
namespace {

constexpr double kLimitMs = 15;
constexpr int kPushes = 61;
constexpr uint32_t kPushedBatch = 4;  // small, so that the guess's own time says less
constexpr double kGoal = 0.95;
constexpr uint32_t kBatch = 64;  // of the stream
constexpr int kViews = 2;        // of an unlabelled image
constexpr int kRounds = 31;
constexpr int kPairs = 3;  // of a round: batches without a push, and as many with one
constexpr int kBatchesAPush = 10;
constexpr uint32_t kForwardMs = 300;
constexpr int kGuessThreads = 2;

template <typename Value>
Value Must(absl::StatusOr<Value> value) {
  if (value.ok()) return *std::move(value);
  std::cerr << value.status() << '\n';
  std::exit(1);
}
void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << status << '\n';
  std::exit(1);
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

template <typename Work>
double Milliseconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

// What a server's threads have worked so far, but for those that guess, who have worked most.
double OthersMs(pid_t server) {
  std::vector<double> threads;
  for (const auto& thread :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", server, "/task"))) {
    double nanoseconds = 0;
    std::ifstream(thread.path() / "schedstat") >> nanoseconds;
    threads.push_back(nanoseconds / 1e6);
  }
  std::sort(threads.begin(), threads.end(), std::greater<>());
  return std::accumulate(threads.begin() + kGuessThreads, threads.end(), 0.0);
}

// What this process has worked so far.
double OwnMs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto ms = [](const timeval& time) {
    return 1e3 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_usec);
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

// Batches taken from a stream, with or without pushes between them.
struct Taken {
  double ms = 0;
  double own_ms = 0;     // of this process
  double others_ms = 0;  // of the server's threads that do not guess

  double Rate() const { return 1000.0 * kPairs * kBatchesAPush * kBatch * kViews / ms; }
  // Of the machine's time.
  double Own() const { return own_ms / MachineMs(); }
  double BesidesPasses() const { return (own_ms + others_ms) / MachineMs(); }

 private:
  double MachineMs() const { return ms * std::max(1u, std::thread::hardware_concurrency()); }
};

// Of every round: guessed views/s, their ratio to bare passes, and to those that fit into what this
// process leaves.
struct Rates {
  std::vector<double> views, ratios, left;

  void Add(const Taken& taken, double bare) {
    views.push_back(taken.Rate());
    ratios.push_back(taken.Rate() / bare);
    left.push_back(ratios.back() / (1 - taken.Own()));
  }
};

std::string InitialWeights(TorchRuntime* runtime, const std::string& kind) {
  ModelSource source;
  source.info.name = source.info.kind = kind;
  return Must(Must(runtime->Load(source))->Weights());
}

// One model on a server, and its trainer's counts.
class Trainer {
 public:
  Trainer(FeedClient* client, std::string model, std::string weights)
      : client_(*client), model_(std::move(model)), weights_(std::move(weights)) {
    v1::RegisterModelHeader header;
    header.set_name(model_);
    header.set_kind(model_);
    Must(client_.RegisterModel(header, "").status());
  }

  void Push() {
    v1::PushWeightsHeader header;
    header.set_model(model_);
    header.set_replaces(version_);
    header.set_update(++update_);
    version_ = Must(client_.PushWeights(header, weights_)).model().version();
  }

  std::unique_ptr<Feed> Open(v1::Guess::Policy policy, uint32_t batch) {
    v1::FeedSpec spec;
    spec.mutable_recipe()->set_preset("mixmatch");
    spec.mutable_recipe()->mutable_guess()->set_model(model_);
    spec.mutable_recipe()->mutable_guess()->set_policy(policy);
    spec.mutable_split()->set_labelled(100);
    spec.set_batch(batch);
    return Must(client_.OpenFeed(spec));
  }

  size_t bytes() const { return weights_.size(); }

 private:
  FeedClient& client_;
  const std::string model_;
  const std::string weights_;
  uint64_t version_ = 0;
  uint64_t update_ = 0;
};

void MeasurePush(Trainer* trainer, const std::string& folder) {
  const auto lockstep = trainer->Open(v1::Guess::LOCKSTEP, kPushedBatch);
  const auto newest = trainer->Open(v1::Guess::NEWEST, kPushedBatch);
  v1::PixelFormat format;
  format.set_type(v1::UINT8);
  const std::string file(trainer->bytes(), 'w');
  Must(lockstep->GetBatch(0, format).status());
  std::vector<double> calls, firsts, bares, syncs, rests;
  for (uint64_t step = 1; step <= kPushes; ++step) {
    double call = 0;
    firsts.push_back(Milliseconds([&] {
      call = Milliseconds([&] { trainer->Push(); });
      Must(lockstep->GetBatch(step, format).status());
    }));
    calls.push_back(call);
    bares.push_back(Milliseconds([&] { Must(newest->GetBatch(step, format).status()); }));
    syncs.push_back(
        Milliseconds([&] { Must(WriteFileDurably(absl::StrCat(folder, "/", step), file)); }));
    rests.push_back(firsts.back() - bares.back() - syncs.back());
  }
  const double cost = Median(rests);
  std::cout
      << absl::StrFormat(
             "push of wrn-28-2 (%.1f MB), medians: call %.1f ms; to the first batch %.1f ms, of "
             "which guess and batch %.1f, file and sync %.1f: the rest %.1f ms, %.2f of the limit "
             "of %.0f ms\n",
             static_cast<double>(trainer->bytes()) / 1e6, Median(calls), Median(firsts),
             Median(bares), Median(syncs), cost, cost / kLimitMs, kLimitMs)
      << std::flush;
}

void MeasureStream(Trainer* trainer, pid_t server) {
  const auto feed = trainer->Open(v1::Guess::NEWEST, kBatch);
  StreamOptions options;
  options.format.set_type(v1::UINT8);
  const auto stream = Must(feed->Stream(options));
  const auto take = [&](bool push, Taken* taken) {
    const double own_before = OwnMs();
    const double others_before = OthersMs(server);
    taken->ms += Milliseconds([&] {
      if (push) trainer->Push();
      for (int i = 0; i < kBatchesAPush; ++i) Must(stream->Next().status());
    });
    taken->others_ms += OthersMs(server) - others_before;
    taken->own_ms += OwnMs() - own_before;
  };
  const auto measure_bare = [&] {
    Must(feed->MeasureForward(kForwardMs));  // meanwhile the stream's window fills
    return Must(feed->MeasureForward(kForwardMs)).images_per_second();
  };
  Taken unused;
  take(false, &unused);  // fills the window
  std::vector<double> bare{measure_bare()};
  std::vector<double> losses, shares;
  Rates without, with;
  for (int round = 0; round < kRounds; ++round) {
    take(false, &unused);  // the window is full again, and what was made meanwhile is gone
    Taken calm, pushed;
    for (int pair = 0; pair < kPairs; ++pair) {
      const bool push_first = (round + pair) % 2 == 0;
      take(push_first, push_first ? &pushed : &calm);
      take(!push_first, push_first ? &calm : &pushed);
    }
    const double before = bare.back();
    bare.push_back(measure_bare());
    const double around = (before + bare.back()) / 2;
    without.Add(calm, around);
    with.Add(pushed, around);
    losses.push_back(1 - pushed.Rate() / calm.Rate());
    shares.push_back(pushed.BesidesPasses() - calm.BesidesPasses());
  }
  std::cout
      << absl::StrFormat(
             "stream of the small network: %.0f bare views/s; guessed without pushes %.0f: "
             "%.3f of them; with a push every %d batches %.0f: %.3f (goal %.2f)\n",
             Median(bare), Median(without.views), Median(without.ratios), kBatchesAPush,
             Median(with.views), Median(with.ratios), kGoal)
      << absl::StrFormat(
             "of the passes that fit into what consumer and trainer leave of the cores: %.3f and "
             "%.3f\n",
             Median(without.left), Median(with.left))
      << absl::StrFormat(
             "pushes take %.4f of the machine's time; the rate falls by %.4f, %.2f of that share\n",
             Median(shares), Median(losses), Median(losses) / Median(shares))
      << std::flush;
}

void Run() {
  const testing::TempDir dir;
  testing::WriteCifar10(dir.File("cifar"), testing::TinyDataset(/*train=*/2000, /*test=*/100));
  const testing::ServerProcess server(
      MIXFEED_SERVER_PROGRAM,
      {"--data", absl::StrCat("cifar=", dir.File("cifar")), "--state-dir", dir.File("state"),
       "--threads", absl::StrCat(kGuessThreads), "--device", "cpu"});
  const auto client = Must(FeedClient::Connect({.server = server.address()}));
  TorchRuntime runtime(kGuessThreads);
  Trainer large(client.get(), "wrn-28-2", InitialWeights(&runtime, "wrn-28-2"));
  MeasurePush(&large, dir.path());
  Trainer small(client.get(), "resnet-small", InitialWeights(&runtime, "resnet-small"));
  MeasureStream(&small, server.pid());
}

}  // namespace
}  // namespace mixfeed

int main() { mixfeed::Run(); }
