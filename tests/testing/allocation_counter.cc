#include "tests/testing/allocation_counter.h"

#include <atomic>
#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MIXFEED_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MIXFEED_SANITIZED 1
#endif

namespace mixfeed::testing {
namespace {

std::atomic<int64_t> allocated = 0;
std::atomic<int64_t> largest = 0;

void Count(size_t bytes) {
  const auto size = static_cast<int64_t>(bytes);
  allocated.fetch_add(size, std::memory_order_relaxed);
  int64_t seen = largest.load(std::memory_order_relaxed);
  while (size > seen && !largest.compare_exchange_weak(seen, size)) {
  }
}

}  // namespace

int64_t AllocatedBytes() { return allocated.load(); }

int64_t TakeLargestAllocation() { return largest.exchange(0); }

}  // namespace mixfeed::testing

#ifdef MIXFEED_SANITIZED

// Declared in <sanitizer/allocator_interface.h>, which gcc does not always bring.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*,
                                                                             size_t),
                                                         void (*free_hook)(const volatile void*));

namespace {
const int kInstalled = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, size_t bytes) { mixfeed::testing::Count(bytes); },
    [](const volatile void*) {});
}  // namespace

#else

extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) {
  mixfeed::testing::Count(bytes);
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  mixfeed::testing::Count(count * bytes);
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, size_t bytes) {
  mixfeed::testing::Count(bytes);
  return __libc_realloc(memory, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  mixfeed::testing::Count(bytes);
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  constexpr int kNoMemory = 12;  // ENOMEM
  *memory = memalign(alignment, bytes);
  return *memory == nullptr ? kNoMemory : 0;
}
}  // extern "C"

#endif
