#ifndef MIXFEED_CLIENT_CLI_SIGNAL_THREAD_H_
#define MIXFEED_CLIENT_CLI_SIGNAL_THREAD_H_

#include <thread>

#include "client/cancellation.h"

namespace mixfeed {

// Takes SIGINT, SIGTERM and, unless it is ignored (nohup), SIGHUP while it lives, in a thread of
// its own: the first ends what is under way, and with nothing to end, or at the second, the process
// ends with kExitInterrupted; but not at a second SIGHUP, which kernel and shell both send. By a
// handler, since libraries have started threads before main, which would take a signal that is only
// blocked in ours. One at a time.
class SignalThread {
 public:
  explicit SignalThread(Cancellation* interrupt);
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  void Handle(Cancellation* interrupt) const;

  int read_end_ = -1;
  std::thread thread_;
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_SIGNAL_THREAD_H_
