// SPDX-License-Identifier: Apache-2.0

#ifndef CSANDBOX_H
#define CSANDBOX_H

// Takes from the process what reading a dump does not need, for good: new privileges, other programs,
// other processes, the network, kernel interfaces; with Landlock also every file but those named.
//
// Called once, before other threads exist. Each part that the kernel does not have is left out.

#include <stddef.h>

// What is in force; bits of the answers below.
#define SANDBOX_NO_NEW_PRIVILEGES 1
#define SANDBOX_SECCOMP 2
#define SANDBOX_LANDLOCK 4

// The version of Landlock that this kernel has, 0 for none. Changes nothing.
int sandbox_landlock(void);

// Restricts files to paths that may be read and folders that may be written, everything beneath them
// included. Paths that do not exist are passed by. Each list is text of `size` bytes in which every
// path ends with a null byte.
//
// Returns bits of what is in force now, 0 where the kernel has no Landlock.
int sandbox_files(const char *readable, size_t readable_size, const char *writable,
                  size_t writable_size);

// Restricts system calls. Those that are not needed fail with EPERM, as if they were not permitted.
//
// Returns bits of what is in force now.
int sandbox_system_calls(void);

// For tests: in a process of its own, applies both with one folder to read and one to write, and tries
// what must work and what must not. `library` is a shared library that must still load.
//
// Returns 0, or the number of the first attempt that went otherwise, which the source names.
int sandbox_probe(const char *readable_folder, const char *file_in_it, const char *writable_folder,
                  const char *forbidden_file, const char *library);

#endif
