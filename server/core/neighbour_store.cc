#include "server/core/neighbour_store.h"

#include <spdlog/spdlog.h>
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/memory.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

constexpr int64_t kFeatureRows = 256;  // images a forward pass

uint64_t Hash(const void* data, size_t bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(data, bytes, seed);
}

NeighbourClass ClassOf(PartnerClass classes) {
  switch (classes) {
    case PartnerClass::kSame:
      return NeighbourClass::kSame;
    case PartnerClass::kOther:
      return NeighbourClass::kOther;
    case PartnerClass::kAny:
      break;
  }
  return NeighbourClass::kAny;
}

std::string KeyOf(const NeighbourStore::Wish& wish) {
  const uint64_t samples =
      Hash(wish.samples.data(), wish.samples.size() * sizeof(int32_t), wish.dataset->fingerprint);
  return absl::StrCat(absl::Hex(samples, absl::kZeroPad16), "-", wish.partner.neighbours, "-",
                      static_cast<int>(wish.partner.classes), "-",
                      absl::Hex(FingerprintModel(wish.model.get()), absl::kZeroPad16));
}

// The images' pixels as coordinates.
absl::StatusOr<std::vector<int16_t>> Pixels(const NeighbourStore::Wish& wish) {
  const auto pixels = static_cast<size_t>(wish.dataset->shape.pixels());
  std::vector<int16_t> coordinates;
  MIXFEED_RETURN_IF_ERROR(
      CatchOutOfMemory("a neighbour index's pixels",
                       static_cast<int64_t>(wish.samples.size() * pixels * sizeof(int16_t)), [&] {
                         coordinates.reserve(wish.samples.size() * pixels);
                         return absl::OkStatus();
                       }));
  for (const int32_t sample : wish.samples) {
    const auto first = wish.dataset->train.pixels.begin() +
                       static_cast<std::ptrdiff_t>(static_cast<size_t>(sample) * pixels);
    coordinates.insert(coordinates.end(), first, first + static_cast<std::ptrdiff_t>(pixels));
  }
  return coordinates;
}

}  // namespace

uint64_t FingerprintModel(const GuessModel* model) {
  if (model == nullptr) return 0;
  const GuessModelInfo& info = model->info();
  const std::string text =
      absl::StrCat(info.name, "\n", info.version, "\n", info.kind, "\n", info.environment);
  return Hash(text.data(), text.size(), 1);
}

NeighbourStore::NeighbourStore(Options options) : options_(std::move(options)) {}

NeighbourStore::~NeighbourStore() { stop_.request_stop(); }

absl::StatusOr<std::shared_ptr<const NeighbourIndex>> NeighbourStore::Find(const Wish& wish) {
  MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<Entry> entry, FindOrStart(KeyOf(wish), wish));
  MIXFEED_RETURN_IF_ERROR(Await(entry));
  return entry->index;
}

absl::StatusOr<std::shared_ptr<NeighbourStore::Entry>> NeighbourStore::FindOrStart(
    const std::string& key, const Wish& wish) {
  auto entry = std::make_shared<Entry>();
  entry->build = {.dataset = wish.dataset->name,
                  .images = static_cast<int64_t>(wish.samples.size()),
                  .neighbours = wish.partner.neighbours};
  {
    MutexLock lock(&mu_);
    std::shared_ptr<Entry>& known = entries_[key];
    if (known != nullptr) return known;
    known = entry;
  }
  const absl::Status started = builder_.Run([this, key, wish, entry] { Run(key, wish, entry); });
  if (started.ok()) return entry;
  MutexLock lock(&mu_);
  entries_.erase(key);
  return started;
}

absl::Status NeighbourStore::Await(const std::shared_ptr<Entry>& entry) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(options_.wait_ms);
  MutexLock lock(&mu_);
  while (!entry->finished) {
    if (changed_.WaitUntil(&mu_, deadline) || std::chrono::steady_clock::now() < deadline) continue;
    return absl::UnavailableError(
        absl::StrFormat("recipe.mix.partner.neighbours: the index of the %d nearest of %d images "
                        "of \"%s\" is being "
                        "built, %.0f %% are done; ask again later",
                        entry->build.neighbours, entry->build.images, entry->build.dataset,
                        100 * entry->build.done));
  }
  return entry->status;
}

