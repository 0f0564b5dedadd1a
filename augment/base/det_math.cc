#include "augment/base/det_math.h"

#include <bit>
#include <cassert>
#include <cfloat>
#include <cstdint>
#include <limits>

namespace mixfeed {
namespace {

static_assert(std::numeric_limits<double>::is_iec559 && FLT_EVAL_METHOD == 0,
              "plans need IEEE doubles, rounded after every operation");

// ln 2 in two parts: the high one has its last 21 bits clear, so that its product with an exponent
// is exact.
constexpr double kLn2High = 0x1.62e42fee00000p-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kInverseLn2 = 0x1.71547652b82fep+0;

constexpr int kMantissaBits = 52;
constexpr int64_t kExponentBias = 1023;
constexpr uint64_t kMantissaMask = (uint64_t{1} << kMantissaBits) - 1;

// Bits of sqrt(1/2): subtracting them rounds the exponent so that the mantissa is in
// [sqrt(1/2), sqrt(2)).
constexpr uint64_t kSqrtHalfBits = 0x3fe6a09e667f3bcd;

// Where e^x reaches the smallest normal double.
constexpr double kMinExponent = -0x1.6232bdd7abcd2p+9;

// Adding and subtracting it rounds a double of moderate size to the nearest integer.
constexpr double kRoundingShift = 0x1.8p+52;

// c[0] + c[1] z + c[2] z^2 + ..., as (even terms in z^2) + z (odd terms in z^2), recursively: a
// fixed order with short chains of dependent operations (Estrin).
template <int kCount>
double Polynomial(const double* c, double z, int stride = 1) {
  if constexpr (kCount == 1) {
    return c[0];
  } else {
    const double square = z * z;
    const double even = Polynomial<(kCount + 1) / 2>(c, square, 2 * stride);
    return even + z * Polynomial<kCount / 2>(c + stride, square, 2 * stride);
  }
}

// e^x = 2^k e^r with |r| <= ln(2) / 2, e^r as its series. Without a branch or a conversion to an
// integer, so that compilers can make vectors of it: k is in the last bits of `shifted`.
inline double Exp(double x) {
  constexpr double kSeries[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  assert(x <= kMaxDetExp);
  const double shifted = x * kInverseLn2 + kRoundingShift;
  const double k = shifted - kRoundingShift;
  const double r = (x - k * kLn2High) - k * kLn2Low;
  const uint64_t exponent = std::bit_cast<uint64_t>(shifted) + uint64_t{kExponentBias};
  const double power = std::bit_cast<double>(exponent << kMantissaBits);
  const double result = power * (1 + (r + r * r * Polynomial<12>(kSeries, r)));
  return x < kMinExponent ? 0 : result;
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
  const double rest = s * (z * Polynomial<10>(kSeries, z) - f);
  return k * kLn2High + (f + (rest + k * kLn2Low));
}

double DetExp(double x) { return Exp(x); }

void DetExp(std::span<double> x) {
  for (double& number : x) number = Exp(number);
}

namespace {

// pi / 2 in two parts, for at most two quarter turns.
constexpr double kHalfPiHigh = 0x1.921fb54442d18p+0;
constexpr double kHalfPiLow = 0x1.1a62633145c07p-54;
constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;

// Taylor's coefficients in x^2, of sin(x) / x and of cos(x): below 2^-56 at pi / 4.
constexpr double kSine[] = {1.0,          -1.0 / 6,        1.0 / 120,        -1.0 / 5040,
                            1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000};
constexpr double kCosine[] = {1.0,
                              -1.0 / 2,
                              1.0 / 24,
                              -1.0 / 720,
                              1.0 / 40320,
                              -1.0 / 3628800,
                              1.0 / 479001600,
                              -1.0 / 87178291200,
                              1.0 / 20922789888000};

// sin(x + quarters * pi / 2).
double SinOfTurn(double x, int quarters) {
  const double nearest = (x * kTwoOverPi + kRoundingShift) - kRoundingShift;
  const double rest = (x - nearest * kHalfPiHigh) - nearest * kHalfPiLow;
  const int turn = (static_cast<int>(nearest) + quarters) & 3;
  const double z = rest * rest;
  const double value = turn % 2 == 0 ? rest * Polynomial<8>(kSine, z) : Polynomial<9>(kCosine, z);
  return turn < 2 ? value : -value;
}

}  // namespace

double DetSin(double x) { return SinOfTurn(x, 0); }

double DetCos(double x) { return SinOfTurn(x, 1); }

}  // namespace mixfeed
