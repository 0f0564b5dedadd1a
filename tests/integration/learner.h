#ifndef MIXFEED_TESTS_INTEGRATION_LEARNER_H_
#define MIXFEED_TESTS_INTEGRATION_LEARNER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mixfeed::testing {

enum class Precision { kFloat32, kFloat64 };

// A step's mixed rows as they go through the network: in MixMatch's K + 1 groups of equal size.
struct LearnerBatch {
  std::vector<float> pixels;     // [rows][3][32][32]
  std::vector<float> targets;    // [rows][classes]
  std::vector<uint32_t> row;     // of each: its place before the interleave
  size_t labelled = 0;           // the places below are labelled rows; the size of a group, too
  double unlabelled_weight = 0;  // lambda_u
};

// A small convolutional network with batch norm and what MixMatch's official code trains it with
// (google-research/mixmatch, mixmatch.py): cross-entropy on the labelled rows, lambda_u times the
// mean squared error of the probabilities on the others; the groups go through the network one
// after the other with the statistics of each, and only the first moves the running statistics;
// Adam with a rate of 0.002; a decay of kernels of 0.02 times the rate. Images and targets of
// either precision are float32. Copies are deep.
class Learner {
 public:
  // Initialised from `seed`.
  Learner(Precision precision, int classes, unsigned seed);
  Learner(const Learner& other);
  Learner& operator=(const Learner&) = delete;
  ~Learner();

  // The network for a server, with the present weights: a TorchScript archive.
  std::string Archive() const;
  // The present weights and running statistics in the safetensors form, of the precision's type.
  std::string Weights() const;
  // The same values, one tensor after the other.
  std::vector<double> Values() const;

  // Softmax of the logits for `views` ([rows][3][32][32]) with batch statistics; the running ones
  // stay as they are. [rows][classes], not rounded to any other type.
  std::vector<double> Probabilities(std::span<const float> views, size_t rows) const;

  // The loss's gradient, one parameter after the other. Changes nothing.
  std::vector<double> Gradient(const LearnerBatch& batch) const;

  // One update.
  void Step(const LearnerBatch& batch);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_INTEGRATION_LEARNER_H_
