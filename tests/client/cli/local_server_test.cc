#include "client/cli/local_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <string>

#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;

// Shell scripts that stand in for the server.
class LocalServerTest : public ::testing::Test {
 protected:
  std::string Program(const std::string& script) {
    const std::string path = dir_.File("server");
    std::ofstream(path) << "#!/bin/sh\n" << script;
    chmod(path.c_str(), S_IRWXU);
    return path;
  }

  std::string Read(const std::string& name) { return testing::ReadBytes(dir_.File(name)); }

  const TempDir dir_;
};

TEST_F(LocalServerTest, ReadsTheAddressAndPassesArguments) {
  const auto server =
      LocalServer::Start(Program("echo \"$@\" >" + dir_.File("args") +
                                 "\necho mixfeed-server listening on 127.0.0.1:4711\nread line"),
                         {"--data", "generated"});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ((*server)->address(), "127.0.0.1:4711");
  EXPECT_EQ(Read("args"), "--listen 127.0.0.1:0 --data generated\n");
}

TEST_F(LocalServerTest, IsAskedToStopAndWaitedFor) {
  {
    const auto server = LocalServer::Start(Program("sleep 1000 &\n"
                                                   "trap 'kill $!; echo stopped >" +
                                                   dir_.File("end") +
                                                   "; exit 0' TERM\n"
                                                   "echo mixfeed-server listening on 127.0.0.1:1\n"
                                                   "wait"),
                                           {});
    ASSERT_TRUE(server.ok()) << server.status();
  }
  EXPECT_EQ(Read("end"), "stopped\n");
}

TEST_F(LocalServerTest, IsKilledWhenItDoesNotStop) {
  {
    const auto server = LocalServer::Start(Program("echo $$ >" + dir_.File("pid") +
                                                   "\n"
                                                   "trap '' TERM\n"
                                                   "echo mixfeed-server listening on 127.0.0.1:1\n"
                                                   "exec sleep 1000"),
                                           {}, /*stop_time=*/std::chrono::milliseconds(1));
    ASSERT_TRUE(server.ok()) << server.status();
  }
  EXPECT_EQ(kill(std::stoi(Read("pid")), 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST_F(LocalServerTest, WhatAServerThatDoesNotStartSaidIsInTheError) {
  const auto server = LocalServer::Start(Program("echo data: no such folder >&2; exit 1"), {});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("data: no such folder"));
}

TEST_F(LocalServerTest, TakesTheSignalOfAClosedPipeAsEveryProgramDoes) {
  const auto before = signal(SIGPIPE, SIG_IGN);
  const auto server = LocalServer::Start(
      Program("kill -PIPE $$\necho mixfeed-server listening on 127.0.0.1:1\nread line"), {});
  signal(SIGPIPE, before);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(LocalServerTest, AMissingProgramIsNamed) {
  const auto server = LocalServer::Start(dir_.File("none"), {});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr(dir_.File("none")));
}

TEST(SiblingServerProgramTest, LiesBesideTheRunningProgram) {
  EXPECT_THAT(SiblingServerProgram(), ::testing::EndsWith("/bin/mixfeed-server"));
}

}  // namespace
}  // namespace mixfeed
