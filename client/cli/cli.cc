#include "client/cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
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
    "Exit codes: 0 fine, 1 error, 2 wrong usage, 130 interrupted (Ctrl-C or SIGTERM).";

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

// "mixfeed model register": the innermost command whose flags were being parsed.
std::string NameOfParsed(const CLI::App& root) {
  std::string name = root.get_name();
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().front();
    absl::StrAppend(&name, " ", app->get_name());
  }
  return name;
}

int Report(const absl::Status& status, std::ostream& err) {
  if (status.ok()) return kExitOk;
  const std::string message = status.message().empty() ? absl::StatusCodeToString(status.code())
                                                       : std::string(status.message());
  err << "mixfeed: " << absl::StrReplaceAll(message, {{"\n", " "}}) << "\n";
  return kExitError;
}

// Help and version texts come as exceptions too.
int ReportParse(const CLI::App& root, const CLI::ParseError& error, std::ostream& out,
                std::ostream& err) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    root.exit(error, out, err);
    return Report(CheckOutput(out), err);
  }
  // What was not understood says more than what is missing for want of it.
  const std::vector<std::string> unknown = root.remaining(/*recurse=*/true);
  err << "mixfeed: "
      << (unknown.empty() ? std::string(error.what())
                          : absl::StrCat("not understood: ", absl::StrJoin(unknown, " ")))
      << "; see " << NameOfParsed(root) << " --help\n";
  return kExitUsage;
}

int ReportRun(absl::Status status, Console* console) {
  status.Update(CheckOutput(console->out));
  return console->interrupted() ? kExitInterrupted : Report(status, console->err);
}

int Run(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
        const CliOptions& options) {
  CLI::App root(kDescription, "mixfeed");
  root.footer(kFooter);
  root.set_version_flag("--version", MIXFEED_VERSION);
  root.require_subcommand(1);
  const std::vector<BoundCommand> commands = AddCommands(&root);
  try {
    root.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& error) {
    return ReportParse(root, error, out, err);
  }
  Console console{out, err, options.terminal, options.interrupt};
  const auto chosen = std::find_if(commands.begin(), commands.end(),
                                   [](const BoundCommand& bound) { return bound.app->parsed(); });
  return ReportRun(chosen->command->Run(&console), &console);
}

}  // namespace

int RunCli(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
           const CliOptions& options) {
  try {
    return Run(args, out, err, options);
  } catch (const std::exception& error) {
    // Of a library or the standard library, such as bad_alloc: ours return a Status.
    return Report(absl::InternalError(error.what()), err);
  }
}

}  // namespace mixfeed
