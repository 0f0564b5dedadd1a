#ifndef MIXFEED_TESTS_AUGMENT_BATCH_FEED_KIT_H_
#define MIXFEED_TESTS_AUGMENT_BATCH_FEED_KIT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "augment/base/mutex.h"
#include "augment/base/thread_pool.h"
#include "augment/batch/batch_maker.h"
#include "augment/guess/guess_model.h"
#include "augment/guess/journal.h"
#include "augment/pool/dataset.h"
#include "augment/render/renderer.h"

namespace mixfeed::testing {

// Lets threads pass, or makes them wait.
class Gate {
 public:
  void Pass();
  void Close();  // for those who come from now on
  void Open();
  // Returns when so many threads wait at the gate.
  void AwaitWaiting(int threads);

 private:
  Mutex mu_;
  CondVar changed_;
  bool open_ ABSL_GUARDED_BY(mu_) = true;
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
};

// A model without weights: the softmax of sums over every classes-th pixel. Its calls pass a gate.
class FakeModel : public GuessModel {
 public:
  FakeModel(const ImageShape& shape, int classes, const std::string& environment = "test");

  const GuessModelInfo& info() const override { return info_; }
  absl::Status Guess(std::span<const float> views, int rows, bool batch_statistics,
                     std::span<float> probabilities) override;

  int calls() const { return calls_; }
  Gate& gate() { return gate_; }

 private:
  GuessModelInfo info_;
  std::atomic<int> calls_ = 0;
  Gate gate_;
};

struct FeedKitOptions {
  ImageShape shape = {3, 8, 8};
  int64_t train = 200;
  int64_t test = 50;
  int threads = 2;
  int64_t slot_bytes = int64_t{64} << 20;
};

// All that batch makers stand on, around a tiny dataset: CPU renderer, slots, a journal in memory
// and a fake model. Must outlive its makers.
class FeedKit {
 public:
  explicit FeedKit(const FeedKitOptions& options = {});

  // The preset's spec over the tiny dataset: 40 labelled images and 20 for validation under
  // "mixmatch", else all of them labelled. At most five neighbours, which are made up: of each
  // labelled image those behind it in the list. Guesses are made with the newest weights.
  FeedSpec Spec(const std::string& preset, int batch = 8) const;

  BatchMakerOptions MakerOptions(const FeedSpec& spec, const std::string& feed_id = "feed");
  std::shared_ptr<const BatchMaker> Maker(const FeedSpec& spec,
                                          const std::string& feed_id = "feed");

  ThreadPool threads;
  std::unique_ptr<Renderer> renderer;
  SlotPool slots;
  std::unique_ptr<Journal> journal;
  std::shared_ptr<Dataset> dataset;
  std::shared_ptr<FakeModel> model;  // null: none is registered
  // The update to which a trainer has pushed: the fake model's weights are those of all up to it.
  std::atomic<int64_t> newest_update = 0;
};

// All that a reader of the batch gets, as one string: equal exactly when the batches are.
std::string ContentsOf(const Batch& batch);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_BATCH_FEED_KIT_H_
