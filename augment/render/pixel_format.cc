#include "augment/render/pixel_format.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace mixfeed {
namespace {

constexpr double kSmallestStd = 1e-6;
constexpr double kLargestMagnitude = 1e6;

constexpr int kAnyChannels = 0;

struct NamedNormalisation {
  const char* name;
  int channels;  // of the images it is for
  Normalisation values;
};

// The same mean and std for every channel.
constexpr Normalisation Uniform(double mean, double std) {
  return {{mean, mean, mean, mean}, {std, std, std, std}};
}

constexpr Normalisation Colour(double m0, double m1, double m2, double s0, double s1, double s2) {
  return {{m0, m1, m2, 0}, {s0, s1, s2, 1}};
}

// Means and stds over levels of 0..255, as some publish them.
constexpr Normalisation ColourLevels(double m0, double m1, double m2, double s0, double s1,
                                     double s2) {
  return Colour(m0 / 255, m1 / 255, m2 / 255, s0 / 255, s1 / 255, s2 / 255);
}

// Each with who publishes it. Those of one dataset differ in rounding, and in whether the std is
// over all pixels or a mean over images; a published result is compared under its own.
constexpr NamedNormalisation kNormalisations[] = {
    {"raw", kAnyChannels, Normalisation{}},
    {"unit", kAnyChannels, Uniform(0, 1)},
    // google-research/mixmatch, libml/data.py; manifold mixup for SVHN and Tiny ImageNet.
    {"signed", kAnyChannels, Uniform(0.5, 0.5)},
    // YU1ut/MixMatch-pytorch, dataset/cifar10.py; kekmodel/FixMatch-pytorch, dataset/cifar.py.
    {"cifar10", 3, Colour(0.4914, 0.4822, 0.4465, 0.2471, 0.2435, 0.2616)},
    // facebookresearch/mixup-cifar10, train.py; kuangliu/pytorch-cifar, main.py.
    {"cifar10-mixup", 3, Colour(0.4914, 0.4822, 0.4465, 0.2023, 0.1994, 0.2010)},
    // The set of the Wide ResNet ports: vikasverma1077/manifold_mixup, supervised/load_data.py;
    // clovaai/CutMix-PyTorch, train.py; TorchSSL, datasets/ssl_dataset.py.
    {"cifar10-wrn", 3, ColourLevels(125.3, 123.0, 113.9, 63.0, 62.1, 66.7)},
    // KellerJordan/cifar10-airbench, airbench94.py, for CIFAR-10.
    {"airbench", 3, Colour(0.4914, 0.4822, 0.4465, 0.2470, 0.2435, 0.2616)},
    // fastai, vision/data.py, cifar_stats.
    {"cifar10-fastai", 3, Colour(0.491, 0.482, 0.447, 0.247, 0.243, 0.261)},
    // TorchSSL and USB; manifold mixup.
    {"cifar100", 3, ColourLevels(129.3, 124.1, 112.4, 68.2, 65.4, 70.4)},
    // kekmodel/FixMatch-pytorch, dataset/cifar.py.
    {"cifar100-fixmatch", 3, Colour(0.5071, 0.4867, 0.4408, 0.2675, 0.2565, 0.2761)},
    // TorchSSL and USB, as the next.
    {"svhn", 3, Colour(0.4380, 0.4440, 0.4730, 0.1751, 0.1771, 0.1744)},
    {"stl10", 3, ColourLevels(112.4, 109.1, 98.6, 68.4, 66.6, 68.5)},
    // pytorch/examples, mnist/main.py; manifold mixup.
    {"mnist", 1, Uniform(0.1307, 0.3081)},
    // Mean and std of the training images, which many use; its authors publish none.
    {"fashion-mnist", 1, Uniform(0.2860, 0.3530)},
    // torchvision's models; USB for CIFAR-10 too.
    {"imagenet", 3, Colour(0.485, 0.456, 0.406, 0.229, 0.224, 0.225)},
};

absl::Status NoSuchNormalisation(const std::string& name) {
  return absl::NotFoundError(absl::StrCat("normalisation \"", name, "\" is not known; there are ",
                                          absl::StrJoin(NormalisationNames(), ", ")));
}

absl::Status ValidateChannel(const Normalisation& normalisation, size_t channel) {
  const double mean = normalisation.mean[channel];
  const double std = normalisation.std[channel];
  if (!(std::abs(mean) <= kLargestMagnitude)) {
    return absl::InvalidArgumentError(absl::StrCat("normalisation mean[", channel, "] is ", mean,
                                                   "; allowed are numbers from ",
                                                   -kLargestMagnitude, " to ", kLargestMagnitude));
  }
  if (!(std >= kSmallestStd && std <= kLargestMagnitude)) {
    return absl::InvalidArgumentError(absl::StrCat("normalisation std[", channel, "] is ", std,
                                                   "; allowed are numbers from ", kSmallestStd,
                                                   " to ", kLargestMagnitude));
  }
  return absl::OkStatus();
}

bool IsRaw(const Normalisation& normalisation, int channels) {
  const Normalisation raw;
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    if (normalisation.mean[c] != raw.mean[c] || normalisation.std[c] != raw.std[c]) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<Normalisation> FindNormalisation(const std::string& name, int channels) {
  for (const NamedNormalisation& known : kNormalisations) {
    if (name != known.name) continue;
    if (known.channels == kAnyChannels || known.channels == channels) return known.values;
    return absl::InvalidArgumentError(absl::StrCat("normalisation \"", name, "\" is for ",
                                                   known.channels, "-channel images; these have ",
                                                   channels));
  }
  return NoSuchNormalisation(name);
}

std::vector<std::string> NormalisationNames() {
  std::vector<std::string> names;
  for (const NamedNormalisation& known : kNormalisations) names.emplace_back(known.name);
  return names;
}

absl::Status ValidatePixelFormat(const PixelFormat& format, int channels) {
  if (channels < 1 || channels > kMaxChannels) {
    return absl::InvalidArgumentError(
        absl::StrCat("channels is ", channels, "; allowed is 1 to ", kMaxChannels));
  }
  if (format.type > PixelType::kFloat32) {
    return absl::InvalidArgumentError(
        absl::StrCat("pixel type is ", static_cast<int>(format.type), "; allowed is 0 to 3"));
  }
  if (format.layout > PixelLayout::kNhwc) {
    return absl::InvalidArgumentError(
        absl::StrCat("pixel layout is ", static_cast<int>(format.layout), "; allowed is 0 or 1"));
  }
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    const absl::Status status = ValidateChannel(format.normalisation, c);
    if (!status.ok()) return status;
  }
  if (format.type == PixelType::kUint8 && !IsRaw(format.normalisation, channels)) {
    return absl::InvalidArgumentError(
        "pixel type uint8 takes the normalisation \"raw\" only; ask for a float type, or normalise "
        "after receiving");
  }
  return absl::OkStatus();
}

size_t PixelTypeBytes(PixelType type) {
  switch (type) {
    case PixelType::kUint8:
      return 1;
    case PixelType::kFloat16:
    case PixelType::kBfloat16:
      return 2;
    case PixelType::kFloat32:
      return 4;
  }
  return 4;
}

size_t ImageBytes(const ImageShape& shape, PixelType type) {
  return static_cast<size_t>(shape.pixels()) * PixelTypeBytes(type);
}

}  // namespace mixfeed
