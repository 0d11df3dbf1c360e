// SPDX-License-Identifier: Apache-2.0

#include <math.h>

// The Swift runtime, where it is linked in, refers to the `hypot` and `hypotf` that glibc 2.35 gave
// new versions, and to nothing newer than 2.34 besides. With definitions of our own the program
// starts on glibc 2.34, that is on RHEL 9 and its kin. Nothing in this package calls them.
//
// The sum of two squares of floats cannot overflow or lose its small one in a double.
float hypotf(float x, float y) {
  if (isinf(x) || isinf(y)) return INFINITY;
  return (float)sqrt((double)x * x + (double)y * y);
}

// The larger one is taken out, so that only a result that is too large overflows.
double hypot(double x, double y) {
  if (isinf(x) || isinf(y)) return INFINITY;
  double large = fabs(x), small = fabs(y);
  if (large < small) {
    double other = large;
    large = small;
    small = other;
  }
  if (large == 0 || isnan(large) || isnan(small)) return large + small;
  double ratio = small / large;
  return large * sqrt(1 + ratio * ratio);
}
