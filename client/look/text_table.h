#ifndef MIXFEED_CLIENT_LOOK_TEXT_TABLE_H_
#define MIXFEED_CLIENT_LOOK_TEXT_TABLE_H_

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace mixfeed {

// Lines of cells, printed with their columns aligned.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  // As many cells as the head has.
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void Print(std::ostream& out) const;
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_TEXT_TABLE_H_
