#include "client/cli/flags.h"

#include <google/protobuf/util/json_util.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "augment/base/status_macros.h"
#include "augment/render/pixel_format.h"
#include "client/cli/files.h"
#include "client/cli/index_bar.h"
#include "client/cli/spec_field.h"

namespace mixfeed {
namespace {

constexpr char kDefaultRecipe[] = "mixmatch";  // of a spec that names none; see spec.proto
constexpr double kShortestWait = 0.001;
constexpr double kLongestWait = 86400;  // a day

// Hands the number that `text` is to `set`; returns what is wrong with it, or nothing.
template <typename T, typename Set>
std::string ParseNumber(const std::string& text, const Set& set) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return absl::StrCat("'", text, "' is not a ",
                        std::is_integral_v<T> ? "whole number from 0 up, in its range" : "number");
  }
  set(value);
  return "";
}

// Fields of another recipe would make it something that has neither's name.
std::string SetRecipe(const std::string& text, v1::FeedSpec* spec) {
  const std::string& given = spec->recipe().preset();
  if ((given.empty() ? kDefaultRecipe : given) != text) spec->clear_recipe();
  spec->mutable_recipe()->set_preset(text);
  return "";
}

std::string SetStatistics(const std::string& text, v1::FeedSpec* spec) {
  if (text != "batch" && text != "running")
    return absl::StrCat("'", text, "' is not batch or running");
  spec->mutable_recipe()->mutable_guess()->set_batch_statistics(text == "batch");
  return std::string();
}

std::string SetPool(const std::string& text, v1::FeedSpec* spec) {
  const auto& type = *v1::Pool_descriptor();
  for (const std::string& name : EnumTexts(type)) {
    if (name != text) continue;
    spec->mutable_recipe()->set_ordered_pool(static_cast<v1::Pool>(EnumNumber(type, text)));
    return "";
  }
  return absl::StrCat("'", text, "' is not one of labelled, unlabelled, validation, test");
}

// A count asks for a split; without a rule the server takes the recipe's, or its default.
std::string SetLabels(const std::string& text, v1::FeedSpec* spec) {
  v1::Split* split = spec->mutable_split();
  if (text == "all") {
    split->set_rule(v1::Split::ALL);
    return "";
  }
  return ParseNumber<uint64_t>(text, [split](uint64_t labelled) {
    split->set_labelled(labelled);
    const bool counted = split->rule() == v1::Split::RULE_UNSPECIFIED ||
                         split->rule() == v1::Split::BALANCED || split->rule() == v1::Split::RANDOM;
    if (!counted) split->set_rule(v1::Split::MIXMATCH);
  });
}

struct SpecFlag {
  const char* name;
  const char* value;
  const char* help;
  // Returns what is wrong with the text, or nothing.
  std::string (*apply)(const std::string& text, v1::FeedSpec* spec);
};

