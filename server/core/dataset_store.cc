#include "server/core/dataset_store.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/pool/dataset_source.h"

namespace mixfeed {
namespace {

DatasetStore::Entry ReadEntry(const DatasetSource& source) {
  spdlog::info("dataset \"{}\": reading {}", source.name, source.path);
  absl::StatusOr<Dataset> dataset = OpenDataset(source);
  if (!dataset.ok()) {
    spdlog::error("dataset \"{}\" cannot be used: {}", source.name,
                  std::string(dataset.status().message()));
    return {source.name, dataset.status(), nullptr};
  }
  if (!dataset->notice.empty()) spdlog::warn("dataset \"{}\": {}", source.name, dataset->notice);
  dataset->name = source.name;
  auto shared = std::make_shared<const Dataset>(*std::move(dataset));
  spdlog::info("dataset \"{}\": {} training and {} test images, {} classes", source.name,
               shared->train.count(), shared->test.count(), shared->num_classes());
  return {source.name, absl::OkStatus(), std::move(shared)};
}

bool HasName(const std::vector<DatasetSource>& sources, const std::string& name) {
  for (const DatasetSource& source : sources) {
    if (source.name == name) return true;
  }
  return false;
}

absl::StatusOr<std::vector<DatasetSource>> ParseSources(const DatasetStore::Options& options) {
  std::vector<DatasetSource> sources;
  for (const std::string& text : options.sources) {
    MIXFEED_ASSIGN_OR_RETURN(DatasetSource source, ParseDatasetSource(text));
    if (HasName(sources, source.name)) {
      return absl::InvalidArgumentError(absl::StrCat("--data ", text, ": the name \"", source.name,
                                                     "\" is taken; write --data NAME=", text));
    }
    source.cache_dir = options.cache_dir;
    sources.push_back(std::move(source));
  }
  return sources;
}

int64_t PaddedBytes(const Dataset& dataset, Partition partition, int pad) {
  const ImageShape& shape = dataset.shape;
  return dataset.partition(partition).count() * shape.channels * (shape.height + 2 * pad) *
         (shape.width + 2 * pad);
}

// Zeros where the border is of no colour.
PadFill FillOf(const ViewSpec& view) {
  PadFill fill = {};
  if (view.pad_mode != PadMode::kConstant) return fill;
  for (size_t c = 0; c < view.pad_fill.size(); ++c) {
    fill[c] = static_cast<uint8_t>(view.pad_fill[c]);
  }
  return fill;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DatasetStore>> DatasetStore::Open(const Options& options,
                                                                 Renderer* renderer,
                                                                 ThreadPool* threads) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<DatasetSource> sources, ParseSources(options));
  std::vector<Entry> entries;
  absl::Status last_error = absl::FailedPreconditionError("--data is not given");
  for (const DatasetSource& source : sources) {
    entries.push_back(ReadEntry(source));
    if (!entries.back().status.ok()) last_error = entries.back().status;
  }
  std::unique_ptr<DatasetStore> store(
      new DatasetStore(std::move(entries), options.max_pool_bytes, renderer, threads));
  if (!store->Usable().empty()) return store;
  return absl::FailedPreconditionError(
      absl::StrCat("no dataset can be used: ", std::string(last_error.message())));
}

DatasetStore::DatasetStore(std::vector<Entry> entries, int64_t max_pool_bytes, Renderer* renderer,
                           ThreadPool* threads)
    : entries_(std::move(entries)),
      max_pool_bytes_(max_pool_bytes),
      renderer_(renderer),
      threads_(threads) {}

std::vector<std::shared_ptr<const Dataset>> DatasetStore::Usable() const {
  std::vector<std::shared_ptr<const Dataset>> usable;
  for (const Entry& entry : entries_) {
    if (entry.dataset) usable.push_back(entry.dataset);
  }
  return usable;
}

std::string DatasetStore::Names() const {
  std::string names;
  for (const Entry& entry : entries_)
    absl::StrAppend(&names, names.empty() ? "" : ", ", entry.name);
  return names;
}

absl::StatusOr<std::shared_ptr<const Dataset>> DatasetStore::Find(const std::string& name) const {
  if (name.empty()) {
    const std::vector<std::shared_ptr<const Dataset>> usable = Usable();
    if (usable.size() == 1) return usable.front();
    return absl::InvalidArgumentError(absl::StrCat("dataset is empty; allowed: one of ", Names()));
  }
  for (const Entry& entry : entries_) {
    if (entry.name != name) continue;
    if (entry.status.ok()) return entry.dataset;
    return absl::FailedPreconditionError(absl::StrCat(
        "dataset \"", name, "\" could not be read: ", std::string(entry.status.message())));
  }
  return absl::NotFoundError(
      absl::StrCat("dataset \"", name, "\" is not known; this server has ", Names()));
}

absl::StatusOr<std::shared_ptr<const Dataset>> DatasetStore::AnyOfOneKind() const {
  const std::vector<std::shared_ptr<const Dataset>> usable = Usable();
  const std::shared_ptr<const Dataset>& first = usable.front();
  for (const std::shared_ptr<const Dataset>& dataset : usable) {
    if (dataset->shape != first->shape || dataset->num_classes() != first->num_classes()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "classes and image must be set, since the datasets differ in them: ", Names()));
    }
  }
  return first;
}

absl::Status DatasetStore::MakeRoom(int64_t bytes) {
  std::erase_if(pools_, [](const auto& item) { return item.second.pool.expired(); });
  int64_t in_use = 0;
  for (const auto& [key, entry] : pools_) in_use += entry.bytes;
  if (in_use + bytes <= max_pool_bytes_) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "recipe.view.pad: the padded images take ", bytes, " bytes, and ", in_use, " of ",
      max_pool_bytes_, " (--max-pool-bytes) are in use by other feeds; close some, or pad less"));
}

absl::StatusOr<std::shared_ptr<const ResidentPool>> DatasetStore::FindPool(
    const std::shared_ptr<const Dataset>& dataset, Partition partition, const ViewSpec& view) {
  MutexLock lock(&mu_);
  const PadFill fill = FillOf(view);
  const PoolKey key{dataset.get(), partition, view.pad, view.pad_mode, fill};
  if (const auto found = pools_.find(key); found != pools_.end()) {
    if (std::shared_ptr<const ResidentPool> pool = found->second.pool.lock()) return pool;
  }
  const int64_t bytes = PaddedBytes(*dataset, partition, view.pad);
  MIXFEED_RETURN_IF_ERROR(MakeRoom(bytes));
  MIXFEED_ASSIGN_OR_RETURN(Pool padded,
                           MakePool(dataset->shape, dataset->partition(partition).pixels, view.pad,
                                    view.pad_mode, threads_, fill));
  MIXFEED_ASSIGN_OR_RETURN(std::shared_ptr<const ResidentPool> pool,
                           renderer_->Load(std::move(padded)));
  pools_[key] = {pool, bytes};
  return pool;
}

}  // namespace mixfeed
