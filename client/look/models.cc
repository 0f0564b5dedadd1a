#include "client/look/models.h"

#include <sstream>

#include "absl/strings/str_cat.h"
#include "client/look/text_table.h"

namespace mixfeed {

std::string ImageText(const v1::ImageShape& image) {
  return absl::StrCat(image.channels(), "x", image.height(), "x", image.width());
}

void PrintModels(const google::protobuf::RepeatedPtrField<v1::Model>& models, std::ostream& out) {
  TextTable table(
      {"model", "version", "kind", "classes", "image", "update", "statistics", "digest"});
  for (const v1::Model& model : models) {
    table.Add({model.name(), absl::StrCat(model.version()), model.kind(),
               absl::StrCat(model.classes()), ImageText(model.image()),
               absl::StrCat(model.update()), model.batch_statistics() ? "batch" : "running",
               model.digest()});
  }
  table.Print(out);
}

Look LookAtModels(const v1::ListModelsResponse& models) {
  std::ostringstream text;
  PrintModels(models.models(), text);
  return {.text = text.str(), .json = ToJson(models)};
}

}  // namespace mixfeed
