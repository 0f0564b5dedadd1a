#ifndef MIXFEED_SERVER_RPC_SERVICES_H_
#define MIXFEED_SERVER_RPC_SERVICES_H_

#include <memory>

#include "server/core/feed_calls.h"
#include "server/core/inspect_calls.h"
#include "server/core/model_calls.h"
#include "server/core/task_pool.h"

namespace grpc {
class Service;
}

namespace mixfeed {

// Threads for calls that take their time, apart from each other: what is slow must not hold up what
// is quick.
struct CallPools {
  TaskPool* lookups = nullptr;        // milliseconds: lists, plans, splits, closing
  TaskPool* builds = nullptr;         // up to seconds: opening a feed may pad a dataset; sheets
  TaskPool* pushes = nullptr;         // milliseconds: weights of a model
  TaskPool* registrations = nullptr;  // up to a minute: a model's trial
  TaskPool* measurements = nullptr;   // as long as they are asked to; they disturb each other
};

// The services of mixfeed.v1: each method reads its request, makes one call and converts the
// status. What they are given must outlive them. A client that takes or sends nothing for
// `idle_limit_ms` while the server waits for it is ended.
std::unique_ptr<grpc::Service> MakeFeedService(const FeedCalls* calls, FeedEngine* engine,
                                               int64_t idle_limit_ms, const CallPools& pools);
std::unique_ptr<grpc::Service> MakeModelService(const ModelCalls* calls, int64_t idle_limit_ms,
                                                const CallPools& pools);
std::unique_ptr<grpc::Service> MakeInspectService(const InspectCalls* calls,
                                                  const CallPools& pools);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_RPC_SERVICES_H_
