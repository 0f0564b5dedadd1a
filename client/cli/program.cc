#include "client/cli/program.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/cli/signal_thread.h"

namespace mixfeed {
namespace {

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

// Help and version texts come as exceptions too.
int ReportParse(const CLI::App& root, const CLI::ParseError& error, std::ostream& out,
                std::ostream& err) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    root.exit(error, out, err);
    return ReportStatus(root.get_name(), CheckOutput(out), err);
  }
  // What was not understood says more than what is missing for want of it.
  const std::vector<std::string> unknown = root.remaining(/*recurse=*/true);
  err << root.get_name() << ": "
      << (unknown.empty() ? std::string(error.what())
                          : absl::StrCat("not understood: ", absl::StrJoin(unknown, " ")))
      << "; see " << NameOfParsed(root) << " --help\n";
  return kExitUsage;
}

}  // namespace

int ReportStatus(const std::string& program, const absl::Status& status, std::ostream& err) {
  if (status.ok()) return kExitOk;
  const std::string message = status.message().empty() ? absl::StatusCodeToString(status.code())
                                                       : std::string(status.message());
  err << program << ": " << absl::StrReplaceAll(message, {{"\n", " "}}) << "\n";
  return kExitError;
}

int RunParsed(CLI::App* app, const std::vector<std::string>& args, std::ostream& out,
              std::ostream& err, const CliOptions& options,
              const std::function<int(Console* console)>& body) {
  try {
    app->parse(std::vector<std::string>(args.rbegin(), args.rend()));
    Console console{.out = out,
                    .err = err,
                    .terminal = options.terminal,
                    .interrupt = options.interrupt,
                    .out_terminal = options.out_terminal,
                    .patience = options.patience};
    return body(&console);
  } catch (const CLI::ParseError& error) {
    return ReportParse(*app, error, out, err);
  } catch (const std::exception& error) {  // such as bad_alloc: ours return a Status
    return ReportStatus(app->get_name(), absl::InternalError(error.what()), err);
  }
}

int RunMain(int argc, char** argv, Program program) {
  // gRPC logs failed handshakes and the like in lines of its own; our errors say the same in one.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);  // NOLINT(concurrency-mt-unsafe): no threads
  // Output whose reader is gone is met as CheckOutput's error, after which a trainer still saves.
  std::signal(SIGPIPE, SIG_IGN);
  Cancellation interrupt;
  const SignalThread signals(&interrupt);
  const CliOptions options{.terminal = isatty(STDERR_FILENO) == 1,
                           .interrupt = &interrupt,
                           .out_terminal = isatty(STDOUT_FILENO) == 1};
  std::ios::sync_with_stdio(false);
  return program({argv + 1, argv + argc}, std::cout, std::cerr, options);
}

}  // namespace mixfeed
