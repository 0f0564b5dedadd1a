#ifndef MIXFEED_TESTS_TESTING_HTTP_GET_H_
#define MIXFEED_TESTS_TESTING_HTTP_GET_H_

#include <string>

namespace mixfeed::testing {

// What a server on this machine answers to `GET path`, from the status line on. Aborts the test
// program when nobody listens on the port.
std::string HttpGet(int port, const std::string& path);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_HTTP_GET_H_
