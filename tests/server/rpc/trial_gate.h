#ifndef MIXFEED_TESTS_SERVER_RPC_TRIAL_GATE_H_
#define MIXFEED_TESTS_SERVER_RPC_TRIAL_GATE_H_

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "server/options.h"
#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/eventually.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed::testing {

// Makes the trials of a server's models wait until they are let through. Must outlive the server.
class TrialGate {
 public:
  TrialGate() { EXPECT_EQ(mkfifo(fifo_.c_str(), S_IRUSR | S_IWUSR), 0); }
  ~TrialGate() { Open(); }

  // Puts the gate in front of the options' trial program; to be called when the server starts.
  void Install(ServerOptions* options) {
    const std::string program = files_.File("gate.sh");
    std::ofstream(program) << "#!/bin/sh\n"
                           << "[ -p " << fifo_ << " ] && read nothing < " << fifo_ << "\n"
                           << "exec " << options->try_model_program << " \"$@\"\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    options->try_model_program = program;
  }

  // Returns when a trial waits at the gate.
  void AwaitTrial() {
    EXPECT_TRUE(Eventually([this] {
      if (writer_ < 0) writer_ = open(fifo_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      return writer_ >= 0;  // somebody reads
    }));
  }

  // Lets the trial that was awaited, and all later ones, through.
  void Open() {
    unlink(fifo_.c_str());
    if (writer_ >= 0) close(writer_);
    writer_ = -1;
  }

 private:
  const TempDir files_;
  const std::string fifo_ = files_.File("fifo");
  int writer_ = -1;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_SERVER_RPC_TRIAL_GATE_H_
