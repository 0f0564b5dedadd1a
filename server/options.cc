#include "server/options.h"

#include <CLI/CLI.hpp>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "server/device_name.h"
#include "server/host_port.h"
#include "server/store/redis_address.h"

namespace mixfeed {
namespace {

constexpr char kSummary[] =
    "Streams finished MixMatch, mixup, supervised and evaluation batches to trainers over gRPC.\n"
    "\n"
    "  mixfeed-server --data generated                        try it: a dataset drawn here\n"
    "  mixfeed-server --data /data/cifar-10-batches-bin       CIFAR-10 or -100, binary version\n"
    "  mixfeed-server --data a=/data/cifar10 --data b=/photos several, by name\n"
    "  mixfeed-server --data generated --model m=resnet-small with a model that guesses labels\n"
    "\n"
    "The first line on stdout is `mixfeed-server listening on HOST:PORT`; the log goes to stderr.\n"
    "SIGTERM and SIGINT drain, then stop.";

constexpr int kMaxThreads = 1024;
// Longer waits are as good as this one, and must not overflow a clock.
constexpr int64_t kYearMs = int64_t{365} * 24 * 3'600'000;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

template <typename Number>
struct Bound {
  const char* flag;
  Number value;
  Number low;
  Number high;
};

absl::Status CheckNumbers(const ServerOptions& options) {
  const Bound<int64_t> bounds[] = {
      {"--threads", options.threads, 0, kMaxThreads},
      {"--guess-threads", options.guess_threads, 0, kMaxThreads},
      {"--max-slot-bytes", options.max_slot_bytes, int64_t{1} << 20, kMost},
      {"--max-pool-bytes", options.max_pool_bytes, int64_t{1} << 20, kMost},
      {"--max-credits", options.max_credits, 1, 1 << 16},
      {"--max-prefetch", options.max_prefetch, 1, 1 << 16},
      {"--max-feeds", options.max_feeds, 1, 1 << 20},
      {"--idle-limit-ms", options.idle_limit_ms, 1, kYearMs},
      {"--drain-ms", options.drain_ms, 0, kYearMs},
      {"--max-archive-bytes", options.max_archive_bytes, 0, int64_t{4} << 30},
      {"--trial-deadline-ms", options.trial_deadline_ms, 1, kYearMs},
      {"--journal-max-steps", options.journal_max_steps, 0, kMost},
      {"--journal-max-bytes", options.journal_max_bytes, 0, kMost},
      {"--keep-versions", options.keep_versions, 1, kMost - 1},  // and the initial one
      {"--keep-version-bytes", options.keep_version_bytes, 0, kMost},
      {"--weights-wait-ms", options.weights_wait_ms, 1, kYearMs},
  };
  for (const Bound<int64_t>& bound : bounds) {
    if (bound.value >= bound.low && bound.value <= bound.high) continue;
    return absl::InvalidArgumentError(absl::StrCat(bound.flag, " is ", bound.value,
                                                   "; allowed: ", bound.low, " to ", bound.high));
  }
  constexpr int64_t kLeastJournalBytes = int64_t{1} << 20;
  if (options.journal_max_bytes == 0 || options.journal_max_bytes >= kLeastJournalBytes) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--journal-max-bytes is ", options.journal_max_bytes,
                   "; allowed: 0 (no limit), or at least ", kLeastJournalBytes));
}

absl::Status CheckTls(const ServerOptions& options) {
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError(
        "--tls-cert and --tls-key belong together: give both or neither");
  }
  if (!options.tls_client_ca.empty() && options.tls_cert.empty()) {
    return absl::InvalidArgumentError("--tls-client-ca needs --tls-cert and --tls-key");
  }
  if (!IsLoopback(options.listen) && options.tls_cert.empty() && !options.insecure) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen ", options.listen,
                     " can be reached from other machines: give --tls-cert and "
                     "--tls-key, or --insecure to speak plain text"));
  }
  return absl::OkStatus();
}

