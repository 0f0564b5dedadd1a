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

// The services of mixfeed.v1: each method reads its request, makes one call and converts the
// status. What they are given must outlive them.
std::unique_ptr<grpc::Service> MakeFeedService(const FeedCalls* calls, FeedEngine* engine,
                                               int64_t linger_ms, TaskPool* pool);
std::unique_ptr<grpc::Service> MakeModelService(const ModelCalls* calls, TaskPool* pool);
std::unique_ptr<grpc::Service> MakeInspectService(const InspectCalls* calls, TaskPool* pool,
                                                  TaskPool* measurements);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_RPC_SERVICES_H_
