#ifndef MIXFEED_SERVER_OPTIONS_H_
#define MIXFEED_SERVER_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mixfeed {

// What a server is started with. The flags of mixfeed-server are these fields, with dashes.
struct ServerOptions {
  // HOST:PORT; an IPv6 host in brackets; port 0: a free one. Only this machine can reach the
  // default.
  std::string listen = "127.0.0.1:50051";
  // HOST:PORT, as `listen`, where Prometheus finds metrics over plain HTTP. Empty: nowhere.
  std::string metrics;
  // Datasets, each `[NAME=]DIR|generated[?key=value]` (augment/pool/dataset_source.h).
  std::vector<std::string> data;
  // "auto" (CUDA if there is one, else the CPU), "cpu", "cuda" or "cuda:N".
  std::string device = "auto";
  // Threads that render; 0: one a core.
  int threads = 0;
  // Threads inside one operator of the guess model; 0: as `threads`. The guesses' bits depend on
  // it.
  int guess_threads = 0;
  // Where feeds, models and guesses survive the process; one server at a time. Empty: a temporary
  // directory, removed at the end.
  std::string state_dir;
  // Where models and guesses are kept instead, for servers that share them: the URL of a Redis
  // server (server/store/redis_address.h). Empty: in state_dir.
  std::string store;
  // Where the generated dataset is kept once it was drawn. Servers may share it, at the same time
  // too. Empty: `cache` in state_dir.
  std::string cache_dir;
  // Models to register at the start, each `NAME=KIND` (a built-in network), `NAME=FILE` (a
  // TorchScript archive) or `NAME=kserve://ADDRESS` (server/kserve/address.h).
  std::vector<std::string> models;

  // PEM files. With cert and key set the server speaks TLS only, and with client_ca it asks clients
  // for a certificate of that authority.
  std::string tls_cert;
  std::string tls_key;
  std::string tls_client_ca;
  // Allow addresses that other machines can reach without TLS.
  bool insecure = false;
  // Allow RegisterModel on such an address: a model is code that the server runs.
  bool allow_register = false;

  // Memory for finished batches; it bounds the slots promised to consumers.
  int64_t max_slot_bytes = int64_t{2} << 30;
  // Memory for padded datasets, one copy for each (dataset, partition, padding) in use.
  int64_t max_pool_bytes = int64_t{16} << 30;
  int max_credits = 64;             // batches that a consumer may ask for at once
  int max_prefetch = 64;            // steps made ahead of them
  int max_feeds = 1'000;            // open feeds; beyond it the oldest without a consumer is closed
  int64_t idle_limit_ms = 120'000;  // a consumer that takes nothing for so long is ended
  int64_t drain_ms = 10'000;        // a stopping server lets calls and streams go on for so long
  int64_t max_archive_bytes = int64_t{1} << 30;  // of a model that a client registers
  int64_t trial_deadline_ms = 60'000;            // of a new model's trial in a child process

  // Guesses kept, the replay horizon; the oldest steps are dropped beyond it. 0: no limit. A step
  // takes about 2.6 KB.
  int64_t journal_max_steps = 0;  // a feed
  int64_t journal_max_bytes = 0;  // over all feeds

  // Weights kept of a model, besides those of its registration; the oldest are dropped beyond it.
  int64_t keep_versions = 256;
  int64_t keep_version_bytes = int64_t{4} << 30;
  // A batch that waits for weights which its trainer does not push, or for a guess model whose
  // server does not answer, fails after so long.
  int64_t weights_wait_ms = 600'000;

  // Put the true labels of unlabelled images into plans. For debugging an experiment; a trainer
  // that reads them is no longer semi-supervised.
  bool reveal_hidden_labels = false;

  // The program that tries models in a child process. Empty: `mixfeed-try-model` in the folder of
  // the running executable.
  std::string try_model_program;
};

// InvalidArgument names the flag, its value and what is allowed.
absl::Status ValidateOptions(const ServerOptions& options);

// What the command line asks for. With text set there is nothing to start: print it (help or
// version) and exit with 0. Errors are InvalidArgument with a text for the terminal.
struct ParsedFlags {
  ServerOptions options;
  std::optional<std::string> text;
};
absl::StatusOr<ParsedFlags> ParseFlags(int argc, const char* const* argv);

// Whether other machines cannot reach `listen`: 127.*, [::1], localhost.
bool IsLoopback(const std::string& listen);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_OPTIONS_H_
