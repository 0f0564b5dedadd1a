#ifndef MIXFEED_SERVER_CORE_CONTACT_SHEET_H_
#define MIXFEED_SERVER_CORE_CONTACT_SHEET_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "augment/render/renderer.h"
#include "server/core/feed_registry.h"

namespace mixfeed {

struct SheetOptions {
  int64_t step = 0;
  int rows = 24;  // at most so many, spread over the batch's groups (labelled, each view)
  // Pixels of the sheet a pixel of the image, at least: small images are magnified until they are
  // as wide as the texts above them.
  int scale = 3;
};

struct ContactSheet {
  std::string png;
  int width = 0;
  int height = 0;
};

// Draws one step of a feed for people, one card a row, ordered by groups. From left to right: the
// image as it is in the dataset, all its views, the partners, the row as it is sent; then the
// shares that are mixed, and the largest classes of the label or guess and of the target. CutMix's
// box is framed on partner and result, cutout's hole on view and partner; a hole that is 0 after
// the consumer's normalisation has its colour under the default one, grey. An image shows its label
// only where the batch gives it away: never that of an unlabelled image. The same feed spec, run
// and step give the same bytes. Errors: InvalidArgument for a sheet of more than 64 megapixels;
// what making the batch returns.
absl::StatusOr<ContactSheet> DrawContactSheet(const OpenedFeed& feed, Renderer* renderer,
                                              const SheetOptions& options);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_CONTACT_SHEET_H_
