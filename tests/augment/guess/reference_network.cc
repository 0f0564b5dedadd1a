#include "tests/augment/guess/reference_network.h"

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace mixfeed::testing {
namespace {

// Images [rows][channels][height][width].
struct Maps {
  int rows, channels, height, width;
  std::vector<double> values;

  Maps(int n, int c, int h, int w)
      : rows(n),
        channels(c),
        height(h),
        width(w),
        values(size_t(n) * size_t(c) * size_t(h) * size_t(w)) {}
  double& at(int n, int c, int y, int x) {
    const int64_t plane = int64_t{n} * channels + c;
    return values[static_cast<size_t>((plane * height + y) * width + x)];
  }
  double at(int n, int c, int y, int x) const { return const_cast<Maps*>(this)->at(n, c, y, x); }
};

class Reference {
 public:
  Reference(const NamedWeights& weights, bool batch_statistics)
      : weights_(weights), batch_statistics_(batch_statistics) {}

  // A convolution with zero padding that keeps the size, taken at every `stride`-th pixel.
  Maps Convolve(const std::string& name, const Maps& in, int kernel, int stride) const {
    const std::vector<float>& weight = weights_.at(name + ".weight");
    const std::vector<float>& bias = weights_.at(name + ".bias");
    Maps out(in.rows, static_cast<int>(bias.size()), (in.height + stride - 1) / stride,
             (in.width + stride - 1) / stride);
    for (int n = 0; n < out.rows; ++n) {
      for (int o = 0; o < out.channels; ++o) {
        const float* const filter = weight.data() + ptrdiff_t{o} * in.channels * kernel * kernel;
        for (int y = 0; y < out.height; ++y) {
          for (int x = 0; x < out.width; ++x) {
            out.at(n, o, y, x) = double{bias[static_cast<size_t>(o)]} +
                                 Window(in, n, y * stride, x * stride, kernel, filter);
          }
        }
      }
    }
    return out;
  }

  Maps NormAndLeakyRelu(const std::string& name, const Maps& in) const {
    Maps out = in;
    for (int c = 0; c < in.channels; ++c) {
      const auto channel = static_cast<size_t>(c);
      double mean = weights_.at(name + ".running_mean")[channel];
      double variance = weights_.at(name + ".running_var")[channel];
      if (batch_statistics_) BatchStatistics(in, c, &mean, &variance);
      const double scale = weights_.at(name + ".weight")[channel] / std::sqrt(variance + 1e-3);
      const double shift = weights_.at(name + ".bias")[channel];
      ForEachOfChannel(&out, c, [&](double& value) {
        value = (value - mean) * scale + shift;
        if (value < 0) value *= 0.1;
      });
    }
    return out;
  }

  Maps Block(const std::string& name, const Maps& in, int stride, bool first) const {
    const Maps active = NormAndLeakyRelu(name + ".norm1", in);
    const Maps middle = Convolve(name + ".conv1", active, 3, stride);
    Maps out = Convolve(name + ".conv2", NormAndLeakyRelu(name + ".norm2", middle), 3, 1);
    Maps shortcut = first ? active : in;
    if (shortcut.channels != out.channels) {
      shortcut = Convolve(name + ".shortcut", shortcut, 1, stride);
    }
    for (size_t i = 0; i < out.values.size(); ++i) out.values[i] += shortcut.values[i];
    return out;
  }

  // Dense layer on the average over the image, then softmax.
  std::vector<double> Head(const Maps& in) const {
    const std::vector<float>& bias = weights_.at("head.bias");
    std::vector<double> out;
    for (int n = 0; n < in.rows; ++n) {
      std::vector<double> exps;
      double sum = 0;
      for (size_t k = 0; k < bias.size(); ++k) {
        exps.push_back(std::exp(double{bias[k]} + Logit(in, n, k)));
        sum += exps.back();
      }
      for (const double value : exps) out.push_back(value / sum);
    }
    return out;
  }

 private:
  static double Window(const Maps& in, int n, int y, int x, int kernel, const float* filter) {
    double sum = 0;
    for (int c = 0; c < in.channels; ++c) {
      for (int dy = -kernel / 2; dy <= kernel / 2; ++dy) {
        for (int dx = -kernel / 2; dx <= kernel / 2; ++dx, ++filter) {
          const bool inside = y + dy >= 0 && y + dy < in.height && x + dx >= 0 && x + dx < in.width;
          if (inside) sum += in.at(n, c, y + dy, x + dx) * double{*filter};
        }
      }
    }
    return sum;
  }

  template <typename Function>
  static void ForEachOfChannel(Maps* maps, int c, const Function& function) {
    for (int n = 0; n < maps->rows; ++n) {
      for (int y = 0; y < maps->height; ++y) {
        for (int x = 0; x < maps->width; ++x) function(maps->at(n, c, y, x));
      }
    }
  }

  static void BatchStatistics(Maps in, int c, double* mean, double* variance) {
    const double count = double(in.rows) * in.height * in.width;
    *mean = *variance = 0;
    ForEachOfChannel(&in, c, [&](double value) { *mean += value / count; });
    ForEachOfChannel(&in, c,
                     [&](double value) { *variance += std::pow(value - *mean, 2) / count; });
  }

  double Logit(const Maps& in, int n, size_t k) const {
    const std::vector<float>& weight = weights_.at("head.weight");
    double sum = 0;
    for (int c = 0; c < in.channels; ++c) {
      double mean = 0;
      for (int y = 0; y < in.height; ++y) {
        for (int x = 0; x < in.width; ++x) mean += in.at(n, c, y, x) / (in.height * in.width);
      }
      sum += mean * double{weight[k * static_cast<size_t>(in.channels) + static_cast<size_t>(c)]};
    }
    return sum;
  }

  const NamedWeights& weights_;
  const bool batch_statistics_;
};

}  // namespace

std::vector<double> ReferenceResidualNetwork(const NamedWeights& weights, const ImageShape& shape,
                                             const std::vector<float>& views, int rows,
                                             bool batch_statistics) {
  const Reference reference(weights, batch_statistics);
  Maps maps(rows, shape.channels, shape.height, shape.width);
  maps.values.assign(views.begin(), views.end());
  maps = reference.Convolve("stem", maps, 3, 1);
  int blocks = 0;
  while (weights.contains("blocks." + std::to_string(blocks) + ".conv1.weight")) ++blocks;
  for (int b = 0; b < blocks; ++b) {
    const bool starts_scale = b > 0 && b % (blocks / 3) == 0;
    maps = reference.Block("blocks." + std::to_string(b), maps, starts_scale ? 2 : 1, b == 0);
  }
  return reference.Head(reference.NormAndLeakyRelu("norm", maps));
}

}  // namespace mixfeed::testing
