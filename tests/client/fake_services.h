#ifndef MIXFEED_TESTS_CLIENT_FAKE_SERVICES_H_
#define MIXFEED_TESTS_CLIENT_FAKE_SERVICES_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <memory>
#include <vector>

#include "tests/client/fake_state.h"

namespace mixfeed::testing {

// The services of mixfeed.v1 over one state.
std::vector<std::unique_ptr<grpc::Service>> MakeFakeServices(
    const std::shared_ptr<FakeServer::State>& state);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_CLIENT_FAKE_SERVICES_H_
