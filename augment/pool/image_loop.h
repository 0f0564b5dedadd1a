#ifndef MIXFEED_AUGMENT_POOL_IMAGE_LOOP_H_
#define MIXFEED_AUGMENT_POOL_IMAGE_LOOP_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "augment/base/thread_pool.h"

namespace mixfeed {

// Turns the images done, over all partitions, into one progress from 0 to 1.
class ImageProgress {
 public:
  // `report` may be empty.
  ImageProgress(std::function<void(double)> report, int64_t images)
      : report_(std::move(report)), images_(images) {}

  void Add(int64_t done) {
    done_ += done;
    if (report_) report_(static_cast<double>(done_) / static_cast<double>(images_));
  }

 private:
  const std::function<void(double)> report_;
  const int64_t images_;
  int64_t done_ = 0;
};

// Calls body(i) for every i in [0, count) on `threads`, and progress->Add now and then on the
// caller's thread. On errors it stops early, and returns the one of the lowest i that was tried:
// the same one on any number of threads.
absl::Status ForEachImage(int64_t count, ThreadPool* threads, ImageProgress* progress,
                          const std::function<absl::Status(int64_t)>& body);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_IMAGE_LOOP_H_
