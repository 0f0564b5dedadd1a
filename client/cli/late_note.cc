#include "client/cli/late_note.h"

#include <utility>

namespace mixfeed {

LateNote::LateNote(Console* console, std::string note)
    : console_(console), note_(std::move(note)), thread_([this] { Watch(); }) {}

LateNote::~LateNote() {
  done_.Cancel();
  thread_.join();
}

void LateNote::Watch() {
  const auto patience = console_->patience;
  for (auto due = last_.load() + patience; Clock::now() < due; due = last_.load() + patience) {
    if (done_.WaitUntil(due)) return;
  }
  console_->Note({note_});
  console_->err.flush();
}

}  // namespace mixfeed
