#ifndef MIXFEED_AUGMENT_BATCH_BATCH_FORMAT_H_
#define MIXFEED_AUGMENT_BATCH_BATCH_FORMAT_H_

#include <cstdint>

#include "augment/render/pixel_format.h"

namespace mixfeed {

// What a row's target is.
enum class TargetForm : uint8_t {
  kSoft,  // [classes] weights that sum to 1
  // (y_a, y_b, lambda): the classes of the row and its partner as floats, -1 where one is hidden or
  // not known, and the weight of y_a. Only of two labels that are not smoothed.
  kPairs,
};

// What is made of a step's images.
enum class BatchContent : uint8_t {
  kMixed,  // the batch
  kViews,  // the images as they are before guess and mixing (Batch::views), for who does that
};

// What a consumer wants its batch to be.
struct BatchFormat : PixelFormat {
  BatchFormat() = default;
  // Implicit: a pixel format says all there is to say of a batch with soft targets.
  BatchFormat(const PixelFormat& pixels, TargetForm targets = TargetForm::kSoft)  // NOLINT
      : PixelFormat(pixels), target_form(targets) {}

  TargetForm target_form = TargetForm::kSoft;
  BatchContent content = BatchContent::kMixed;  // kViews: BatchMaker::ViewsFormat

  // Numbers of a row's target.
  int TargetColumns(int classes) const { return target_form == TargetForm::kPairs ? 3 : classes; }

  friend bool operator==(const BatchFormat&, const BatchFormat&) = default;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BATCH_BATCH_FORMAT_H_
