#ifndef MIXFEED_CLIENT_MIX_H_
#define MIXFEED_CLIENT_MIX_H_

#include <cstddef>
#include <span>

#include "absl/status/status.h"
#include "augment/render/pixel_format.h"
#include "client/feed_client.h"

// For a trainer that guesses itself: Feed::GetViews, then RenderImages for its model's input,
// MakeGuesses of what the model says, and MixViews. They are the server's own functions: for equal
// guesses the batch equals that of GetBatch bit for bit, of the whole step with soft targets, in
// every pixel format. All work on contiguous arrays, on the calling thread, and are thread safe.
namespace mixfeed {

// Writes `count` of the images, from `first` on, as a model takes them: unmixed, in `format`. View
// k of the unlabelled images begins at labelled_rows + k * unlabelled_rows. InvalidArgument: images
// that there are not, a format as ValidatePixelFormat, an `out` that is too short or not aligned to
// the pixel type.
absl::Status RenderImages(const ReceivedViews& views, size_t first, size_t count,
                          const PixelFormat& format, std::span<std::byte> out);

// The guesses ([rows][classes]) that the server makes of a model's `probabilities`
// ([views][rows][classes]): their mean over the views, sharpened (MixMatch, equations 6 and 7).
// InvalidArgument: sizes that do not fit, a temperature outside 0.01..100, probabilities that are
// not finite, are negative, or do not sum to 1 within 1e-3 a row.
absl::Status MakeGuesses(std::span<const float> probabilities, int views, int classes,
                         double temperature, std::span<float> guesses);

// Writes the batch that the views and the guesses ([unlabelled_rows][classes]; empty where there
// are no unlabelled rows) give: `pixels` in `format`, header().batch().rows() images; and
// `targets`, [rows][classes]. InvalidArgument: sizes that do not fit, guesses as MakeGuesses'
// probabilities, a format as ValidatePixelFormat, pixels not aligned to their type, and a plan that
// no server makes. ReceivedViews::Mix does the same into memory of its own.
absl::Status MixViews(const ReceivedViews& views, std::span<const float> guesses,
                      const PixelFormat& format, std::span<std::byte> pixels,
                      std::span<float> targets);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_MIX_H_
