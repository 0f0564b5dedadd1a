#include "client/cli/flags.h"

#include <google/protobuf/util/json_util.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/presets.h"
#include "augment/render/pixel_format.h"
#include "client/cli/files.h"
#include "client/cli/index_bar.h"
#include "client/spec/enum_text.h"
#include "client/spec/local_spec.h"
#include "client/spec/parse_number.h"
#include "client/spec/spec_field.h"
#include "client/spec/spec_setting.h"

namespace mixfeed {
namespace {

constexpr double kShortestWait = 0.001;
constexpr double kLongestWait = 86400;  // a day
constexpr char kNoLeadingZeros[] = ", without leading zeros";

// As 010, which CLI11 would take for an octal number.
bool HasLeadingZero(const std::string& text) { return text.size() > 1 && text[0] == '0'; }

bool ReadWhole(const std::string& text, uint64_t* value) {
  if (HasLeadingZero(text)) return false;
  return ParseNumber<uint64_t>(text, [value](uint64_t n) { *value = n; }).empty();
}

absl::StatusOr<v1::FeedSpec> ReadSpec(const std::string& path) {
  MIXFEED_ASSIGN_OR_RETURN(const std::string text, ReadFile("--spec", path));
  v1::FeedSpec spec;
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, &spec);
  if (parsed.ok()) return spec;
  return absl::InvalidArgumentError(
      absl::StrCat("--spec: '", path, "' is not a FeedSpec in protobuf's JSON form: ",
                   std::string(parsed.message()), "; `mixfeed open --json` prints one as .spec"));
}

}  // namespace

std::function<std::string(const std::string&)> InRange(double low, double high) {
  return [low, high](const std::string& text) {
    bool inside = false;
    const std::string wrong =
        ParseNumber<double>(text, [&](double value) { inside = value >= low && value <= high; });
    if (inside || !wrong.empty()) return wrong;
    return absl::StrCat("'", text, "' is not a number from ", low, " to ", high);
  };
}

std::function<std::string(const std::string&)> WholeInRange(uint64_t low, uint64_t high) {
  return [low, high](const std::string& text) {
    uint64_t value = 0;
    if (ReadWhole(text, &value) && value >= low && value <= high) return std::string();
    return absl::StrCat("'", text, "' is not a whole number from ", low, " to ", high,
                        HasLeadingZero(text) ? kNoLeadingZeros : "");
  };
}

std::function<std::string(const std::string&)> WholeFrom(uint64_t low) {
  return [low](const std::string& text) {
    uint64_t value = 0;
    if (ReadWhole(text, &value) && value >= low) return std::string();
    return absl::StrCat("'", text, "' is not a whole number from ", low, " up, in its range",
                        HasLeadingZero(text) ? kNoLeadingZeros : "");
  };
}

std::string CheckPngName(const std::string& path) {
  if (absl::EndsWithIgnoreCase(path, ".png") || absl::StartsWith(path, "/dev/")) return "";
  return absl::StrCat("'", path, "' does not end in .png, and PNG is what is written");
}

void ServerFlags::AddTo(CLI::App* app) {
  constexpr char kGroup[] = "Server";
  app->add_option("--server", server, "HOST:PORT of the server")
      ->envname("MIXFEED_SERVER")
      ->type_name("ADDRESS")
      ->capture_default_str()
      ->group(kGroup);
  app->add_option("--wait", wait_seconds,
                  "how long to wait for the server, at the start and when the connection breaks; "
                  "0.001..86400")
      ->check(InRange(kShortestWait, kLongestWait))
      ->type_name("SECONDS")
      ->capture_default_str()
      ->group(kGroup);
  app->add_flag("--tls", tls.use_tls, "TLS, trusting the system's authorities")->group(kGroup);
  const std::pair<const char*, std::pair<std::string*, const char*>> files[] = {
      {"--tls-ca", {&tls.ca, "TLS, trusting the authorities in this PEM file"}},
      {"--tls-cert", {&tls.cert, "our certificate, for servers that ask for one (PEM)"}},
      {"--tls-key", {&tls.key, "its private key (PEM)"}},
  };
  for (const auto& [name, file] : files) {
    app->add_option(name, *file.first, file.second)->type_name("FILE")->group(kGroup);
  }
  app->add_flag("--json", json, "print JSON for scripts");
}

ConnectOptions ServerFlags::Options() const {
  ConnectOptions options;
  options.server = server;
  options.tls = tls;
  options.connect_deadline_ms = std::llround(wait_seconds * 1000);
  return options;
}

absl::StatusOr<std::unique_ptr<FeedClient>> ServerFlags::Connect() const {
  return FeedClient::Connect(Options());
}

std::string ServerFlags::TextOf(const Look& look) const {
  return json ? Dump(look.json) + "\n" : look.text;
}

