#include "client/cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/console.h"

namespace mixfeed {
namespace {

constexpr char kDescription[] =
    "mixfeed pulls finished MixMatch and mixup batches from a mixfeed-server, and looks into it.";
constexpr char kFooter[] =
    "Start a server, register a guess model and pull batches:\n"
    "  mixfeed-server --data generated &\n"
    "  mixfeed model register small --kind resnet-small\n"
    "  mixfeed pull --recipe mixmatch --labels 250 --batch 64 --steps 20\n"
    "\n"
    "Every subcommand explains itself: mixfeed pull --help. With --json they print for scripts.\n"
    "Exit codes: 0 fine, 1 error, 2 wrong usage, 130 interrupted (Ctrl-C, SIGTERM or SIGHUP).";

struct BoundCommand {
  CLI::App* app;
  std::unique_ptr<Command> command;
};

// The app of `entry`; the group in front of a name of two words is made when it comes first.
CLI::App* AddSubcommand(CLI::App* root, std::map<std::string, CLI::App*>* groups,
                        const CommandEntry& entry) {
  const std::string name = entry.name;
  const size_t blank = name.find(' ');
  if (blank == std::string::npos) return root->add_subcommand(name, entry.summary);
  const std::string word = name.substr(0, blank);
  CLI::App*& group = (*groups)[word];
  if (group == nullptr) {
    group = root->add_subcommand(word, absl::StrCat("What concerns a ", word));
    group->require_subcommand(1);
  }
  return group->add_subcommand(name.substr(blank + 1), entry.summary);
}

std::vector<BoundCommand> AddCommands(CLI::App* root) {
  std::vector<BoundCommand> bound;
  std::map<std::string, CLI::App*> groups;
  for (const CommandEntry& entry : Commands()) {
    CLI::App* app = AddSubcommand(root, &groups, entry);
    app->footer(absl::StrCat("Examples:\n", entry.examples));
    bound.push_back({app, entry.make()});
    bound.back().command->AddFlags(app);
  }
  return bound;
}

}  // namespace

int RunCli(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
           const CliOptions& options) {
  CLI::App root(kDescription, "mixfeed");
  root.footer(kFooter);
  root.set_version_flag("--version", MIXFEED_VERSION);
  root.require_subcommand(1);
  const std::vector<BoundCommand> commands = AddCommands(&root);
  return RunParsed(&root, args, out, err, options, [&](Console* console) {
    const auto chosen = std::find_if(commands.begin(), commands.end(),
                                     [](const BoundCommand& bound) { return bound.app->parsed(); });
    absl::Status status = chosen->command->Run(console);
    status.Update(CheckOutput(out));
    return console->interrupted() ? kExitInterrupted : ReportStatus(root.get_name(), status, err);
  });
}

}  // namespace mixfeed