const SpecFlag kSpecFlags[] = {
    {"--recipe", "NAME",
     "a name of `mixfeed recipes`; default mixmatch. Over a --spec of another recipe it replaces "
     "the "
     "whole recipe there; dataset, split, seed and batch stay",
     SetRecipe},
    {"--dataset", "NAME", "the server's name of the dataset; not needed when it has only one",
     [](const std::string& text, v1::FeedSpec* spec) {
       spec->set_dataset(text);
       return std::string();
     }},
    {"--labels", "N|all",
     "labelled images, from 1 up; all: every training image. Default: the recipe's, 250 or all",
     SetLabels},
    {"--validation", "N",
     "images held out from training, from 0 up; default: the recipe's, mostly 0",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<uint64_t>(
           text, [spec](uint64_t n) { spec->mutable_split()->set_validation(n); });
     }},
    {"--split-seed", "N", "which images are labelled, 0..4294967295; default 1. 0: not shuffled",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<uint64_t>(text,
                                    [spec](uint64_t n) { spec->mutable_split()->set_seed(n); });
     }},
    {"--seed", "N", "everything random but the split, from 0 up; default 0",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<uint64_t>(text, [spec](uint64_t n) { spec->set_seed(n); });
     }},
    {"--batch", "N", "labelled images a step, 1..4096; default 64. mixmatch has N (views + 1) rows",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<uint32_t>(text, [spec](uint32_t n) { spec->set_batch(n); });
     }},
    {"--views", "K", "views of every unlabelled image, 1..8; default: the recipe's",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<uint32_t>(text,
                                    [spec](uint32_t n) { spec->mutable_recipe()->set_views(n); });
     }},
    {"--temperature", "T", "of sharpening pseudo-labels, 0.01..100; default: the recipe's",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<double>(
           text, [spec](double t) { spec->mutable_recipe()->mutable_guess()->set_temperature(t); });
     }},
    {"--alpha", "A",
     "lambda is drawn from Beta(A, A), 0.01..101 (label-preserving: Beta(A + 1, A)); default: the "
     "recipe's",
     [](const std::string& text, v1::FeedSpec* spec) {
       return ParseNumber<double>(text, [spec](double a) {
         v1::Mix* mix = spec->mutable_recipe()->mutable_mix();
         mix->set_alpha(a);
         mix->clear_beta();  // a resolved spec has one; without it the server takes alpha
       });
     }},
    {"--model", "NAME", "the guess model; not needed when the server has only one",
     [](const std::string& text, v1::FeedSpec* spec) {
       spec->mutable_recipe()->mutable_guess()->set_model(text);
       return std::string();
     }},
    {"--statistics", "batch|running",
     "of batch norm, with which the model guesses: the step's own (the default), or the model's",
     SetStatistics},
    {"--pool", "NAME",
     "what eval goes through: test (the default), validation, labelled, unlabelled", SetPool},
};

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

void SpecFlags::AddTo(CLI::App* app) {
  constexpr char kGroup[] = "Feed";
  for (const SpecFlag& flag : kSpecFlags) {
    app->add_option(flag.name, values_[flag.name], flag.help)
        ->type_name(flag.value)
        ->check([&flag](const std::string& text) {
          v1::FeedSpec scratch;
          return flag.apply(text, &scratch);
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
  for (const SpecFlag& flag : kSpecFlags) {
    const auto value = values_.find(flag.name);
    // The texts were checked when they were parsed.
    if (value != values_.end() && !value->second.empty()) (void)flag.apply(value->second, &spec);
  }
  for (const std::string& field : fields_) (void)SetSpecField(field, &spec);
  return spec;
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

absl::StatusOr<FeedConnection> OpenFeed(const ServerFlags& server, const SpecFlags& spec,
                                        Console* console) {
  MIXFEED_ASSIGN_OR_RETURN(const v1::FeedSpec wanted, spec.Spec());
  FeedConnection opened;
  MIXFEED_ASSIGN_OR_RETURN(opened.client, server.Connect());
  ConnectOptions options = server.Options();
  options.deadline_ms = kIndexQuestionMs;
  MIXFEED_ASSIGN_OR_RETURN(const auto questions, FeedClient::Connect(options));
  const IndexBar bar(questions.get(), console);
  MIXFEED_ASSIGN_OR_RETURN(opened.feed,
                           OpenWhenBuilt(opened.client.get(), questions.get(), wanted, spec.run()));
  return opened;
}

std::string EnumText(const google::protobuf::EnumValueDescriptor& value) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(value.name()), {{"_", "-"}});
}

std::vector<std::string> EnumTexts(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string> texts;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) texts.push_back(EnumText(*type.value(i)));
  }
  return texts;
}

int EnumNumber(const google::protobuf::EnumDescriptor& type, const std::string& text) {
  for (int i = 0; i < type.value_count(); ++i) {
    if (EnumText(*type.value(i)) == text) return type.value(i)->number();
  }
  return 0;
}

}  // namespace mixfeed
