#ifndef MIXFEED_TESTS_TESTING_SANITIZERS_H_
#define MIXFEED_TESTS_TESTING_SANITIZERS_H_

namespace mixfeed::testing {

// Whether this build has a sanitizer's allocator. It needs the address space, ends the program
// where others throw std::bad_alloc, and keeps freed memory for a while.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

// Of a loop of `all` rounds, those that are worth their time in this build: a fifth under
// sanitizers, where each takes many times as long.
constexpr int Rounds(int all) { return kSanitized ? (all + 4) / 5 : all; }

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_SANITIZERS_H_
