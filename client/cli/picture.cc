#include "client/cli/picture.h"

#include <CLI/CLI.hpp>

#include "augment/base/status_macros.h"
#include "client/cli/files.h"
#include "client/cli/flags.h"

namespace mixfeed {

void PictureFlags::AddTo(CLI::App* app) {
  app->add_option("--out", out, "where the PNG goes; without it only numbers are printed")
      ->check(CheckPngName)
      ->type_name("FILE");
  app->add_flag("--json", json, "print JSON for scripts");
}

absl::Status PictureFlags::Show(const Look& look, Console* console) const {
  console->Note(look.notes);
  Picture picture;
  if (!out.empty()) {
    MIXFEED_ASSIGN_OR_RETURN(picture, DrawFigure(*look.figure));
    MIXFEED_RETURN_IF_ERROR(WriteFile("--out", out, picture.png));
  }
  if (json) {
    Json object = look.json;
    object["file"] = out.empty() ? Json(nullptr) : Json(out);
    object["width"] = picture.width;
    object["height"] = picture.height;
    console->out << Dump(object) << '\n';
    return absl::OkStatus();
  }
  console->out << look.text;
  if (!out.empty()) {
    console->out << out << ": " << picture.width << " x " << picture.height << " pixels\n";
  }
  return absl::OkStatus();
}

}  // namespace mixfeed
