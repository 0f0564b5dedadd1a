#include "augment/pool/generated_cache.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/base/thread_pool.h"
#include "augment/pool/cifar_reader.h"
#include "augment/pool/file_io.h"
#include "augment/pool/generated_dataset.h"

namespace mixfeed {
namespace {

namespace fs = std::filesystem;

constexpr int kTrainFiles = 5;
constexpr char kChecksumFile[] = "checksum.txt";
constexpr char kTemporary[] = ".tmp-";  // between a folder's name and its writer's process id

std::string Checksum(const Dataset& dataset) {
  return absl::StrCat(absl::Hex(FingerprintDataset(dataset), absl::kZeroPad16), "\n");
}

// What is in `folder`, if it is what was once written there.
absl::StatusOr<Dataset> ReadCache(const GeneratorSpec& spec, const std::string& folder) {
  MIXFEED_ASSIGN_OR_RETURN(Dataset dataset, ReadCifar(folder, CifarKind::kCifar10));
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<uint8_t> checksum,
                           ReadWholeFile(JoinPath(folder, kChecksumFile)));
  if (std::string(checksum.begin(), checksum.end()) != Checksum(dataset) ||
      dataset.train.count() != spec.train_images || dataset.test.count() != spec.test_images) {
    return absl::DataLossError(absl::StrCat(folder, ": is not what was written there"));
  }
  return dataset;
}

// Writes images begin..end-1 as CIFAR-10 records.
absl::Status WriteRecords(const std::string& path, const ImageSet& images, int64_t begin,
                          int64_t end) {
  constexpr int64_t kPixels = ImageShape{}.pixels();  // of CIFAR's images
  std::vector<uint8_t> bytes;
  bytes.reserve(static_cast<size_t>((end - begin) * (1 + kPixels)));
  for (int64_t i = begin; i < end; ++i) {
    bytes.push_back(static_cast<uint8_t>(images.labels[static_cast<size_t>(i)]));
    const auto first = images.pixels.begin() + i * kPixels;
    bytes.insert(bytes.end(), first, first + kPixels);
  }
  return WriteWholeFile(path, bytes.data(), static_cast<int64_t>(bytes.size()));
}

absl::Status WriteText(const std::string& path, const std::string& text) {
  return WriteWholeFile(path, text.data(), static_cast<int64_t>(text.size()));
}

absl::Status WriteFiles(const std::string& folder, const Dataset& dataset) {
  std::string names;
  for (const std::string& name : dataset.class_names) absl::StrAppend(&names, name, "\n");
  MIXFEED_RETURN_IF_ERROR(WriteText(JoinPath(folder, "batches.meta.txt"), names));
  MIXFEED_RETURN_IF_ERROR(WriteText(JoinPath(folder, kChecksumFile), Checksum(dataset)));
  const int64_t count = dataset.train.count();
  for (int64_t i = 0; i < kTrainFiles; ++i) {
    const std::string path = JoinPath(folder, absl::StrCat("data_batch_", i + 1, ".bin"));
    MIXFEED_RETURN_IF_ERROR(
        WriteRecords(path, dataset.train, i * count / kTrainFiles, (i + 1) * count / kTrainFiles));
  }
  if (dataset.test.count() == 0) return absl::OkStatus();  // an empty file is no CIFAR file
  return WriteRecords(JoinPath(folder, "test_batch.bin"), dataset.test, 0, dataset.test.count());
}

// Puts the finished `temporary` in the place of `folder`. When another process was faster, its
// folder, which has the same content, stays; one that is damaged is replaced.
absl::Status MoveIntoPlace(const GeneratorSpec& spec, const std::string& temporary,
                           const std::string& folder) {
  std::error_code error;
  fs::rename(temporary, folder, error);
  if (!error || ReadCache(spec, folder).ok()) return absl::OkStatus();
  fs::remove_all(folder, error);
  fs::rename(temporary, folder, error);
  if (!error || ReadCache(spec, folder).ok()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(folder, ": cannot be replaced: ", error.message()));
}

// Removes what processes that died while they wrote have left beside `folder`.
void RemoveLeftovers(const std::string& folder) {
  const fs::path path(folder);
  const std::string prefix = path.filename().string() + kTemporary;
  const auto names = ListFolder(path.parent_path().string());
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    pid_t writer = 0;
    if (!absl::StartsWith(name, prefix)) continue;
    if (!absl::SimpleAtoi(name.substr(prefix.size()), &writer) || writer < 1) continue;
    std::error_code error;
    if (kill(writer, 0) != 0 && errno == ESRCH) fs::remove_all(path.parent_path() / name, error);
  }
}

absl::Status WriteCache(const GeneratorSpec& spec, const std::string& folder,
                        const Dataset& dataset) {
  RemoveLeftovers(folder);
  const std::string temporary = absl::StrCat(folder, kTemporary, getpid());
  std::error_code error;
  fs::create_directories(temporary, error);
  if (error) {
    return absl::InternalError(absl::StrCat(temporary, ": cannot be created: ", error.message()));
  }
  absl::Status status = WriteFiles(temporary, dataset);
  if (status.ok()) status = MoveIntoPlace(spec, temporary, folder);
  fs::remove_all(temporary, error);
  return status;
}

}  // namespace

std::string GeneratedCacheFolder(const GeneratorSpec& spec, const std::string& cache_dir) {
  return JoinPath(cache_dir, absl::StrCat("generated-v", kGeneratorVersion, "-seed", spec.seed));
}

absl::StatusOr<Dataset> OpenGeneratedDataset(const GeneratorSpec& spec,
                                             const std::string& cache_dir,
                                             const std::function<void(double)>& progress) {
  const std::string folder = GeneratedCacheFolder(spec, cache_dir);
  if (!cache_dir.empty()) {
    absl::StatusOr<Dataset> cached = ReadCache(spec, folder);
    if (cached.ok()) return cached;
  }
  ThreadPool threads(static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
  MIXFEED_ASSIGN_OR_RETURN(Dataset dataset, GenerateDataset(spec, &threads, progress));
  if (cache_dir.empty()) return dataset;
  const absl::Status written = WriteCache(spec, folder, dataset);
  if (!written.ok()) dataset.notice = absl::StrCat("not cached: ", written.message());
  return dataset;
}

}  // namespace mixfeed
