#ifndef MIXFEED_CLIENT_CLI_PICTURE_H_
#define MIXFEED_CLIENT_CLI_PICTURE_H_

#include <string>

#include "absl/status/status.h"
#include "client/cli/console.h"
#include "client/look/look.h"

namespace CLI {
class App;
}  // namespace CLI

namespace mixfeed {

// The flags of commands that draw a figure by themselves, with no server, and their common end.
struct PictureFlags {
  std::string out;
  bool json = false;

  void AddTo(CLI::App* app);
  // Notes what the look notes, and draws its figure into the file of --out, if there is one. Then
  // prints with --json its JSON in one line, with the file's name ("file", null without one) and
  // size in pixels; else its text and a line about the file. InvalidArgument for a file that cannot
  // be written.
  absl::Status Show(const Look& look, Console* console) const;
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_PICTURE_H_
