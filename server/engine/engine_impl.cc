#include "server/engine/engine_impl.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/guess/not_yet.h"
#include "server/engine/handles.h"

namespace mixfeed {
namespace {

using Lane = Executor::Lane;

// Longer waits are as good as this one, and do not overflow the clock.
constexpr std::chrono::milliseconds kLongestWait = std::chrono::hours(24 * 365);

// A batch with the claim on its slot. The batch, declared last, goes first.
struct ClaimedBatch {
  std::shared_ptr<SlotClaim> claim;
  std::shared_ptr<const Batch> batch;
};

Share ShareOf(const StreamSpec& spec) {
  return spec.sharing == Sharing::kSplit ? Share{spec.rank, spec.world} : Share{};
}

Stream::Options OptionsOf(Stream::Kind kind, const StreamSpec& spec) {
  Stream::Options options;
  options.kind = kind;
  options.credits = spec.credits;
  options.prefetch = spec.prefetch;
  options.slots = spec.repeat ? 1 : spec.credits + spec.prefetch;
  options.repeat = spec.repeat;
  return options;
}

absl::Status NoSuchFeed(const std::string& feed_id) {
  return absl::NotFoundError(absl::StrCat("no feed \"", feed_id, "\" is open; open it first"));
}

absl::Status IdleTooLong(int64_t idle_limit_ms) {
  return absl::DeadlineExceededError(
      absl::StrCat("the client neither granted a credit nor took a batch for ", idle_limit_ms,
                   " ms, the server's idle limit"));
}

// A code that streams do not retry, as they do the idle limit's: they would wait a second time.
absl::Status WeightsDidNotCome(const absl::Status& missing, const EngineOptions& options) {
  std::string message = absl::StrCat(missing.message(), "; waited for ", options.weights_wait_ms,
                                     " ms, the server's limit for weights (--weights-wait-ms)");
  const absl::Status outage = options.outage != nullptr ? options.outage() : absl::OkStatus();
  if (!outage.ok() && !absl::StrContains(message, outage.message())) {
    absl::StrAppend(&message, "; now: ", outage.message());
  }
  return absl::FailedPreconditionError(message);
}

}  // namespace

EngineImpl::EngineImpl(const EngineOptions& options, SlotPool* slots, EncodeFrame encode)
    : options_(options),
      encode_(std::move(encode)),
      budget_(std::make_shared<SlotBudget>(slots->max_bytes())),
      render_workers_(options.render_workers),
      guess_workers_(options.guess_workers),
      housekeeper_([this] { KeepHouse(); }) {}

void EngineImpl::AddFeed(const std::string& feed_id, std::shared_ptr<const BatchMaker> maker) {
  MutexLock lock(&mu_);
  std::unique_ptr<OpenFeed>& feed = feeds_[feed_id];
  if (feed == nullptr) feed = std::make_unique<OpenFeed>(feed_id, std::move(maker));
}

absl::Status EngineImpl::RemoveFeed(const std::string& feed_id) {
  std::unique_ptr<OpenFeed> removed;
  LeftoverList leftovers;
  MutexLock lock(&mu_);
  const auto feed = feeds_.find(feed_id);
  if (feed == feeds_.end()) return NoSuchFeed(feed_id);
  removed = std::move(feed->second);
  feeds_.erase(feed);
  for (const std::shared_ptr<Stream>& stream : streams_) {
    if (stream->series().feed_id() != feed_id) continue;
    End(stream, absl::NotFoundError(absl::StrCat("feed \"", feed_id, "\" was closed")), &leftovers);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const BatchMaker>> EngineImpl::FindFeed(
    const std::string& feed_id) const {
  MutexLock lock(&mu_);
  const auto feed = feeds_.find(feed_id);
  if (feed == feeds_.end()) return NoSuchFeed(feed_id);
  return feed->second->maker();
}

int EngineImpl::ConsumersOf(const std::string& feed_id) const {
  MutexLock lock(&mu_);
  return static_cast<int>(std::count_if(streams_.begin(), streams_.end(), [&](const auto& stream) {
    return stream->kind() == Stream::Kind::kConsumer && stream->series().feed_id() == feed_id;
  }));
}

FeedTraffic EngineImpl::TrafficOf(const std::string& feed_id) const {
  MutexLock lock(&mu_);
  const auto feed = feeds_.find(feed_id);
  return feed == feeds_.end() ? FeedTraffic() : feed->second->traffic;
}

void EngineImpl::CountServed(const Stream& stream, int64_t step) {
  const auto feed = feeds_.find(stream.series().feed_id());
  if (feed == feeds_.end()) return;  // closed, and its stream ends
  FeedTraffic& traffic = feed->second->traffic;
  ++traffic.served;
  traffic.served_through = std::max(traffic.served_through, step + 1);
}

std::unique_ptr<PendingCall> EngineImpl::GetBatch(const std::string& feed_id, int64_t step,
                                                  const BatchFormat& format, const Share& share,
                                                  Done done) {
  StreamSpec spec;
  spec.feed_id = feed_id;
  spec.from_step = step;
  spec.rank = share.rank;
  spec.world = share.world;
  spec.sharing = Sharing::kSplit;
  spec.format = format;
  absl::StatusOr<std::shared_ptr<Stream>> stream =
      Open(Stream::Kind::kCall, spec, MakeCallSink(done));
  if (!stream.ok()) {
    done(stream.status());
    return nullptr;
  }
  return MakePendingCall(this, *std::move(stream));
}

absl::StatusOr<std::unique_ptr<Consumer>> EngineImpl::Subscribe(const StreamSpec& spec,
                                                                std::shared_ptr<BatchSink> sink) {
  MIXFEED_RETURN_IF_ERROR(CheckConsumer(spec));
  StreamSpec resolved = spec;
  if (resolved.prefetch == 0) resolved.prefetch = options_.default_prefetch;
  MIXFEED_ASSIGN_OR_RETURN(std::shared_ptr<Stream> stream,
                           Open(Stream::Kind::kConsumer, resolved, std::move(sink)));
  return MakeConsumer(this, std::move(stream));
}

absl::Status EngineImpl::CheckConsumer(const StreamSpec& spec) const {
  MIXFEED_RETURN_IF_ERROR(CheckRange("credits", spec.credits, 1, options_.max_credits));
  MIXFEED_RETURN_IF_ERROR(CheckRange("prefetch", spec.prefetch, 0, options_.max_prefetch));
  if (spec.world < 1) return FieldError("world", absl::StrCat(spec.world), "1 and more");
  return CheckRange("rank", spec.rank, 0, spec.world - 1);
}

absl::StatusOr<std::shared_ptr<Stream>> EngineImpl::Open(Stream::Kind kind, const StreamSpec& spec,
                                                         std::shared_ptr<BatchSink> sink) {
  MutexLock lock(&mu_);
  MIXFEED_RETURN_IF_ERROR(CheckRoom(kind));
  const auto feed = feeds_.find(spec.feed_id);
  if (feed == feeds_.end()) return NoSuchFeed(spec.feed_id);
  const BatchMaker& maker = *feed->second->maker();
  MIXFEED_RETURN_IF_ERROR(maker.CheckFormat(spec.format));
  MIXFEED_RETURN_IF_ERROR(maker.CheckShare(ShareOf(spec)));
  MIXFEED_ASSIGN_OR_RETURN(const StepSequence steps,
                           kind == Stream::Kind::kCall
                               ? StepSequence::Single(spec.from_step, maker.steps())
                               : StepSequence::Create(spec, maker.steps()));
  std::shared_ptr<BatchSeries> series = feed->second->Series(spec.format, ShareOf(spec));
  const Stream::Options options = OptionsOf(kind, spec);
  MIXFEED_ASSIGN_OR_RETURN(std::shared_ptr<const SlotPromise> promise,
                           budget_->Promise(options.slots, series->slot_bytes()));
  auto stream = std::make_shared<Stream>(options, std::move(series), steps, std::move(promise),
                                         std::move(sink));
  streams_.insert(stream);
  ++CountOf(kind);
  Settle(stream);
  return stream;
}

absl::Status EngineImpl::CheckRoom(Stream::Kind kind) const {
  if (draining_) return absl::UnavailableError("the server is shutting down");
  if (kind == Stream::Kind::kConsumer && consumers_ >= options_.max_consumers) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the server already has its ", options_.max_consumers, " consumers"));
  }
  if (kind == Stream::Kind::kCall && pending_calls_ >= options_.max_pending_calls) {
    return absl::ResourceExhaustedError(absl::StrCat("the server already has ", pending_calls_,
                                                     " calls to answer; try again later"));
  }
  return absl::OkStatus();
}

int& EngineImpl::CountOf(Stream::Kind kind) {
  return kind == Stream::Kind::kCall ? pending_calls_ : consumers_;
}

EngineStats EngineImpl::stats() const {
  MutexLock lock(&mu_);
  EngineStats stats;
  stats.feeds = static_cast<int64_t>(feeds_.size());
  stats.consumers = consumers_;
  stats.pending_calls = pending_calls_;
  stats.batches_made = batches_made_;
  std::set<BatchKey> waiting;
  for (const std::shared_ptr<Stream>& stream : streams_) stream->CollectWaiting(&waiting);
  stats.waiting_batches = static_cast<int64_t>(waiting.size());
  return stats;
}

void EngineImpl::Shutdown(int64_t deadline_ms) {
  MutexLock shutdown(&shutdown_mu_);
  const Clock::time_point deadline =
      Clock::now() + std::min(std::chrono::milliseconds(deadline_ms), kLongestWait);
  LeftoverList leftovers;
  {
    MutexLock lock(&mu_);
    if (stopped_) return;
    draining_ = true;
    while (!streams_.empty() && changed_.WaitUntil(&mu_, deadline)) {
    }
    for (const std::shared_ptr<Stream>& stream : streams_) {
      End(stream, absl::UnavailableError("the server is shutting down"), &leftovers);
    }
    // Whoever still waits for a slot makes a batch that nobody wants any more.
    budget_->Close();
    while (!streams_.empty()) changed_.Wait(&mu_);
    stopped_ = true;
    stop_.NotifyAll();
  }
  options_.stopping();
  render_workers_.Stop();
  guess_workers_.Stop();
  housekeeper_.join();
}

absl::Status EngineImpl::Grant(const std::shared_ptr<Stream>& stream, int count) {
  MutexLock lock(&mu_);
  MIXFEED_RETURN_IF_ERROR(stream->Grant(count, options_.max_credits));
  Settle(stream, /*life=*/true);
  return absl::OkStatus();
}

void EngineImpl::FrameTaken(const std::shared_ptr<Stream>& stream) {
  MutexLock lock(&mu_);
  stream->FrameTaken();
  Settle(stream, /*life=*/true);
}

void EngineImpl::Cancel(const std::shared_ptr<Stream>& stream) {
  LeftoverList leftovers;
  MutexLock lock(&mu_);
  Close(stream, &leftovers);
  while (stream->in_sink != std::thread::id() && stream->in_sink != std::this_thread::get_id()) {
    changed_.Wait(&mu_);
  }
}

void EngineImpl::CancelCall(const std::shared_ptr<Stream>& stream) {
  LeftoverList leftovers;
  MutexLock lock(&mu_);
  End(stream, absl::CancelledError("the call was cancelled"), &leftovers);
}

void EngineImpl::Settle(const std::shared_ptr<Stream>& stream, bool life) {
  stream->Refill();
  if (stream->HasQueued() && !stream->make_posted) {
    stream->make_posted = true;
    const BatchSeries& series = stream->series();
    const bool guesses =
        series.maker().spec().recipe.guesses() && series.format().content == BatchContent::kMixed;
    Executor& workers = guesses ? guess_workers_ : render_workers_;
    workers.Post(Lane::kMake, [this, stream] { MakeNext(stream); });
  }
  if (stream->CanDeliver() && !stream->delivery_posted) {
    stream->delivery_posted = true;
    render_workers_.Post(Lane::kDeliver, [this, stream] { Deliver(stream); });
  }
  stream->UpdateWaiting(Clock::now(), life);
}

void EngineImpl::End(const std::shared_ptr<Stream>& stream, absl::Status status,
                     LeftoverList* leftovers) {
  leftovers->push_back(stream->End(std::move(status)));
  Settle(stream);
}

void EngineImpl::Close(const std::shared_ptr<Stream>& stream, LeftoverList* leftovers) {
  if (streams_.erase(stream) == 0) return;
  --CountOf(stream->kind());
  leftovers->push_back(stream->Close());
  changed_.NotifyAll();
}

void EngineImpl::MakeNext(const std::shared_ptr<Stream>& stream) {
  std::weak_ptr<WantedBatch> wanted;  // streams alone hold batches, and with them slots
  std::shared_ptr<BatchSeries> series;
  int64_t step = 0;
  std::shared_ptr<const SlotPromise> promise;
  {
    MutexLock lock(&mu_);
    stream->make_posted = false;
    const std::shared_ptr<WantedBatch> batch = stream->TakeQueued();
    if (batch == nullptr) return;
    wanted = batch;
    series = batch->series;
    step = batch->step;
    promise = stream->promise();
    Settle(stream);
  }
  absl::StatusOr<MadeBatch> made = Make(*series, step, std::move(promise));
  if (!IsNotYet(made.status())) return StoreMade(wanted, std::move(made));
  Park(wanted, made.status());
  // Weights that came before it was parked have woken nobody. What Make said may be older still: it
  // takes part in a guess that another share has begun.
  if (series->maker().IsReady(step)) Requeue({series, step});
}

void EngineImpl::Park(const std::weak_ptr<WantedBatch>& wanted, absl::Status missing) {
  StreamList told;
  MutexLock lock(&mu_);
  const std::shared_ptr<WantedBatch> batch = wanted.lock();
  if (batch == nullptr) return;
  batch->error = std::move(missing);
  batch->state = WantedBatch::State::kWaiting;
  SettleWaiters(*batch, &told);
}

void EngineImpl::Requeue(const BatchKey& key) {
  StreamList told;
  MutexLock lock(&mu_);
  const std::shared_ptr<WantedBatch> batch = key.series->Find(key.step);
  if (batch == nullptr || batch->state != WantedBatch::State::kWaiting) return;
  batch->state = WantedBatch::State::kQueued;
  SettleWaiters(*batch, &told);
}

void EngineImpl::SettleWaiters(const WantedBatch& batch, StreamList* told) {
  for (const std::weak_ptr<Stream>& waiter : batch.waiters) {
    if (std::shared_ptr<Stream> stream = waiter.lock()) told->push_back(std::move(stream));
  }
  for (const std::shared_ptr<Stream>& stream : *told) Settle(stream);
}

void EngineImpl::WeightsArrived() {
  std::set<BatchKey> waiting;
  {
    MutexLock lock(&mu_);
    for (const std::shared_ptr<Stream>& stream : streams_) stream->CollectWaiting(&waiting);
  }
  // Without the lock, since the answer may wait for others.
  for (const BatchKey& batch : waiting) {
    if (batch.series->maker().IsReady(batch.step)) Requeue(batch);
  }
}

absl::StatusOr<EngineImpl::MadeBatch> EngineImpl::Make(
    const BatchSeries& series, int64_t step, std::shared_ptr<const SlotPromise> promise) const {
  auto claimed = std::make_shared<ClaimedBatch>();
  claimed->claim = budget_->Claim(series.slot_bytes(), std::move(promise));
  if (claimed->claim == nullptr) return absl::UnavailableError("the server is shutting down");
  MIXFEED_ASSIGN_OR_RETURN(claimed->batch,
                           series.maker().Make(step, series.format(), series.share()));
  MadeBatch made;
  made.claim = claimed->claim;
  const std::shared_ptr<const Batch> batch(claimed, claimed->batch.get());
  MIXFEED_ASSIGN_OR_RETURN(made.frame, encode_(series.feed_id(), batch));
  return made;
}

void EngineImpl::StoreMade(const std::weak_ptr<WantedBatch>& wanted,
                           absl::StatusOr<MadeBatch> made) {
  StreamList told;
  MutexLock lock(&mu_);
  if (made.ok()) ++batches_made_;
  const std::shared_ptr<WantedBatch> batch = wanted.lock();
  if (batch == nullptr) return;
  if (made.ok()) {
    batch->frame = std::move(made->frame);
    batch->claim = std::move(made->claim);
    batch->state = WantedBatch::State::kReady;
  } else {
    // Those who hold it get the error; whoever asks from now on has it tried again.
    batch->series->Forget(batch->step);
    batch->error = made.status();
    batch->state = WantedBatch::State::kFailed;
  }
  SettleWaiters(*batch, &told);
  batch->waiters.clear();
}

void EngineImpl::Deliver(const std::shared_ptr<Stream>& stream) {
  Delivery delivery;
  std::shared_ptr<BatchSink> sink;
  LeftoverList leftovers;
  {
    MutexLock lock(&mu_);
    stream->delivery_posted = stream->CanDeliver();
    if (!stream->delivery_posted) return;  // closed since it was posted
    delivery = stream->TakeDelivery();
    if (delivery.frame != nullptr) CountServed(*stream, delivery.step);
    sink = stream->sink();
    stream->in_sink = std::this_thread::get_id();
    Settle(stream);
  }
  const bool last = delivery.frame == nullptr;
  if (last) {
    sink->OnEnd(std::move(delivery.end));
  } else {
    sink->OnFrame(std::move(delivery.frame));
  }
  MutexLock lock(&mu_);
  stream->in_sink = std::thread::id();
  stream->delivery_posted = false;
  changed_.NotifyAll();
  if (last) {
    Close(stream, &leftovers);
  } else {
    Settle(stream);
  }
}

void EngineImpl::KeepHouse() {
  for (;;) {
    LeftoverList leftovers;
    const Clock::time_point look_again = EndOverdue(&leftovers);
    leftovers.clear();
    MutexLock lock(&mu_);
    if (stopped_) return;
    stop_.WaitUntil(&mu_, look_again);
  }
}

EngineImpl::Clock::time_point EngineImpl::EndOverdue(LeftoverList* leftovers) {
  const auto idle = std::min(std::chrono::milliseconds(options_.idle_limit_ms), kLongestWait);
  const auto weights = std::min(std::chrono::milliseconds(options_.weights_wait_ms), kLongestWait);
  MutexLock lock(&mu_);
  const Clock::time_point now = Clock::now();
  Clock::time_point look_again = now + std::min(idle, weights);
  // Whether `limit` is over since then; if not, it is looked at again when it will be.
  const auto is_over = [&](std::optional<Clock::time_point> since, Clock::duration limit) {
    if (!since.has_value()) return false;
    if (*since + limit > now) look_again = std::min(look_again, *since + limit);
    return *since + limit <= now;
  };
  for (const std::shared_ptr<Stream>& stream : streams_) {
    // A stream that is in its sink is not the client's to answer for.
    if (stream->in_sink != std::thread::id()) continue;
    if (is_over(stream->waiting_since(), idle)) {
      End(stream, IdleTooLong(options_.idle_limit_ms), leftovers);
    } else if (is_over(stream->weights_since(), weights)) {
      End(stream, WeightsDidNotCome(stream->missing(), options_), leftovers);
    }
  }
  return look_again;
}

}  // namespace mixfeed
