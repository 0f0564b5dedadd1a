#ifndef MIXFEED_CLIENT_FEED_CLIENT_H_
#define MIXFEED_CLIENT_FEED_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mixfeed/v1/feed.pb.h"
#include "mixfeed/v1/inspect.pb.h"
#include "mixfeed/v1/model.pb.h"
#include "mixfeed/v1/spec.pb.h"

namespace mixfeed {

struct PixelFormat;  // augment/render/pixel_format.h

// PEM files. All empty: plain text.
struct TlsFiles {
  std::string ca;    // trusted roots; empty with cert set: the system's
  std::string cert;  // the client's own, for servers that ask for one
  std::string key;
  bool use_tls = false;  // TLS with the system's roots, when nothing else is set
};

struct ConnectOptions {
  std::string server = "127.0.0.1:50051";  // HOST:PORT, or any gRPC target
  TlsFiles tls = {};
  // Of every call that is not a stream of batches, retries included. Calls that the server is busy
  // with by request get that on top: MeasureForward its duration, GetGuessStats 20 seconds a
  // version to validate, RegisterModel, which tries the model, 5 minutes.
  int64_t deadline_ms = 30'000;
  // How long Connect and a broken stream wait for the server to be there (again).
  int64_t connect_deadline_ms = 30'000;
};

// One received batch. Its memory belongs to the stream's pool of buffers and goes back there with
// the object: pixels and targets are 64-byte aligned and valid for the object's life. Movable.
class ReceivedBatch {
 public:
  ReceivedBatch();
  ~ReceivedBatch();
  ReceivedBatch(ReceivedBatch&&) noexcept;
  ReceivedBatch& operator=(ReceivedBatch&&) noexcept;

  const v1::BatchHeader& header() const;
  // [rows] images as header().type and layout() say.
  std::span<const std::byte> pixels() const;
  // [rows][classes].
  std::span<const float> targets() const;

  // XXH3-64 (seed 0), as 16 hex digits, over the step, the per-row fields of the header, pixels and
  // targets. Guess origin and feed id are left out: equal digests mean equal training data. The
  // hashed bytes, all little-endian: step (uint64); then the whole arrays row, sample, pool, view,
  // partner (uint32 each) and lambda (float32), one after the other; then pixels; then targets.
  std::string Digest() const;

