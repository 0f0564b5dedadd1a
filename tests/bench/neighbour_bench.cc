// How long the 200 nearest neighbours of each of CIFAR-10's training pictures take on all hardware
// threads, and how fast the products behind them are.
//
//   neighbour_bench [--all]
//
// MIXFEED_CIFAR_DIR names a folder with CIFAR-10's .bin files; without it the pictures are noise.
// Searches the first 10,000, with --all then all 50,000, and prints
//   vs limit   seconds against 240 s, scaled by the square of the count; below 1 is good
//   GMAC/s     billions of products a second, each pair of pictures counted once, for the whole
//              search; and those of OpenBLAS's sgemm, run before it on as many threads
//   vs sgemm   the ratio of the two

#include <cblas.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/base/status_macros.h"
#include "augment/neighbour/dot_products.h"
#include "augment/neighbour/neighbour_index.h"
#include "augment/pool/cifar_reader.h"
#include "tests/augment/pool/real_cifar.h"

namespace mixfeed {
namespace {

constexpr int kDimensions = 32 * 32 * 3;
constexpr int kNeighbours = 200;
constexpr int64_t kSomePictures = 10'000;
constexpr int64_t kAllPictures = 50'000;
constexpr double kLimitSeconds = 240;  // for all

double Seconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Of all, [kAllPictures][kDimensions].
absl::StatusOr<std::vector<int16_t>> Pictures() {
  if (const std::string folder = testing::RealCifarFolder(); !folder.empty()) {
    MIXFEED_ASSIGN_OR_RETURN(const Dataset cifar, ReadCifar(folder, CifarKind::kCifar10));
    if (cifar.train.count() != kAllPictures) {
      return absl::InvalidArgumentError("MIXFEED_CIFAR_DIR does not have all 50,000 pictures");
    }
    return std::vector<int16_t>(cifar.train.pixels.begin(), cifar.train.pixels.end());
  }
  std::mt19937 random(1);
  std::vector<int16_t> noise(size_t{kAllPictures} * kDimensions);
  for (int16_t& value : noise) value = static_cast<int16_t>(random() % 256);
  return noise;
}

// GMAC/s; the best of five, since what else runs only slows it down.
double SgemmRate(int threads) {
  constexpr int kRows = 4096;
  openblas_set_num_threads(threads);
  const std::vector<float> points(size_t{kRows} * kDimensions, 1.0f);
  std::vector<float> products(size_t{kRows} * kRows);
  double fastest = kLimitSeconds;
  for (int i = 0; i < 5; ++i) {
    fastest = std::min(fastest, Seconds([&] {
                         cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, kRows, kRows,
                                     kDimensions, 1.0f, points.data(), kDimensions, points.data(),
                                     kDimensions, 0.0f, products.data(), kRows);
                       }));
  }
  return 1e-9 * kRows * kRows * kDimensions / fastest;
}

absl::Status Search(const std::vector<int16_t>& pictures, int64_t count, ThreadPool* threads,
                    double sgemm_rate) {
  const std::span<const int16_t> searched(pictures.data(),
                                          static_cast<size_t>(count * kDimensions));
  const NeighbourPoints points{searched, kDimensions, {}};
  absl::Status status;
  const double seconds = Seconds([&] {
    status = BuildNeighbourIndex(points, {.k = kNeighbours, .threads = threads}).status();
  });
  const double share = static_cast<double>(count) / kAllPictures;
  const double pairs = 0.5 * static_cast<double>(count) * static_cast<double>(count);
  const double rate = 1e-9 * pairs * kDimensions / seconds;
  std::printf("%6.0f pictures %8.2f s   vs limit %.3f   %6.1f GMAC/s   vs sgemm %.2f\n",
              static_cast<double>(count), seconds, seconds / (kLimitSeconds * share * share), rate,
              rate / sgemm_rate);
  return status;
}

absl::Status Run(bool all) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<int16_t> pictures, Pictures());
  ThreadPool threads(static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
  const double sgemm_rate = SgemmRate(threads.threads());
  std::printf("%d threads, %s; sgemm %.1f GMAC/s\n", threads.threads(),
              DotProductsTargetName().c_str(), sgemm_rate);
  MIXFEED_RETURN_IF_ERROR(Search(pictures, kSomePictures, &threads, sgemm_rate));
  return all ? Search(pictures, kAllPictures, &threads, sgemm_rate) : absl::OkStatus();
}

}  // namespace
}  // namespace mixfeed

int main(int argc, char** argv) {
  const bool all = argc == 2 && std::string(argv[1]) == "--all";
  if (argc != 1 && !all) {
    std::fprintf(stderr, "usage: neighbour_bench [--all]\n");
    return 2;
  }
  const absl::Status status = mixfeed::Run(all);
  if (!status.ok()) std::fprintf(stderr, "neighbour_bench: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
