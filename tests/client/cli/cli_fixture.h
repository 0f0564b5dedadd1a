#ifndef MIXFEED_TESTS_CLIENT_CLI_CLI_FIXTURE_H_
#define MIXFEED_TESTS_CLIENT_CLI_CLI_FIXTURE_H_

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/cli.h"
#include "tests/client/fake_server.h"

namespace mixfeed::testing {

using nlohmann::ordered_json;

inline std::vector<std::string> Keys(const ordered_json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

// Runs `mixfeed` in the test's process, against a fake server.
class CliTest : public ::testing::Test {
 protected:
  // Runs `mixfeed args... --server FAKE`.
  int Run(std::vector<std::string> args, const CliOptions& options = {}) {
    args.insert(args.end(), {"--server", server_.address(), "--wait", "5"});
    return RunAlone(args, options);
  }

  int RunAlone(const std::vector<std::string>& args, const CliOptions& options = {}) {
    std::ostringstream out, err;
    const int code = RunCli(args, out, err, options);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  // The objects of the output's lines.
  std::vector<ordered_json> Lines() const {
    std::vector<ordered_json> lines;
    std::istringstream text(out_);
    for (std::string line; std::getline(text, line);) lines.push_back(ordered_json::parse(line));
    return lines;
  }

  ordered_json Object() const {
    EXPECT_EQ(Lines().size(), 1u) << out_;
    return Lines().at(0);
  }

  FakeServer server_;
  std::string out_;
  std::string err_;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_CLIENT_CLI_CLI_FIXTURE_H_
