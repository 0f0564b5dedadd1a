#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/describe.h"
#include "augment/recipe/presets.h"
#include "client/cli/command.h"
#include "client/cli/json.h"

namespace mixfeed {
namespace {

Json Summary(const Preset& preset) {
  Json object;
  object["name"] = preset.name;
  object["summary"] = preset.summary;
  object["source"] = preset.source;
  object["normalisation"] = preset.normalisation;
  return object;
}

Json JsonOf(const DescribedField& field) {
  Json object;
  object["path"] = field.path;
  object["value"] = field.value;
  object["meaning"] = field.meaning;
  object["allowed"] = field.allowed;
  object["source"] = field.source;
  object["read"] = field.read;
  return object;
}

// "recipe.views = 2    # K, views of every unlabelled image; allowed: 1..8. Source: ..."
std::string LineOf(const DescribedField& field, size_t width) {
  std::string line = absl::StrCat(field.path, " = ", field.value);
  line.resize(std::max(width, line.size()), ' ');
  absl::StrAppend(&line, "  # ", field.meaning);
  if (!field.allowed.empty()) absl::StrAppend(&line, "; allowed: ", field.allowed);
  if (!field.source.empty()) absl::StrAppend(&line, ". Source: ", field.source);
  return line;
}

void PrintFields(const std::vector<DescribedField>& fields, bool read, std::ostream& out) {
  constexpr size_t kWidth = 44;
  for (const DescribedField& field : fields) {
    if (field.read == read) out << LineOf(field, kWidth) << '\n';
  }
}

void PrintShown(const Preset& preset, std::ostream& out) {
  const std::vector<DescribedField> fields = DescribePreset(preset);
  out << preset.name << ": " << preset.summary << "\nsource: " << preset.source
      << "\nnormalisation of the source: " << preset.normalisation << "\n\n";
  PrintFields(fields, /*read=*/true, out);
  out << "\nWithout effect, given the others:\n";
  PrintFields(fields, /*read=*/false, out);
  if (!preset.notes.empty()) out << "\nNotes:\n";
  for (const char* note : preset.notes) out << "- " << note << '\n';
}

// One field's values in two recipes.
struct Difference {
  DescribedField a;
  DescribedField b;
};

// Fields that differ, where at least one of the two reads them.
std::vector<Difference> DifferencesOf(const Preset& a, const Preset& b) {
  const std::vector<DescribedField> of_a = DescribePreset(a);
  const std::vector<DescribedField> of_b = DescribePreset(b);
  std::vector<Difference> differences;
  for (size_t i = 0; i < of_a.size(); ++i) {
    if (!of_a[i].read && !of_b[i].read) continue;
    if (of_a[i].value != of_b[i].value || of_a[i].read != of_b[i].read) {
      differences.push_back({of_a[i], of_b[i]});
    }
  }
  return differences;
}

std::string ValueText(const DescribedField& field) {
  return field.read ? field.value : absl::StrCat("(", field.value, ", not read)");
}

class Recipes final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    app->require_subcommand(0, 1);
    app->add_flag("--json", json_, "print JSON for scripts");
    show_ = app->add_subcommand("show", "The whole spec of one recipe, each field with its source");
    show_->add_option("NAME", names_, "a name of `mixfeed recipes`")->required()->expected(1);
    diff_ = app->add_subcommand("diff", "What differs between two recipes");
    diff_->add_option("NAMES", names_, "two names of `mixfeed recipes`")->required()->expected(2);
    for (CLI::App* sub : {show_, diff_}) {
      sub->add_flag("--json", json_, "print JSON for scripts");
    }
  }

  absl::Status Run(Console* console) override {
    std::vector<const Preset*> presets;
    for (const std::string& name : names_) {
      MIXFEED_ASSIGN_OR_RETURN(const Preset* const preset, FindPresetEntry(name));
      presets.push_back(preset);
    }
    if (show_->parsed()) {
      Show(*presets[0], console->out);
    } else if (diff_->parsed()) {
      Diff(*presets[0], *presets[1], console->out);
    } else {
      List(console->out);
    }
    return absl::OkStatus();
  }

 private:
  void List(std::ostream& out) const {
    if (json_) {
      Json list = Json::array();
      for (const Preset& preset : Presets()) list.push_back(Summary(preset));
      out << Dump(list) << '\n';
      return;
    }
    TextTable table({"recipe", "what it does", "source"});
    for (const Preset& preset : Presets()) table.Add({preset.name, preset.summary, preset.source});
    table.Print(out);
  }

  void Show(const Preset& preset, std::ostream& out) const {
    if (!json_) return PrintShown(preset, out);
    Json object = Summary(preset);
    object["fields"] = Json::array();
    for (const DescribedField& field : DescribePreset(preset)) {
      object["fields"].push_back(JsonOf(field));
    }
    object["notes"] = Json::array();
    for (const char* note : preset.notes) object["notes"].push_back(note);
    out << Dump(object) << '\n';
  }

  void Diff(const Preset& a, const Preset& b, std::ostream& out) const {
    const std::vector<Difference> differences = DifferencesOf(a, b);
    if (json_) {
      Json list = Json::array();
      for (const Difference& difference : differences) {
        Json object;
        object["path"] = difference.a.path;
        object["a"] = JsonOf(difference.a);
        object["b"] = JsonOf(difference.b);
        list.push_back(object);
      }
      out << Dump(list) << '\n';
      return;
    }
    if (differences.empty()) {
      out << a.name << " and " << b.name << " make the same batches\n";
      return;
    }
    TextTable table({"field", a.name, b.name, "meaning"});
    for (const Difference& difference : differences) {
      table.Add({difference.a.path, ValueText(difference.a), ValueText(difference.b),
                 difference.a.meaning});
    }
    table.Print(out);
  }

  bool json_ = false;
  std::vector<std::string> names_;
  CLI::App* show_ = nullptr;
  CLI::App* diff_ = nullptr;
};

}  // namespace

std::unique_ptr<Command> MakeRecipes() { return std::make_unique<Recipes>(); }

}  // namespace mixfeed
