#ifndef MIXFEED_SERVER_CORE_SHEET_ROWS_H_
#define MIXFEED_SERVER_CORE_SHEET_ROWS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "augment/recipe/recipe.h"
#include "augment/render/renderer.h"
#include "server/core/feed_registry.h"
#include "server/core/sheet_row.h"

namespace mixfeed {

// Columns of tiles that the rows of a recipe have; at least 1.
int SheetColumns(const Recipe& recipe);

// Two digits; where they would make a share into all or nothing, ">.99" and "<.01": as many
// characters, which fit over a tile.
std::string WeightText(float weight);

// At most `count` rows of a step, spread evenly over it, so that each group of rows has its part.
// A class is named only where the batch gives it away: never that of an unlabelled image. Errors:
// what making the batch returns.
absl::StatusOr<SheetContent> CollectSheetRows(const OpenedFeed& feed, Renderer* renderer,
                                              int64_t step, int count);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_SHEET_ROWS_H_
