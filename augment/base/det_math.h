#ifndef MIXFEED_AUGMENT_BASE_DET_MATH_H_
#define MIXFEED_AUGMENT_BASE_DET_MATH_H_

#include <span>

namespace mixfeed {

// Elementary functions that give the same bits on every machine. The C library's do not: it
// picks variants with fused multiply-adds by CPU. These are made of IEEE additions, multiplications
// and divisions in a written order (compiled with -ffp-contract=off, rounding to nearest), within 2
// ulp of the exact value.

// Natural logarithm of a positive, normal, finite `x`.
double DetLog(double x);

// e^x for x <= kMaxDetExp; 0 where the result would be subnormal.
inline constexpr double kMaxDetExp = 709;
double DetExp(double x);
// Of each number, in place: the same bits, sooner.
void DetExp(std::span<double> x);

// Sine and cosine of |x| <= pi, within 2 ulp of 1.
double DetSin(double x);
double DetCos(double x);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BASE_DET_MATH_H_
