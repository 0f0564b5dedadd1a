#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_HANDLES_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_HANDLES_H_

#include <memory>

#include "client/feed_client.h"

namespace mixfeed::python {

// What Python holds of a connection, _core.Client, and of an open feed, _core.Feed.
struct ClientHandle {
  std::shared_ptr<FeedClient> client;
};

struct FeedHolder {
  std::shared_ptr<Feed> feed;
};

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_HANDLES_H_
