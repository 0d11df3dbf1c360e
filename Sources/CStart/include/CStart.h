// SPDX-License-Identifier: Apache-2.0

#ifndef CSTART_H
#define CSTART_H

// The arguments that the system gave the process, the program's name first.
//
// Swift's `CommandLine` reads /proc/self/cmdline on Linux and is empty where /proc is not mounted:
// in a bare root, or early in a crash kernel.
int start_argument_count(void);
const char *start_argument(int index);

#endif
