#include "tests/testing/test_server.h"

#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "augment/guess/trial_protocol.h"
#include "tests/testing/cifar_files.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed::testing {

TestServer::TestServer(const TestServerSpec& spec)
    : dataset_(TinyDataset(spec.train_images, spec.test_images)) {
  WriteCifar10(data_dir(), dataset_);
  options_.listen = "127.0.0.1:0";
  options_.data = {"tiny=" + data_dir()};
  options_.device = "cpu";
  options_.threads = 2;
  options_.guess_threads = 1;
  options_.state_dir = state_dir();
  options_.trial_deadline_ms = 600'000;  // a loaded machine loads LibTorch slowly
  if (!spec.real_trial) options_.try_model_program = WriteTrialThatFindsNothing();
  if (spec.adjust) spec.adjust(&options_);
  Start();
}

std::string TestServer::WriteTrialThatFindsNothing() const {
  const std::string finding = files_.File("finding");
  std::string program = files_.File("trial.sh");
  std::ofstream(finding, std::ios::binary) << EncodeFinding({absl::OkStatus()});
  std::ofstream(program) << "#!/bin/sh\nexec cat " << finding << "\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  return program;
}

void TestServer::Start() {
  spdlog::set_level(spdlog::level::off);  // the tests' own output is to be found
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(options_);
  if (!server.ok()) {
    std::fprintf(stderr, "TestServer: %s\n", server.status().ToString().c_str());
    std::abort();
  }
  server_ = *std::move(server);
}

void TestServer::Restart() {
  options_.listen = address();
  Stop();
  Start();
}

}  // namespace mixfeed::testing
