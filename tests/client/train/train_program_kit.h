#ifndef MIXFEED_TESTS_CLIENT_TRAIN_TRAIN_PROGRAM_KIT_H_
#define MIXFEED_TESTS_CLIENT_TRAIN_TRAIN_PROGRAM_KIT_H_

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "client/cancellation.h"
#include "client/feed_client.h"
#include "client/train/checkpoint.h"
#include "client/train/train_program.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/test_server.h"

namespace mixfeed::testing {

using nlohmann::ordered_json;
using Args = std::vector<std::string>;

// How a run of the program ended, and what it printed.
struct Ended {
  int code = 0;
  std::string out, err;

  std::vector<ordered_json> Lines(const std::string& event = "") const {
    std::vector<ordered_json> lines;
    std::istringstream text(out);
    for (std::string line; std::getline(text, line);) {
      const ordered_json json = ordered_json::parse(line);
      if (event.empty() || json["event"] == event) lines.push_back(json);
    }
    return lines;
  }
};

inline Ended RunWith(const Args& args, const CliOptions& options = {}) {
  std::ostringstream out, err;
  const int code = RunTrain(args, out, err, options);
  return {code, out.str(), err.str()};
}

// Acts, once, when a line with a text is there.
class ActingBuffer final : public std::stringbuf {
 public:
  ActingBuffer(std::string at, std::function<void()> action)
      : at_(std::move(at)), action_(std::move(action)) {}

 protected:
  int sync() override {
    if (str().find(at_) != std::string::npos) std::exchange(action_, [] {})();
    return std::stringbuf::sync();
  }

 private:
  const std::string at_;
  std::function<void()> action_;
};

// Runs the program, and acts at the first line with `at`.
inline Ended RunActing(const Args& args, const std::string& at, std::function<void()> action,
                       const CliOptions& options = {}) {
  ActingBuffer buffer(at, std::move(action));
  std::ostream out(&buffer);
  std::ostringstream err;
  const int code = RunTrain(args, out, err, options);
  return {code, buffer.str(), err.str()};
}

// Runs the program, interrupted at the first line with `at`.
inline Ended RunInterrupted(const Args& args, const std::string& at) {
  Cancellation interrupt;
  return RunActing(args, at, [&] { interrupt.Cancel(); }, {.interrupt = &interrupt});
}

// The program in this process, against a server in this process.
class TrainProgramTest : public ::testing::Test {
 protected:
  // Small batches of MixMatch on the tiny dataset, one thread, not evaluated.
  Ended Train(const Args& more, const CliOptions& options = {}) const {
    Args args = more;
    args.insert(args.end(), {"--eval-every", "0"});
    return TrainAndEvaluate(args, options);
  }

  Ended TrainAndEvaluate(const Args& more, const CliOptions& options = {}) const {
    return RunWith(Training(more), options);
  }

  Args Training(const Args& more) const {
    Args args = {
        "--server", server_.address(), "--wait", "5",         "--labels", "100",    "--batch",
        "4",        "--seed",          "3",      "--threads", "1",        "--json", "--log-every",
        "1"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

  // Only what a checkpoint does not keep.
  Ended Resume(Args more) const {
    Args args = {"--server", server_.address(), "--threads", "1", "--json", "--resume"};
    args.insert(args.end(), more.begin(), more.end());
    return RunWith(args);
  }

  std::string File(const std::string& name) const { return dir_.File(name); }

  // The bytes of the state that a checkpoint holds.
  std::string StateOf(const std::string& file) const {
    const auto bytes = ReadCheckpointFile(File(file));
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    if (!bytes.ok()) return "";
    const auto checkpoint = ParseCheckpoint(file, *bytes);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    return checkpoint.ok() ? checkpoint->tensors.bytes() : "";
  }

  v1::Model Model(const std::string& name) const {
    const auto client = FeedClient::Connect({.server = server_.address()});
    const auto models = (*client)->ListModels();
    for (const v1::Model& model : models->models()) {
      if (model.name() == name) return model;
    }
    ADD_FAILURE() << "no model " << name;
    return {};
  }

  const TempDir dir_;
  TestServer server_{[](ServerOptions* options) { options->guess_threads = 1; }};
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_CLIENT_TRAIN_TRAIN_PROGRAM_KIT_H_
