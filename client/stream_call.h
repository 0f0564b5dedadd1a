#ifndef MIXFEED_CLIENT_STREAM_CALL_H_
#define MIXFEED_CLIENT_STREAM_CALL_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "client/channel.h"
#include "mixfeed/v1/feed.pb.h"

namespace mixfeed {

// One StreamBatches call: keeps the frames that have come until they are asked for. It holds at
// most as many as were granted; a server that sends more is cut off. Next, Grant and status belong
// to one thread, Cancel to any.
class StreamCall {
 public:
  // Starts the call; open.credits() are granted with it.
  StreamCall(std::shared_ptr<Channel> channel, const v1::OpenStream& open);
  // Cancels the call and waits until the transport is done with it.
  ~StreamCall();
  StreamCall(const StreamCall&) = delete;
  StreamCall& operator=(const StreamCall&) = delete;

  // Waits for the next frame; false when the call has ended and all its frames were handed out.
  bool Next(grpc::ByteBuffer* frame);
  // How the call ended. To be called after Next returned false.
  absl::Status status() const;

  void Grant(uint32_t count);
  void Cancel();

 private:
  class Reactor;
  const std::unique_ptr<Reactor> reactor_;
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_STREAM_CALL_H_