  struct Impl;
  explicit ReceivedBatch(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

// One step's images before they are guessed and mixed; as ReceivedBatch. client/mix.h makes a batch
// of them.
class ReceivedViews {
 public:
  ReceivedViews();
  ~ReceivedViews();
  ReceivedViews(ReceivedViews&&) noexcept;
  ReceivedViews& operator=(ReceivedViews&&) noexcept;

  // What refers to an image or to a row of the guesses is within them.
  const v1::ViewsHeader& header() const;
  // [images][C][H][W] as header().type() says.
  std::span<const std::byte> pixels() const;
  // [images][classes], before mixing; zeros where a guess belongs.
  std::span<const float> targets() const;

  // As ReceivedBatch::Digest, of header().batch(), pixels and targets.
  std::string Digest() const;

  // The batch that these and the guesses make, as GetBatch gives it, but for header().guess(): what
  // MixViews (client/mix.h) writes, and its errors.
  absl::StatusOr<ReceivedBatch> Mix(std::span<const float> guesses,
                                    const PixelFormat& format) const;

  struct Impl;
  explicit ReceivedViews(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

struct StreamOptions {
  uint64_t from_step = 0;
  uint32_t rank = 0;
  uint32_t world = 1;
  v1::OpenStream::Sharing sharing = v1::OpenStream::ROUND_ROBIN;
  v1::PixelFormat format = {};
  // Batches on their way or waiting for Next(); at least 1. Bounds the client's memory too. More
  // hides longer pauses of the network; on loopback 8 are slower than 4 (185,000 instead of 245,000
  // float32 images/s), which stay in the processor's cache.
  uint32_t prefetch = 4;
  // Steps that the server makes ahead of that. 0: its default.
  uint32_t server_prefetch = 0;
  bool repeat = false;  // OpenStream.repeat
};

// Batches in order, each exactly once. When the connection or the server is lost it connects again,
// opens the feed again if the server no longer knows it, and goes on at the next step, for as long
// as connect_deadline_ms allows. Next and Cancel may be called from different threads; Next from
// one.
class BatchStream {
 public:
  virtual ~BatchStream() = default;
  // OutOfRange after the last step of an ordered feed; Cancelled after Cancel; else the error that
  // ended the stream, which further calls repeat.
  virtual absl::StatusOr<ReceivedBatch> Next() = 0;
  virtual void Cancel() = 0;
  // Times the stream connected again.
  virtual int64_t reconnects() const = 0;
};

// A feed that was opened.
class Feed {
 public:
  virtual ~Feed() = default;
  virtual const v1::OpenFeedResponse& info() const = 0;
  // Unary and idempotent; retried on Unavailable (the server restarts: nothing was lost) and
  // ResourceExhausted (it asks to come back) until the deadline.
  virtual absl::StatusOr<ReceivedBatch> GetBatch(uint64_t step, const v1::PixelFormat& format,
                                                 const v1::Share& share = {}) = 0;
  // The step's images, for guesses of the trainer's own (client/mix.h). Retried as GetBatch.
  virtual absl::StatusOr<ReceivedViews> GetViews(uint64_t step) = 0;
  virtual absl::StatusOr<std::unique_ptr<BatchStream>> Stream(const StreamOptions& options) = 0;
  virtual absl::StatusOr<v1::GetPlanResponse> GetPlan(uint64_t step) = 0;
  virtual absl::StatusOr<v1::RenderContactSheetResponse> RenderContactSheet(uint64_t step,
                                                                            uint32_t rows,
                                                                            uint32_t scale) = 0;
  virtual absl::StatusOr<v1::MeasureForwardResponse> MeasureForward(uint32_t duration_ms) = 0;
  virtual absl::StatusOr<v1::GetSplitResponse> GetSplit() = 0;
  virtual absl::Status Close() = 0;
};

// A connection to a server. Thread safe; feeds and streams keep what they need of it alive.
class FeedClient {
 public:
  // Unavailable names the address when no server answers within connect_deadline_ms;
  // InvalidArgument for TLS files that cannot be read.
  static absl::StatusOr<std::unique_ptr<FeedClient>> Connect(const ConnectOptions& options);
  virtual ~FeedClient() = default;

  // An empty `run` begins a new one, under NewRunName() (Feed::info().run()).
  virtual absl::StatusOr<std::unique_ptr<Feed>> OpenFeed(const v1::FeedSpec& spec,
                                                         const std::string& run = "") = 0;
  // Opens the spec of an open feed in a new run that shares the guesses of the steps below `step`,
  // with ForkRunRequest.model; OpenFeed(response.spec(), run) gives its batches.
  virtual absl::StatusOr<v1::OpenFeedResponse> ForkRun(const std::string& feed_id, uint64_t step,
                                                       const std::string& run,
                                                       const std::string& model = "") = 0;
  virtual absl::StatusOr<v1::GetServerInfoResponse> GetServerInfo() = 0;
  virtual absl::StatusOr<v1::ListFeedsResponse> ListFeeds() = 0;
  virtual absl::StatusOr<v1::ListModelsResponse> ListModels() = 0;
  // As Feed::GetSplit, of any feed that is open at the server.
  virtual absl::StatusOr<v1::GetSplitResponse> GetSplit(const std::string& feed_id) = 0;
  // `validate` is GetGuessStatsRequest.validate.
  virtual absl::StatusOr<v1::GetGuessStatsResponse> GetGuessStats(const std::string& feed_id,
                                                                  uint32_t validate) = 0;
  // Streams `archive` after the header (archive_bytes is filled in). Never retried, since every
  // registration makes a version; its deadline is deadline_ms and 5 minutes, connecting included.
  virtual absl::StatusOr<v1::RegisterModelResponse> RegisterModel(v1::RegisterModelHeader header,
                                                                  const std::string& archive) = 0;
  // Streams `safetensors` (WriteSafetensors in augment/weights/state_dict.h) after the header
  // (weights_bytes and digest are filled in): ModelService.PushWeights says what comes of it. Not
  // retried; where the connection breaks, ListModels tells whether the push has arrived.
  virtual absl::StatusOr<v1::PushWeightsResponse> PushWeights(v1::PushWeightsHeader header,
                                                              const std::string& safetensors) = 0;
};

// 16 random hex digits.
std::string NewRunName();

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_FEED_CLIENT_H_