absl::Status CheckMetrics(const ServerOptions& options) {
  if (options.metrics.empty()) return absl::OkStatus();
  MIXFEED_RETURN_IF_ERROR(ParseHostPort("--metrics", options.metrics).status());
  if (IsLoopback(options.metrics) || options.insecure) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--metrics ", options.metrics,
                   " can be reached from other machines, in plain text: give --insecure to allow "
                   "it"));
}

absl::Status CheckModels(const ServerOptions& options) {
  for (const std::string& model : options.models) {
    const size_t equals = model.find('=');
    if (equals != model.npos && equals > 0 && equals + 1 < model.size()) continue;
    return absl::InvalidArgumentError(absl::StrCat("--model is \"", model,
                                                   "\"; allowed: NAME=KIND, NAME=FILE or "
                                                   "NAME=kserve://HOST:PORT/MODEL"));
  }
  return absl::OkStatus();
}

absl::Status CheckStore(const ServerOptions& options) {
  if (options.store.empty()) return absl::OkStatus();
  const absl::Status status = ParseRedisUrl(options.store).status();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat("--store is ", status.message()));
}

void AddServing(ServerOptions* options, CLI::App* app) {
  CLI::Option_group* group = app->add_option_group("Serving");
  group->add_option("--listen", options->listen,
                    "HOST:PORT to listen on; port 0 picks a free one. An address that other "
                    "machines can reach needs TLS or --insecure");
  group->add_option("--tls-cert", options->tls_cert, "PEM certificate chain: turns TLS on");
  group->add_option("--tls-key", options->tls_key, "PEM private key of --tls-cert");
  group->add_option("--tls-client-ca", options->tls_client_ca,
                    "PEM authority that every client must have a certificate of (mutual TLS)");
  group->add_flag("--insecure", options->insecure, "allow plain text on a public address");
  group->add_option("--metrics", options->metrics,
                    "HOST:PORT where Prometheus finds metrics of server and guesses, under "
                    "http://HOST:PORT/metrics");
  group->add_flag("--allow-register", options->allow_register,
                  "allow RegisterModel on a public address; a model is code that runs here");
  group->add_option("--drain-ms", options->drain_ms,
                    "on SIGTERM, calls and streams may go on for so long");
}

void AddWork(ServerOptions* options, CLI::App* app) {
  CLI::Option_group* group = app->add_option_group("Data and work");
  group
      ->add_option(
          "--data", options->data,
          "[NAME=]DIR|generated[?key=value&...]: a folder of CIFAR-10, CIFAR-100 or STL-10 "
          "in their binary versions, of MNIST's or Fashion-MNIST's IDX files, or of images, "
          "or the generated dataset; keys labels=fine|coarse, size=N, pad=N, seed=N. "
          "Repeat it for several")
      ->required()
      ->allow_extra_args(false);
  group
      ->add_option("--model", options->models,
                   "NAME=KIND|FILE|kserve://HOST:PORT/MODEL[/VERSION][?output=probabilities]: a "
                   "guess model to register at the start: a built-in network (resnet-small, "
                   "wrn-28-2), a TorchScript archive, or a model of a server that speaks the "
                   "KServe v2 protocol (Triton). Repeat it for several")
      ->allow_extra_args(false);
  group->add_option("--device", options->device,
                    "auto (CUDA if there is one), cpu, cuda or cuda:N: where pixels are rendered");
  group->add_option("--threads", options->threads, "threads that render; 0: one a core");
  group->add_option("--guess-threads", options->guess_threads,
                    "threads of the guess model; 0: as --threads. Fresh guesses depend on it in "
                    "their last bits");
  group->add_option("--state-dir", options->state_dir,
                    "where feeds, models and guesses outlive the process (one server at a time); "
                    "without it they are lost when the server ends");
  group
      ->add_option(
          "--store", options->store,
          "redis://[[USER]:PASSWORD@]HOST:PORT[/DB]: keep models, their weights and guesses "
          "in Redis, under keys that begin with mixfeed:1:, so that several servers "
          "(replicas) give the same batches; feeds stay in --state-dir")
      ->envname("MIXFEED_STORE");
  group->add_option("--cache-dir", options->cache_dir,
                    "where the generated dataset is kept once it was drawn; servers may share it. "
                    "Default: in --state-dir");
  group->add_flag("--reveal-hidden-labels", options->reveal_hidden_labels,
                  "put the true labels of unlabelled images into plans: for debugging only");
}

