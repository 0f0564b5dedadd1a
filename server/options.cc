#include "server/options.h"

#include <CLI/CLI.hpp>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "server/device_name.h"

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

struct HostPort {
  std::string host;
  int port = 0;
};

// Splits HOST:PORT or [HOST]:PORT.
absl::StatusOr<HostPort> ParseListen(const std::string& listen) {
  constexpr int kMaxPort = 65535;
  HostPort result;
  const size_t colon = listen.rfind(':');
  if (colon != listen.npos) result.host = listen.substr(0, colon);
  const bool bracketed = absl::StartsWith(result.host, "[") && absl::EndsWith(result.host, "]");
  const bool bare = !result.host.empty() && result.host.find(':') == listen.npos;
  if ((bracketed || bare) && absl::SimpleAtoi(listen.substr(colon + 1), &result.port) &&
      result.port >= 0 && result.port <= kMaxPort) {
    return result;
  }
  return absl::InvalidArgumentError(absl::StrCat("--listen is \"", listen,
                                                 "\"; allowed: HOST:PORT, [IPV6]:PORT, port 0 to ",
                                                 kMaxPort, " (0: a free one)"));
}

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
      {"--journal-max-steps", options.journal_max_steps, 1, kMost},
      {"--journal-max-bytes", options.journal_max_bytes, int64_t{1} << 20, kMost},
  };
  for (const Bound<int64_t>& bound : bounds) {
    if (bound.value >= bound.low && bound.value <= bound.high) continue;
    return absl::InvalidArgumentError(absl::StrCat(bound.flag, " is ", bound.value,
                                                   "; allowed: ", bound.low, " to ", bound.high));
  }
  return absl::OkStatus();
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

absl::Status CheckModels(const ServerOptions& options) {
  for (const std::string& model : options.models) {
    const size_t equals = model.find('=');
    if (equals != model.npos && equals > 0 && equals + 1 < model.size()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--model is \"", model, "\"; allowed: NAME=KIND or NAME=FILE"));
  }
  return absl::OkStatus();
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
                   "NAME=KIND|FILE: a guess model to register at the start: a built-in network "
                   "(resnet-small, wrn-28-2) or a TorchScript archive. Repeat it for several")
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
  group->add_option("--journal-max-steps", options->journal_max_steps,
                    "steps a feed whose guesses are kept");
  group->add_option("--journal-max-bytes", options->journal_max_bytes,
                    "bytes of guesses that are kept");
}

}  // namespace

bool IsLoopback(const std::string& listen) {
  const absl::StatusOr<HostPort> parsed = ParseListen(listen);
  if (!parsed.ok()) return false;
  const std::string& host = parsed->host;
  const bool numbers = host.find_first_not_of("0123456789.") == host.npos;
  return host == "localhost" || host == "[::1]" || (numbers && absl::StartsWith(host, "127."));
}

absl::Status ValidateOptions(const ServerOptions& options) {
  MIXFEED_RETURN_IF_ERROR(ParseListen(options.listen).status());
  MIXFEED_RETURN_IF_ERROR(CheckNumbers(options));
  MIXFEED_RETURN_IF_ERROR(CheckModels(options));
  MIXFEED_RETURN_IF_ERROR(ParseDeviceName(options.device).status());
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
