#include "client/python/native/client.h"

#include <pybind11/stl.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/feed_client.h"
#include "client/python/native/batch.h"
#include "client/python/native/handles.h"
#include "client/python/native/process.h"
#include "client/python/native/raise.h"
#include "client/python/native/read_ahead.h"
#include "client/python/native/spec.h"
#include "client/python/native/views.h"
#include "client/python/native/waiting.h"

namespace mixfeed::python {
namespace {

namespace py = pybind11;

struct StreamHolder {
  std::shared_ptr<ReadAhead> batches;
};

// The answer of `call`, a status and a value, as JSON.
template <typename Call>
std::string AnswerAsJson(Call call) {
  return JsonOf(ValueOrRaise(CallInterruptibly(std::move(call))));
}

ClientHandle Connect(const std::string& server, const std::string& tls_ca,
                     const std::string& tls_cert, const std::string& tls_key, bool tls,
                     int64_t deadline_ms, int64_t wait_ms) {
  const ConnectOptions options = {.server = server,
                                  .tls = {tls_ca, tls_cert, tls_key, tls},
                                  .deadline_ms = deadline_ms,
                                  .connect_deadline_ms = wait_ms};
  return {OwnedByProcess(
      ValueOrRaise(CallInterruptibly([options] { return FeedClient::Connect(options); })))};
}

FeedHolder OpenFeed(const ClientHandle& self, const std::string& spec_bytes,
                    const std::string& run) {
  return {OwnedByProcess(
      ValueOrRaise(CallInterruptibly([client = self.client, spec = ParseSpec(spec_bytes), run] {
        return client->OpenFeed(spec, run);
      })))};
}

// The new run's spec, for open_feed.
py::bytes ForkRun(const ClientHandle& self, const std::string& feed_id, uint64_t step,
                  const std::string& run, const std::string& model) {
  const auto forked =
      ValueOrRaise(CallInterruptibly([client = self.client, feed_id, step, run, model] {
        return client->ForkRun(feed_id, step, run, model);
      }));
  return py::bytes(forked.spec().SerializeAsString());
}

std::string PushWeights(const ClientHandle& self, const std::string& model, uint64_t update,
                        uint64_t replaces, const py::bytes& safetensors, bool partial,
                        uint32_t push_every, bool rewind) {
  v1::PushWeightsHeader header;
  header.set_model(model);
  header.set_update(update);
  header.set_replaces(replaces);
  header.set_partial(partial);
  header.set_push_every(push_every);
  header.set_rewind(rewind);
  return AnswerAsJson([client = self.client, header, weights = std::string(safetensors)] {
    return client->PushWeights(header, weights);
  });
}

// What is empty or 0 is the server's choice.
std::string RegisterModel(const ClientHandle& self, const std::string& name,
                          const std::string& kind, const py::bytes& archive,
                          const std::string& address, uint32_t classes,
                          const std::vector<uint32_t>& image, const std::string& normalise,
                          std::optional<bool> batch_statistics, uint64_t update, uint64_t init_seed,
                          double ema_decay) {
  v1::RegisterModelHeader header;
  header.set_name(name);
  header.set_kind(kind);
  header.set_address(address);
  header.set_classes(classes);
  if (image.size() == 3) {
    header.mutable_image()->set_channels(image[0]);
    header.mutable_image()->set_height(image[1]);
    header.mutable_image()->set_width(image[2]);
  }
  if (!normalise.empty()) header.mutable_normalisation()->set_name(normalise);
  if (batch_statistics.has_value()) header.set_batch_statistics(*batch_statistics);
  header.set_update(update);
  header.set_init_seed(init_seed);
  header.set_ema_decay(ema_decay);
  return AnswerAsJson([client = self.client, header, bytes = std::string(archive)] {
    return client->RegisterModel(header, bytes);
  });
}

py::object GetBatch(const FeedHolder& self, const Consumer& consumer, uint64_t step) {
  return MakeBatch(ValueOrRaise(CallInterruptibly(
      [feed = self.feed, options = consumer.From(step), share = consumer.share()] {
        return feed->GetBatch(options.from_step, options.format, share);
      })));
}

py::object GetViews(const FeedHolder& self, const Consumer& consumer, uint64_t step) {
  return MakeViews(
      ValueOrRaise(CallInterruptibly([feed = self.feed, step] { return feed->GetViews(step); })),
      consumer);
}

StreamHolder Stream(const FeedHolder& self, const Consumer& consumer, uint64_t from_step) {
  CheckProcess();
  auto stream = ValueOrRaise(self.feed->Stream(consumer.From(from_step)));
  return {OwnedByProcess(std::make_unique<ReadAhead>(std::move(stream)))};
}

// Whether NextBatch has something to give, now or within `timeout_ms`.
bool ReadyWithin(const StreamHolder& self, int64_t timeout_ms) {
  CheckProcess();
  const std::shared_ptr<ReadAhead> batches = self.batches;
  if (batches == nullptr || batches->ReadyWithin(std::chrono::milliseconds(0))) return true;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  bool ready = false;
  WaitInSlices([&](std::chrono::milliseconds slice) {
    ready = batches->ReadyWithin(slice);
    return ready || std::chrono::steady_clock::now() >= end;
  });
  return ready;
}

// None after the last step of an ordered feed.
py::object NextBatch(StreamHolder* self) {
  CheckProcess();
  const std::shared_ptr<ReadAhead> batches = self->batches;
  if (batches == nullptr) return py::none();
  // Taken after the last look at signals, so that one that came while it waited costs no batch.
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  std::optional<absl::StatusOr<ReceivedBatch>> next = batches->Take();
  while (!next.has_value()) {  // another thread may have taken what was ready
    WaitInSlices([&](std::chrono::milliseconds slice) { return batches->ReadyWithin(slice); });
    next = batches->Take();
  }
  if (absl::IsOutOfRange(next->status())) return py::none();
  return MakeBatch(ValueOrRaise(*std::move(next)));
}

// Another thread's NextBatch, which holds the batches too, ends with Cancelled.
void StopStream(StreamHolder* self) {
  std::shared_ptr<ReadAhead> batches = std::move(self->batches);
  if (batches == nullptr || IsForked()) return;
  const py::gil_scoped_release unlocked;  // it may wait for a thread
  batches->Stop();
  batches.reset();
}

void BindFeed(py::module_* module) {
  py::class_<StreamHolder>(*module, "Stream")
      .def("ready_within", ReadyWithin, py::arg("timeout_ms"))
      .def("next", NextBatch)
      .def("stop", StopStream)
      .def_property_readonly("reconnects", [](const StreamHolder& self) {
        return self.batches == nullptr ? 0 : self.batches->reconnects();
      });
  py::class_<FeedHolder>(*module, "Feed")
      .def("info_json", [](const FeedHolder& self) { return JsonOf(self.feed->info()); })
      .def("get_batch", GetBatch, py::arg("consumer"), py::arg("step"))
      .def("get_views", GetViews, py::arg("consumer"), py::arg("step"))
      .def("stream", Stream, py::arg("consumer"), py::arg("from_step"));
}

}  // namespace

void BindClient(py::module_* module) {
  BindFeed(module);
  py::class_<ClientHandle>(*module, "Client")
      .def(py::init(&Connect), py::kw_only(), py::arg("server"), py::arg("tls_ca"),
           py::arg("tls_cert"), py::arg("tls_key"), py::arg("tls"), py::arg("deadline_ms"),
           py::arg("wait_ms"))
      .def("open_feed", OpenFeed, py::arg("spec"), py::arg("run"))
      .def("fork_run", ForkRun, py::arg("feed_id"), py::arg("step"), py::arg("run"),
           py::arg("model"))
      .def("server_info_json",
           [](const ClientHandle& self) {
             return AnswerAsJson([client = self.client] { return client->GetServerInfo(); });
           })
      .def("models_json",
           [](const ClientHandle& self) {
             return AnswerAsJson([client = self.client] { return client->ListModels(); });
           })
      .def("register_model_json", RegisterModel, py::kw_only(), py::arg("name"), py::arg("kind"),
           py::arg("archive"), py::arg("address"), py::arg("classes"), py::arg("image"),
           py::arg("normalise"), py::arg("batch_statistics"), py::arg("update"),
           py::arg("init_seed"), py::arg("ema_decay"))
      .def("push_weights_json", PushWeights, py::kw_only(), py::arg("model"), py::arg("update"),
           py::arg("replaces"), py::arg("safetensors"), py::arg("partial"), py::arg("push_every"),
           py::arg("rewind"));
}

}  // namespace mixfeed::python
