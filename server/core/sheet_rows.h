#ifndef MIXFEED_SERVER_CORE_SHEET_ROWS_H_
#define MIXFEED_SERVER_CORE_SHEET_ROWS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/render/renderer.h"
#include "server/core/feed_registry.h"

namespace mixfeed {

// One row of a batch as a contact sheet shows it. Images are [height][width][channels] uint8.
struct SheetRow {
  std::vector<std::byte> mixed;                   // as it is sent
  bool is_mixed = false;                          // whether there is a second source
  std::array<std::vector<std::byte>, 2> sources;  // the row's view and its partner's, unmixed
  std::array<std::string, 2> source_names;        // their classes; "?" where they are hidden
  float lambda = 1;
  std::string group;                                   // "labelled", "unlabelled, view 2", ...
  std::vector<std::pair<std::string, float>> classes;  // the largest of the soft label, in order
};

// At most `count` rows of a step, spread evenly over it, so that each group of rows has its part.
// Errors: what making the batch returns.
absl::StatusOr<std::vector<SheetRow>> CollectSheetRows(const OpenedFeed& feed, Renderer* renderer,
                                                       int64_t step, int count);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_SHEET_ROWS_H_