void AddLimits(ServerOptions* options, CLI::App* app) {
  CLI::Option_group* group = app->add_option_group("Limits");
  group->add_option("--max-slot-bytes", options->max_slot_bytes, "memory for finished batches");
  group->add_option("--max-pool-bytes", options->max_pool_bytes, "memory for padded datasets");
  group->add_option("--max-credits", options->max_credits, "batches a consumer may ask for ahead");
  group->add_option("--max-prefetch", options->max_prefetch, "batches made ahead of the credits");
  group->add_option("--max-feeds", options->max_feeds,
                    "open feeds; beyond it the oldest without a consumer is closed");
  group->add_option("--idle-limit-ms", options->idle_limit_ms,
                    "a consumer that takes nothing for so long is ended");
  group->add_option("--max-archive-bytes", options->max_archive_bytes,
                    "largest model that a client may register");
  group->add_option("--trial-deadline-ms", options->trial_deadline_ms,
                    "a new model is first tried in a child process, for so long at most");
  group->add_option(
      "--journal-max-steps", options->journal_max_steps,
      "steps a feed whose guesses are kept, which can be replayed; 0: all (about 2.6 KB "
      "a step)");
  group->add_option("--journal-max-bytes", options->journal_max_bytes,
                    "bytes of guesses that are kept, over all feeds; 0: all");
  group->add_option("--keep-versions", options->keep_versions,
                    "weights kept of a model that a trainer pushes to");
  group->add_option("--keep-version-bytes", options->keep_version_bytes,
                    "bytes of a model's weights that are kept");
  group->add_option("--weights-wait-ms", options->weights_wait_ms,
                    "a batch whose weights are not pushed, or whose guess model's server does not "
                    "answer, for so long fails");
}

}  // namespace

bool IsLoopback(const std::string& listen) {
  const absl::StatusOr<HostPort> parsed = ParseHostPort("--listen", listen);
  if (!parsed.ok()) return false;
  const std::string& host = parsed->host;
  const bool numbers = host.find_first_not_of("0123456789.") == host.npos;
  return host == "localhost" || host == "[::1]" || (numbers && absl::StartsWith(host, "127."));
}

absl::Status ValidateOptions(const ServerOptions& options) {
  MIXFEED_RETURN_IF_ERROR(ParseHostPort("--listen", options.listen).status());
  MIXFEED_RETURN_IF_ERROR(CheckMetrics(options));
  MIXFEED_RETURN_IF_ERROR(CheckNumbers(options));
  MIXFEED_RETURN_IF_ERROR(CheckModels(options));
  MIXFEED_RETURN_IF_ERROR(ParseDeviceName(options.device).status());
  MIXFEED_RETURN_IF_ERROR(CheckStore(options));
  return CheckTls(options);
}

absl::StatusOr<ParsedFlags> ParseFlags(int argc, const char* const* argv) {
  ParsedFlags flags;
  CLI::App app(kSummary, "mixfeed-server");
  app.option_defaults()->always_capture_default();
  app.set_version_flag("--version", std::string("mixfeed-server ") + MIXFEED_VERSION);
  AddServing(&flags.options, &app);
  AddWork(&flags.options, &app);
  AddLimits(&flags.options, &app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    std::ostringstream text;
    app.exit(success, text, text);
    flags.text = text.str();
    return flags;
  } catch (const CLI::ParseError& error) {
    // What was not understood says more than what is missing for want of it.
    const std::vector<std::string> unknown = app.remaining();
    return absl::InvalidArgumentError(absl::StrCat(
        unknown.empty() ? error.what() : "not understood: " + absl::StrJoin(unknown, " "),
        "\nRun mixfeed-server --help for all flags."));
  }
  MIXFEED_RETURN_IF_ERROR(ValidateOptions(flags.options));
  return flags;
}

}  // namespace mixfeed
