#ifndef MIXFEED_SERVER_KSERVE_ADDRESS_H_
#define MIXFEED_SERVER_KSERVE_ADDRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace mixfeed {

// What a flag writes before the address of a model that another server runs.
inline constexpr char kKserveScheme[] = "kserve://";

// Where a model is that another server runs, and how it is asked.
struct KserveAddress {
  enum class Output : uint8_t {
    kLogits,         // softmax makes probabilities of them
    kProbabilities,  // must sum to 1 within 1e-3
  };

  std::string server;   // HOST:PORT; an IPv6 host in brackets
  std::string model;    // its name there
  std::string version;  // a number; empty: the server's choice
  Output output = Output::kLogits;
  int64_t deadline_ms = 5000;  // of one request

  // "kserve://HOST:PORT/MODEL[/VERSION]", for messages.
  std::string Url() const;
};

// Reads HOST:PORT/MODEL[/VERSION][?output=logits|probabilities][&deadline_ms=N]. InvalidArgument
// names the field `address`, what is wrong with it and the form.
absl::StatusOr<KserveAddress> ParseKserveAddress(const std::string& text);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_KSERVE_ADDRESS_H_
