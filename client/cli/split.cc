#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "client/cli/command.h"
#include "client/cli/files.h"
#include "client/cli/flags.h"
#include "client/cli/json.h"

namespace mixfeed {
namespace {

// The form of augment/pool/split.h: a line a list.
std::string ListsText(const v1::GetSplitResponse& split) {
  const std::pair<const char*, const google::protobuf::RepeatedField<uint32_t>*> lists[] = {
      {"labelled", &split.labelled()},
      {"unlabelled", &split.unlabelled()},
      {"validation", &split.validation()},
  };
  std::string text;
  for (const auto& [name, indices] : lists) {
    absl::StrAppend(&text, name, indices->empty() ? "" : " ", absl::StrJoin(*indices, " "), "\n");
  }
  return text;
}

class Split final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->add_option("--out", out_, "write to this file instead of the standard output")
        ->type_name("FILE");
    spec_.AddTo(app);
    format_.AddTo(app, FormatFlags::kUnused);
    server_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const FeedConnection opened, OpenFeed(server_, spec_, console));
    MIXFEED_ASSIGN_OR_RETURN(const auto split, opened.feed->GetSplit());
    const std::string text = server_.json ? Dump(ToJson(split)) + "\n" : ListsText(split);
    if (!out_.empty()) return WriteFile("--out", out_, text);
    console->out << text;
    return absl::OkStatus();
  }

 private:
  ServerFlags server_;
  SpecFlags spec_;
  FormatFlags format_;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> MakeSplit() { return std::make_unique<Split>(); }

}  // namespace mixfeed
