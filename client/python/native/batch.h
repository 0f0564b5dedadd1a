#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_BATCH_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_BATCH_H_

#include <pybind11/pybind11.h>

#include "client/feed_client.h"

namespace mixfeed::python {

// Adds the class Batch.
void BindBatch(pybind11::module_* module);

// A Batch of a batch that was received.
pybind11::object MakeBatch(ReceivedBatch batch);

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_BATCH_H_
