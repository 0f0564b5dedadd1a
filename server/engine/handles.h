#ifndef MIXFEED_SERVER_ENGINE_HANDLES_H_
#define MIXFEED_SERVER_ENGINE_HANDLES_H_

#include <memory>

#include "server/engine/feed_engine.h"
#include "server/engine/stream.h"

// What the engine's callers hold of its streams.
namespace mixfeed {

class EngineImpl;

std::unique_ptr<Consumer> MakeConsumer(EngineImpl* engine, std::shared_ptr<Stream> stream);

std::unique_ptr<PendingCall> MakePendingCall(EngineImpl* engine, std::shared_ptr<Stream> stream);

// Answers a call with the one frame of its stream, or with why there is none.
std::shared_ptr<BatchSink> MakeCallSink(FeedEngine::Done done);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_ENGINE_HANDLES_H_
