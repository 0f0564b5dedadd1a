#include "client/look/text_table.h"

#include <algorithm>
#include <cstddef>
#include <sstream>

namespace mixfeed {
namespace {

constexpr size_t kColumnGap = 2;

}  // namespace

void TextTable::Print(std::ostream& out) const {
  std::vector<size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      line += row[c] + std::string(widths[c] - row[c].size() + kColumnGap, ' ');
    }
    out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  }
}

std::string TextTable::Text() const {
  std::ostringstream text;
  Print(text);
  return text.str();
}

}  // namespace mixfeed
