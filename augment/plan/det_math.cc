#include "augment/plan/det_math.h"

#include <bit>
#include <cstdint>
#include <limits>

namespace mixfeed {
namespace {

// ln 2 in two parts: the high one has its last 21 bits clear, so that its product with an exponent
// is exact.
constexpr double kLn2High = 0x1.62e42fee00000p-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kInverseLn2 = 0x1.71547652b82fep+0;

constexpr int kMantissaBits = 52;
constexpr int64_t kExponentBias = 1023;
constexpr uint64_t kMantissaMask = (uint64_t{1} << kMantissaBits) - 1;
constexpr uint64_t kOneBits = static_cast<uint64_t>(kExponentBias) << kMantissaBits;

// Bits of sqrt(1/2): subtracting them rounds the exponent so that the mantissa is in
// [sqrt(1/2), sqrt(2)).
constexpr uint64_t kSqrtHalfBits = 0x3fe6a09e667f3bcd;

// Beyond these e^x is infinite, or below the smallest normal double.
constexpr double kMaxExponent = 0x1.62e42fefa39efp+9;
constexpr double kMinExponent = -0x1.6232bdd7abcd2p+9;

// Adding and subtracting it rounds a double of moderate size to the nearest integer.
constexpr double kRoundingShift = 0x1.8p+52;

// Sum of z^i * c[i] in a fixed order (Horner).
template <int kCount>
double Polynomial(double z, const double (&c)[kCount]) {
  double sum = c[kCount - 1];
  for (int i = kCount - 2; i >= 0; --i) sum = sum * z + c[i];
  return sum;
}

double PowerOfTwo(int64_t exponent) {
  return std::bit_cast<double>(static_cast<uint64_t>(exponent + kExponentBias) << kMantissaBits);
}

}  // namespace

// x = 2^k m; log m = 2 atanh(s) with s = (m - 1) / (m + 1), |s| <= 0.1716, as its series.
double DetLog(double x) {
  constexpr double kSeries[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                                2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  const uint64_t offset = bits - kSqrtHalfBits;
  const int64_t exponent = static_cast<int64_t>(offset) >> kMantissaBits;
  const double m = std::bit_cast<double>((offset & kMantissaMask) + kSqrtHalfBits);
  const double k = static_cast<double>(exponent);

  const double f = m - 1;
  const double s = f / (2 + f);
  const double z = s * s;
  // 2 s = f - s f exactly: f carries the leading bits without error.
  const double rest = s * (z * Polynomial(z, kSeries) - f);
  return k * kLn2High + (f + (rest + k * kLn2Low));
}

// e^x = 2^k e^r with |r| <= ln(2) / 2, e^r as its series.
double DetExp(double x) {
  constexpr double kSeries[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  if (x > kMaxExponent) return std::numeric_limits<double>::infinity();
  if (x < kMinExponent) return 0;
  const double k = (x * kInverseLn2 + kRoundingShift) - kRoundingShift;
  const double r = (x - k * kLn2High) - k * kLn2Low;
  const double power = 1 + (r + r * r * Polynomial(r, kSeries));
  // In two factors, since 2^1024 is no double.
  const auto exponent = static_cast<int64_t>(k);
  const int64_t half = exponent / 2;
  return power * PowerOfTwo(half) * PowerOfTwo(exponent - half);
}

}  // namespace mixfeed
