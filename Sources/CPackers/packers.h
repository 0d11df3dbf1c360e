// SPDX-License-Identifier: Apache-2.0

#ifndef CPACKERS_H
#define CPACKERS_H

// Records that the libraries behind bzip2, xz and zstd share with their callers, as they stand on
// x86_64. The libraries are loaded when a file needs them; their headers are not needed to build.

#include <stddef.h>
#include <stdint.h>

// bzlib.h 1.0, `bz_stream`.
struct packers_bzip2 {
  const void *next_in;
  uint32_t avail_in;
  uint32_t total_in_low, total_in_high;
  void *next_out;
  uint32_t avail_out;
  uint32_t total_out_low, total_out_high;
  void *state;
  void *allocate, *release, *opaque;
};

// lzma/base.h 5.0, `lzma_stream`.
struct packers_lzma {
  const void *next_in;
  size_t avail_in;
  uint64_t total_in;
  void *next_out;
  size_t avail_out;
  uint64_t total_out;
  const void *allocator;
  void *internal;
  void *reserved_pointers[4];
  uint64_t reserved_words[2];
  size_t reserved_sizes[2];
  uint32_t reserved_values[2];
};

// zstd.h 1.0, `ZSTD_inBuffer` and `ZSTD_outBuffer`, which differ in const alone.
struct packers_zstd {
  void *bytes;
  size_t size;
  size_t position;
};

#endif