void SpecFlags::AddTo(CLI::App* app) {
  constexpr char kGroup[] = "Feed";
  for (const SpecSetting& setting : SpecSettings()) {
    app->add_option(absl::StrCat("--", setting.name), values_[setting.name], setting.help)
        ->type_name(setting.value)
        ->check([&setting](const std::string& text) {
          v1::FeedSpec scratch;
          return setting.apply(text, &scratch);
        })
        ->group(kGroup);
  }
  app->add_option("--set", fields_,
                  "any field of the spec, as `mixfeed recipes show` prints them: "
                  "--set recipe.mix.cutmix.alpha=0.5. Repeat it for several")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false)
      ->check([](const std::string& text) {
        v1::FeedSpec scratch;
        return SetSpecField(text, &scratch);
      })
      ->group(kGroup);
  app->add_option("--spec", spec_file_, "a FeedSpec in protobuf's JSON form; flags override it")
      ->type_name("FILE")
      ->group(kGroup);
  app->add_option(
         "--run", run_,
         "name that trainers of one training share, 1 to 128 characters of [A-Za-z0-9._-]; "
         "without it a new run begins")
      ->type_name("NAME")
      ->group(kGroup);
}

absl::StatusOr<v1::FeedSpec> SpecFlags::Spec() const {
  v1::FeedSpec spec;
  if (!spec_file_.empty()) {
    MIXFEED_ASSIGN_OR_RETURN(spec, ReadSpec(spec_file_));
  }
  MIXFEED_RETURN_IF_ERROR(ApplySettings(values_, fields_, &spec));
  return spec;
}

std::vector<GivenField> SpecFlags::Given(const LocalSpec& spec) const {
  std::vector<GivenField> given;
  for (const SpecSetting& setting : SpecSettings()) {
    if (!IsGiven(setting.name)) continue;
    const std::string flag = absl::StrCat("--", setting.name);
    if (setting.path != nullptr) given.push_back({flag, setting.path});
    if (setting.name != std::string_view(kAlphaSetting)) continue;
    const bool boxes = AlphaIsOfBoxes(spec.recipe);
    given.push_back({flag, boxes ? "recipe.mix.cutmix.alpha" : "recipe.mix.alpha"});
  }
  for (const std::string& field : fields_) {
    const std::string path(absl::StripAsciiWhitespace(field.substr(0, field.find('='))));
    given.push_back({path, path});
  }
  return given;
}

bool SpecFlags::is_given() const {
  const auto given = [this](const auto& value) { return IsGiven(value.first); };
  return !spec_file_.empty() || !fields_.empty() ||
         std::any_of(values_.begin(), values_.end(), given);
}

bool SpecFlags::IsGiven(const std::string& setting) const {
  const auto value = values_.find(setting);
  return value != values_.end() && !value->second.empty();
}

void FormatFlags::AddTo(CLI::App* app, const char* head) {
  app->add_option("--format", type, "pixel type")
      ->check(CLI::IsMember(EnumTexts(*v1::PixelType_descriptor())))
      ->type_name("TYPE")
      ->capture_default_str()
      ->group(head);
  app->add_option("--layout", layout, "order of an image's dimensions")
      ->check(CLI::IsMember(EnumTexts(*v1::Layout_descriptor())))
      ->type_name("LAYOUT")
      ->capture_default_str()
      ->group(head);
  app->add_option("--targets", targets,
                  "soft: a weight a class; pairs: (y_a, y_b, lambda), of recipes without guesses")
      ->check(CLI::IsMember(EnumTexts(*v1::TargetForm_descriptor())))
      ->type_name("FORM")
      ->capture_default_str()
      ->group(head);
  app->add_option("--normalise", normalise,
                  absl::StrCat("the default is signed, and raw for uint8; there are ",
                               absl::StrJoin(NormalisationNames(), ", ")))
      ->type_name("NAME")
      ->group(head);
}

v1::PixelFormat FormatFlags::Format() const {
  v1::PixelFormat format;
  format.set_targets(
      static_cast<v1::TargetForm>(EnumNumber(*v1::TargetForm_descriptor(), targets)));
  format.set_type(static_cast<v1::PixelType>(EnumNumber(*v1::PixelType_descriptor(), type)));
  format.set_layout(static_cast<v1::Layout>(EnumNumber(*v1::Layout_descriptor(), layout)));
  if (!normalise.empty()) format.mutable_normalisation()->set_name(normalise);
  return format;
}

absl::StatusOr<std::unique_ptr<Feed>> OpenFeed(FeedClient* client, const ServerFlags& server,
                                               const v1::FeedSpec& spec, const std::string& run,
                                               Console* console) {
  ConnectOptions options = server.Options();
  options.deadline_ms = kIndexQuestionMs;
  MIXFEED_ASSIGN_OR_RETURN(const auto questions, FeedClient::Connect(options));
  const IndexBar bar(questions.get(), console);
  return OpenWhenBuilt(client, questions.get(), spec, run);
}

absl::StatusOr<FeedConnection> OpenFeed(const ServerFlags& server, const SpecFlags& spec,
                                        Console* console, FeedPurpose purpose) {
  MIXFEED_ASSIGN_OR_RETURN(v1::FeedSpec wanted, spec.Spec());
  if (purpose == FeedPurpose::kLook) GuessWithNewest(&wanted);
  FeedConnection opened;
  MIXFEED_ASSIGN_OR_RETURN(opened.client, server.Connect());
  MIXFEED_ASSIGN_OR_RETURN(opened.feed,
                           OpenFeed(opened.client.get(), server, wanted, spec.run(), console));
  // A newer server may have recipes that this program cannot judge.
  const auto local = ResolveLocally(opened.feed->info().spec());
  if (local.ok()) console->Note(NotesOfUnread(spec.Given(*local), *local));
  return opened;
}

}  // namespace mixfeed