void NeighbourStore::Run(const std::string& key, const Wish& wish,
                         const std::shared_ptr<Entry>& entry) {
  absl::StatusOr<NeighbourIndex> index = Make(wish, entry);
  MutexLock lock(&mu_);
  entry->finished = true;
  entry->status = index.status();
  if (index.ok()) {
    entry->index = std::make_shared<const NeighbourIndex>(*std::move(index));
    kept_.push_back(key);
    if (kept_.size() > kMaxKept) {
      entries_.erase(kept_.front());
      kept_.pop_front();
    }
  } else {
    entries_.erase(key);  // the next wish tries again
  }
  changed_.NotifyAll();
}

absl::StatusOr<NeighbourIndex> NeighbourStore::Make(const Wish& wish,
                                                    const std::shared_ptr<Entry>& entry) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<int16_t> coordinates,
                           wish.model == nullptr ? Pixels(wish) : Features(wish));
  std::vector<int16_t> labels;
  for (const int32_t sample : wish.samples) {
    labels.push_back(wish.dataset->train.labels[static_cast<size_t>(sample)]);
  }
  const NeighbourPoints points{
      .coordinates = coordinates,
      .dimensions = static_cast<int>(coordinates.size() / std::max<size_t>(labels.size(), 1)),
      .labels = labels};
  const NeighbourKey key{.points_fingerprint = FingerprintPoints(points),
                         .k = wish.partner.neighbours,
                         .classes = ClassOf(wish.partner.classes)};
  absl::StatusOr<NeighbourIndex> stored = ReadNeighbourIndex(options_.folder, key);
  if (stored.ok()) return stored;
  if (!absl::IsNotFound(stored.status())) {
    spdlog::warn("{}; building it again", std::string(stored.status().message()));
  }
  spdlog::info("dataset \"{}\": finding the {} nearest of {} images each", wish.dataset->name,
               key.k, labels.size());
  const auto progress = [&](double done) {
    MutexLock lock(&mu_);
    entry->build.done = done;
  };
  MIXFEED_ASSIGN_OR_RETURN(NeighbourIndex index,
                           BuildNeighbourIndex(points, {.k = key.k,
                                                        .classes = key.classes,
                                                        .threads = options_.threads,
                                                        .progress = progress,
                                                        .stop = stop_.get_token()}));
  const absl::Status written = WriteNeighbourIndex(options_.folder, key, index);
  if (!written.ok()) {
    spdlog::warn("the neighbour index is not kept: {}", std::string(written.message()));
  }
  return index;
}

// Of the images as they are, not of views.
absl::StatusOr<std::vector<int16_t>> NeighbourStore::Features(const Wish& wish) const {
  const Normalisation& normalisation = wish.model->info().normalisation;
  const auto pixels = static_cast<size_t>(wish.dataset->shape.pixels());
  std::vector<float> features;
  std::vector<float> views;
  const auto count = static_cast<int64_t>(wish.samples.size());
  for (int64_t begin = 0; begin < count; begin += kFeatureRows) {
    if (stop_.stop_requested()) return absl::CancelledError("the server is shutting down");
    const int64_t rows = std::min(kFeatureRows, count - begin);
    views.clear();
    for (int64_t i = begin; i < begin + rows; ++i) {
      const auto sample = static_cast<size_t>(wish.samples[static_cast<size_t>(i)]);
      for (size_t p = 0; p < pixels; ++p) {
        const size_t channel = p * static_cast<size_t>(wish.dataset->shape.channels) / pixels;
        const double level = wish.dataset->train.pixels[sample * pixels + p];
        views.push_back(static_cast<float>((level / 255 - normalisation.mean[channel]) /
                                           normalisation.std[channel]));
      }
    }
    MIXFEED_ASSIGN_OR_RETURN(const std::vector<float> some,
                             wish.model->Features(views, static_cast<int>(rows)));
    features.insert(features.end(), some.begin(), some.end());
  }
  return QuantiseFeatures(features);
}

std::vector<NeighbourStore::Build> NeighbourStore::Builds() const {
  MutexLock lock(&mu_);
  std::vector<Build> builds;
  for (const auto& [key, entry] : entries_) {
    if (!entry->finished) builds.push_back(entry->build);
  }
  return builds;
}

}  // namespace mixfeed
