// SPDX-License-Identifier: Apache-2.0

#include <math.h>

// The Swift runtime, where it is linked in, refers to the `hypotf` that glibc 2.35 gave a new
// version, and to nothing newer than 2.34 besides. With a definition of our own the program starts
// on glibc 2.34, that is on RHEL 9 and its kin. Nothing in this package calls it.
//
// The sum of two squares of floats cannot overflow or lose its small one in a double.
float hypotf(float x, float y) {
  if (isinf(x) || isinf(y)) return INFINITY;
  return (float)sqrt((double)x * x + (double)y * y);
}
