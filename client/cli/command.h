#ifndef MIXFEED_CLIENT_CLI_COMMAND_H_
#define MIXFEED_CLIENT_CLI_COMMAND_H_

#include <memory>
#include <span>

#include "absl/status/status.h"
#include "client/cli/console.h"

namespace CLI {
class App;
}  // namespace CLI

namespace mixfeed {

// One subcommand of `mixfeed`.
class Command {
 public:
  virtual ~Command() = default;
  virtual void AddFlags(CLI::App* app) = 0;
  // Called once, after the flags were parsed. An error is printed for it.
  virtual absl::Status Run(Console* console) = 0;
};

struct CommandEntry {
  const char* name;  // "info"; of a subcommand's subcommand both words: "model list"
  const char* summary;
  const char* examples;  // shown under --help
  std::unique_ptr<Command> (*make)();
};

// All subcommands, in the order in which they are shown. "How to add one" stands at the table.
std::span<const CommandEntry> Commands();

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_COMMAND_H_
