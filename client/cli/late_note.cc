#include "client/cli/late_note.h"

#include <utility>

namespace mixfeed {
namespace {

constexpr std::chrono::seconds kLimit(3);

}  // namespace

LateNote::LateNote(Console* console, std::string note)
    : console_(console), note_(std::move(note)), thread_([this] { Watch(); }) {}

LateNote::~LateNote() {
  done_.Cancel();
  thread_.join();
}

void LateNote::Watch() {
  for (auto due = last_.load() + kLimit; Clock::now() < due; due = last_.load() + kLimit) {
    if (done_.WaitUntil(due)) return;
  }
  console_->Note({note_});
  console_->err.flush();
}

}  // namespace mixfeed
