#include "client/train/train_program.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "client/cli/console.h"
#include "client/cli/flags.h"
#include "client/train/settings.h"
#include "client/train/training.h"

namespace mixfeed {
namespace {

constexpr char kDescription[] =
    "mixfeed-train trains a built-in network on a mixfeed-server's feed, and pushes its weights "
    "back\n"
    "as it goes: the server's model guesses with them.";
constexpr char kFooter[] =
    "Examples:\n"
    "  mixfeed-train --recipe mixmatch --labels 250 --run a --steps 2000 --eval-every 200 --png "
    "a.png\n"
    "  mixfeed-train --labels 250 --run b --policy delayed:1 --checkpoint b.ckpt "
    "--checkpoint-every 500\n"
    "  mixfeed-train --resume --checkpoint b.ckpt        # goes on; Ctrl-C had written it\n"
    "  mixfeed-train --variant torchssl --labels 250 --json >torchssl.log\n"
    "  mixfeed-train --recipe mixup --optimiser sgd --lr 0.1 --schedule cosine --steps 20000\n"
    "Two processes that train one network:\n"
    "  mixfeed-train --run c --world 2 --rank 0 --rendezvous 127.0.0.1:29500 &\n"
    "  mixfeed-train --run c --world 2 --rank 1 --rendezvous 127.0.0.1:29500\n"
    "With the policies lockstep and delayed a training that goes on from a checkpoint ends with "
    "the\n"
    "weights of one that was never interrupted, bit for bit, at an equal number of --threads.\n"
    "Exit codes: 0 fine, 1 error, 2 wrong usage, 130 interrupted (Ctrl-C, SIGTERM or SIGHUP).";
constexpr uint64_t kMostUpdates = uint64_t{1} << 40;
constexpr uint64_t kMostThreads = 1024;

// What flags of a feed mean here, where that is more or another than for the CLI.
constexpr std::pair<const char*, const char*> kHelp[] = {
    {"--recipe",
     "a name of `mixfeed recipes`; default: the variant's, mixmatch of the official one"},
    {"--model",
     "the model at the server that guesses with what is trained, registered and pushed to as the "
     "training goes; default: the name of the run"},
    {"--weights",
     "with which the model guesses: those that are pushed (the default), or the server's moving "
     "average of them, of the decay --ema"},
    {"--run",
     "name that trainers of one training share, 1 to 128 characters of [A-Za-z0-9._-]; without it "
     "a new run begins, and with --resume the checkpoint's goes on"},
};

void AddFlags(CLI::App* app, TrainingOptions* options) {
  CLI::Option* const checkpoint =
      app->add_option(
             "--checkpoint", options->checkpoint,
             "file that is written at the end, at Ctrl-C, at an error, such as a server or another "
             "process that is gone, and every --checkpoint-every updates, whole or not at all; "
             "one that is there only --resume replaces")
          ->type_name("FILE");
  app->add_option("--checkpoint-every", options->checkpoint_every,
                  "updates, from 0 up; 0: at the end only")
      ->check(WholeInRange(0, kMostUpdates))
      ->needs(checkpoint)
      ->capture_default_str();
  app->add_flag("--resume", options->resume,
                "go on from --checkpoint, whose feed and settings hold; flags may repeat them")
      ->needs(checkpoint);
  app->add_option("--eval-every", options->eval_every,
                  "updates from one pass over the test images to the next, from 0 up; 0: none. One "
                  "that was cut short --resume makes up")
      ->check(WholeInRange(0, kMostUpdates))
      ->capture_default_str();
  app->add_option("--log-every", options->log_every, "updates from one line to the next, from 1 up")
      ->check(WholeInRange(1, kMostUpdates))
      ->capture_default_str();
  app->add_option("--png", options->png, "draw accuracy, confidence and losses at the end")
      ->check(CheckPngName)
      ->type_name("FILE");
  app->add_flag("--rewind", options->rewind,
                "begin again with a model that the server has other weights of; guesses that they "
                "made stay with their run");
  app->add_option(
         "--rank", options->rank,
         "which of --world processes this is, from 0; of the feed and the training the flags of "
         "rank 0 hold for all, but for --world")
      ->check(WholeInRange(0, UINT32_MAX))
      ->capture_default_str();
  app->add_option("--rendezvous", options->rendezvous,
                  "where the processes meet: HOST:PORT, at which rank 0 listens, or, on one "
                  "machine, file:PATH, a file that is not there yet")
      ->type_name("WHERE");
  app->add_option("--threads", options->threads,
                  "inside LibTorch's operators, 0..1024; 0: one a core. The weights' last bits "
                  "depend on it")
      ->check(WholeInRange(0, kMostThreads))
      ->capture_default_str();
}

}  // namespace

int RunTrain(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
             const CliOptions& options) {
  CLI::App app(kDescription, "mixfeed-train");
  app.footer(kFooter);
  app.set_version_flag("--version", MIXFEED_VERSION);
  TrainingOptions training;
  SettingFlags settings;
  SpecFlags spec;
  ServerFlags server;
  AddFlags(&app, &training);
  settings.AddTo(&app);
  spec.AddTo(&app);
  for (const auto& [flag, help] : kHelp) app.get_option(flag)->description(help);
  server.AddTo(&app);
  return RunParsed(&app, args, out, err, options, [&](Console* console) {
    const absl::StatusOr<bool> finished = Train(training, server, spec, settings, console);
    // What went wrong is told also of a training that was interrupted, since its checkpoint may be
    // missing.
    const int code = ReportStatus(app.get_name(), finished.status(), err);
    return console->interrupted() || !finished.value_or(true) ? kExitInterrupted : code;
  });
}

}  // namespace mixfeed
