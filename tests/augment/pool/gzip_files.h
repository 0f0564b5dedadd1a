#ifndef MIXFEED_TESTS_AUGMENT_POOL_GZIP_FILES_H_
#define MIXFEED_TESTS_AUGMENT_POOL_GZIP_FILES_H_

#include <zlib.h>

#include <string>

namespace mixfeed::testing {

// Writes a gzip file that holds `content`.
inline void WriteGzip(const std::string& path, const std::string& content) {
  gzFile_s* const file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_POOL_GZIP_FILES_H_
