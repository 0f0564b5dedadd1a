#include "client/look/text_table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace mixfeed {
namespace {

TEST(TextTableTest, AlignsColumns) {
  TextTable table({"a", "name"});
  table.Add({"long", "x"});
  table.Add({"", "yy"});
  table.Add({"z", ""});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(), "a     name\nlong  x\n      yy\nz\n");
  EXPECT_EQ(table.Text(), out.str());
}

}  // namespace
}  // namespace mixfeed
