#include "client/look/recipes.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/describe.h"
#include "augment/recipe/presets.h"
#include "client/look/text_table.h"
#include "client/look/unread.h"
#include "client/spec/local_spec.h"
#include "client/spec/spec_field.h"

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

Json NotesOf(const Preset& preset) {
  Json notes = Json::array();
  for (const char* note : preset.notes) notes.push_back(note);
  return notes;
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

// A recipe of the tables, or one that --set made of it.
struct Shown {
  std::string name;
  LocalSpec spec;
  std::vector<DescribedField> fields;

  const Preset& preset() const { return *spec.preset; }
};

absl::StatusOr<Shown> MakeShown(const std::string& name, const std::vector<std::string>& edits) {
  v1::FeedSpec wanted;
  wanted.mutable_recipe()->set_preset(name);
  for (const std::string& edit : edits) {
    const std::string wrong = SetSpecField(edit, &wanted);
    if (!wrong.empty()) return absl::InvalidArgumentError(wrong);
  }
  MIXFEED_ASSIGN_OR_RETURN(LocalSpec spec, ResolveLocally(wanted));
  MIXFEED_RETURN_IF_ERROR(ValidateRecipe(spec.recipe));
  std::vector<DescribedField> fields = DescribeRecipe(*spec.preset, spec.recipe, spec.split);
  return Shown{edits.empty() ? name : name + " (edited)", std::move(spec), std::move(fields)};
}

void PrintNotes(const std::string& head, const Preset& preset, std::ostream& out) {
  if (!preset.notes.empty()) out << '\n' << head << '\n';
  for (const char* note : preset.notes) out << "- " << note << '\n';
}

void PrintShown(const Shown& shown, std::ostream& out) {
  const Preset& preset = shown.preset();
  out << shown.name << ": " << preset.summary << "\nsource: " << preset.source
      << "\nnormalisation of the source: " << preset.normalisation
      << " (a feed's is the consumer's choice, --normalise)\n\n";
  PrintFields(shown.fields, /*read=*/true, out);
  out << "\nWithout effect, given the others:\n";
  PrintFields(shown.fields, /*read=*/false, out);
  PrintNotes("Notes:", preset, out);
}

// One field's values in two recipes.
struct Difference {
  DescribedField a;
  DescribedField b;

  bool read() const { return a.read || b.read; }
};

// Fields that differ, also those that neither reads.
std::vector<Difference> DifferencesOf(const Shown& a, const Shown& b) {
  std::vector<Difference> differences;
  for (size_t i = 0; i < a.fields.size(); ++i) {
    if (a.fields[i].value != b.fields[i].value || a.fields[i].read != b.fields[i].read) {
      differences.push_back({a.fields[i], b.fields[i]});
    }
  }
  return differences;
}

std::string ValueText(const DescribedField& field) {
  return field.read ? field.value : absl::StrCat("(", field.value, ", not read)");
}

// What the difference makes to the batches, where no field that differs is read.
void PrintEqual(const std::vector<Difference>& differences, const Shown& a, const Shown& b,
                std::ostream& out) {
  for (const Difference& difference : differences) {
    const std::string& path = difference.a.path;
    out << path << " is not read, since " << WhyUnread(path, a.spec.recipe) << '\n';
  }
  out << a.name << " and " << b.name << " make the same batches before normalisation\n";
}

void PrintDifferences(const Shown& a, const Shown& b, std::ostream& out) {
  for (const Shown* shown : {&a, &b}) {
    out << shown->name << ": " << shown->preset().summary << "; " << shown->preset().source << '\n';
  }
  out << '\n';
  const std::vector<Difference> differences = DifferencesOf(a, b);
  TextTable table({"field", a.name, b.name, "meaning"});
  for (const Difference& difference : differences) {
    table.Add({difference.a.path, ValueText(difference.a), ValueText(difference.b),
               difference.a.meaning});
  }
  const std::string normalisations[] = {a.preset().normalisation, b.preset().normalisation};
  const bool normalised_alike = normalisations[0] == normalisations[1];
  if (!normalised_alike) {
    table.Add({"normalisation", normalisations[0], normalisations[1],
               "of the source; a feed's is the consumer's choice"});
  }
  if (!differences.empty() || !normalised_alike) {
    table.Print(out);
    out << '\n';
  }
  if (std::none_of(differences.begin(), differences.end(),
                   [](const Difference& difference) { return difference.read(); })) {
    PrintEqual(differences, a, b, out);
  }
  if (NotesOf(a.preset()) == NotesOf(b.preset())) return;
  for (const Shown* shown : {&a, &b}) {
    PrintNotes(absl::StrCat("Notes of ", shown->name, ":"), shown->preset(), out);
  }
}

Json DifferencesJson(const Shown& a, const Shown& b) {
  Json list = Json::array();
  const auto add = [&list](const std::string& path, Json of_a, Json of_b) {
    list.push_back({{"path", path}, {"a", std::move(of_a)}, {"b", std::move(of_b)}});
  };
  for (const Difference& difference : DifferencesOf(a, b)) {
    add(difference.a.path, JsonOf(difference.a), JsonOf(difference.b));
  }
  const auto add_texts = [&](const char* path, const Json& of_a, const Json& of_b) {
    if (of_a != of_b) add(path, {{"value", of_a}}, {{"value", of_b}});
  };
  add_texts("source", a.preset().source, b.preset().source);
  add_texts("normalisation", a.preset().normalisation, b.preset().normalisation);
  add_texts("notes", NotesOf(a.preset()), NotesOf(b.preset()));
  return list;
}

}  // namespace

Look LookAtRecipes() {
  Look look{.json = Json::array()};
  TextTable table({"recipe", "what it does", "source"});
  for (const Preset& preset : Presets()) {
    table.Add({preset.name, preset.summary, preset.source});
    look.json.push_back(Summary(preset));
  }
  look.text = table.Text();
  return look;
}

absl::StatusOr<Look> LookAtRecipe(const std::string& name, const std::vector<std::string>& edits) {
  MIXFEED_ASSIGN_OR_RETURN(const Shown shown, MakeShown(name, edits));
  std::ostringstream text;
  PrintShown(shown, text);
  Look look{.text = text.str(), .json = Summary(shown.preset())};
  look.json["fields"] = Json::array();
  for (const DescribedField& field : shown.fields) look.json["fields"].push_back(JsonOf(field));
  look.json["notes"] = NotesOf(shown.preset());
  return look;
}

absl::StatusOr<Look> CompareRecipes(const std::string& a, const std::string& b,
                                    const std::vector<std::string>& edits) {
  MIXFEED_ASSIGN_OR_RETURN(const Shown last, MakeShown(b, edits));
  MIXFEED_ASSIGN_OR_RETURN(const Shown first, MakeShown(a, {}));
  std::ostringstream text;
  PrintDifferences(first, last, text);
  return Look{.text = text.str(), .json = DifferencesJson(first, last)};
}

}  // namespace mixfeed
