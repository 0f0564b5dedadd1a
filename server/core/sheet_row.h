#ifndef MIXFEED_SERVER_CORE_SHEET_ROW_H_
#define MIXFEED_SERVER_CORE_SHEET_ROW_H_

#include <cstddef>
#include <string>
#include <vector>

#include "augment/pool/view_effects.h"

namespace mixfeed {

inline constexpr int kNoShare = -1;

// Classes that SheetRow::own and SheetRow::targets have at most; a last entry, "others", has what
// is left.
inline constexpr size_t kTopClasses = 3;

// One picture of a row. Pixels are [height][width][channels] uint8.
struct SheetTile {
  int column = 0;  // 0: the dataset's image, then views, partners, the result
  std::string heading = {};
  std::string caption = {};  // a class, "?" where it is hidden, or nothing
  std::vector<std::byte> pixels = {};
  Box outline = {};      // the part that CutMix pastes, in pixels of the image; empty: none
  Box hole = {};         // cutout's, in pixels of the image; empty: none
  int share = kNoShare;  // index into SheetRow::shares: what it gives to the mixed image
};

struct ClassWeight {
  std::string name;
  float weight = 0;  // 0..1
};

// One row of a batch as a contact sheet shows it.
struct SheetRow {
  int index = 0;      // of the plan
  std::string group;  // "labelled", "unlabelled, view 2", ...
  std::string note;   // what mixing does that the pictures cannot show; or nothing
  std::vector<SheetTile> tiles;
  // Weights of the row's own view, its partner and further ones; empty where it is not mixed.
  std::vector<float> shares;
  std::string own_name;              // "guess" or "label": what `own` is
  std::vector<ClassWeight> own;      // the largest classes before mixing, of recipes that guess
  std::vector<ClassWeight> targets;  // the largest classes of the target as it is sent
  bool hidden = false;               // the target stands for a label that is not told
};

// The chosen rows of one step, ordered by groups.
struct SheetContent {
  std::vector<SheetRow> rows;
  double unlabelled_weight = 0;  // Plan::unlabelled_weight
  bool mixed = false;            // whether any row of the step is, shown or not
  // The shares of all rows that are mixed, where the recipe draws them once a batch; or nothing.
  std::vector<float> shares = {};
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_SHEET_ROW_H_
