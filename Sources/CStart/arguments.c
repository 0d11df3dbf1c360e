// SPDX-License-Identifier: Apache-2.0

#include "CStart.h"

#include <stddef.h>

static int count;
static char **vector;

// glibc calls the constructors of a program with what `main` will get.
__attribute__((constructor)) static void keep(int argc, char **argv) {
  count = argc;
  vector = argv;
}

int start_argument_count(void) { return count; }

const char *start_argument(int index) {
  return index >= 0 && index < count ? vector[index] : NULL;
}
