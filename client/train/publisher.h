#ifndef MIXFEED_CLIENT_TRAIN_PUBLISHER_H_
#define MIXFEED_CLIENT_TRAIN_PUBLISHER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/feed_client.h"

namespace mixfeed {

struct PublisherOptions {
  std::string model;    // its name at the server
  std::string network;  // its kind
  v1::ImageShape image;
  uint32_t classes = 10;
  std::string normalisation;  // of its input; a name
  uint64_t init_seed = 0;
  uint32_t push_every = 1;  // updates
  double ema_decay = 0;     // of the server's own average; RegisterModelHeader.ema_decay
  // Go on over what the server has of other weights, instead of refusing to.
  bool rewind = false;
};

// The model at the server that guesses with the weights of a training. A push of weights that the
// server has under their update is none, so that a training that goes on from a checkpoint pushes
// again only what is new or different. Not thread safe.
class Publisher {
 public:
  // Registers the model with its seed's weights when the server has none of that name, and sees
  // that it has those of `update`: `weights`, in the safetensors form. `client` must outlive the
  // publisher. InvalidArgument: a model of another kind or shape; FailedPrecondition: a model with
  // other weights at the start of a training (update 0), unless options.rewind.
  static absl::StatusOr<std::unique_ptr<Publisher>> Attach(FeedClient* client,
                                                           const PublisherOptions& options,
                                                           const std::string& weights,
                                                           uint64_t update);

  // Pushes the weights if their update is one that is pushed. A push whose answer is lost is asked
  // for and made again until the server answers, as often as kAttempts. Errors of
  // ModelService.PushWeights: Aborted when another trainer has pushed meanwhile.
  absl::Status Push(const std::string& weights, uint64_t update);

  uint64_t pushed() const { return pushed_; }  // pushes so far
  // Of them over other weights of their update.
  uint64_t rewound() const { return rewound_; }
  uint64_t version() const { return version_; }  // the newest one
  // Whether the server averages, and lacked what a training that goes on had pushed to it, so that
  // its average is not that of an uninterrupted training.
  bool averages_anew() const { return averages_anew_; }

 private:
  Publisher(FeedClient* client, const PublisherOptions& options)
      : client_(client), options_(options) {}

  absl::Status Register();
  absl::Status CheckModel(const v1::Model& model) const;
  // Takes over what the server says of the model; NotFound when it has none.
  absl::Status Refresh();
  void TakeOver(const v1::Model& model);
  absl::Status PushNow(const std::string& weights, const std::string& digest, uint64_t update);

  FeedClient* const client_;
  const PublisherOptions options_;
  uint64_t version_ = 0;
  uint64_t update_ = 0;
  std::map<uint64_t, std::string> digests_;  // of the newest version of each update
  uint64_t pushed_ = 0;
  uint64_t rewound_ = 0;
  bool averages_anew_ = false;
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_PUBLISHER_H_
