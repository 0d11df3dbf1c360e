// SPDX-License-Identifier: Apache-2.0

#ifndef CGUARD_H
#define CGUARD_H

#include <stddef.h>

// Mapped files that lose bytes, or that the system cannot read, while somebody looks at them.
//
// The system answers such an access with SIGBUS, which ends the process. Here it ends a probe
// instead, or gives a page of zeros and is counted, so that the caller can refuse the result.

// Puts a mapping under guard; its number, or -1 where there is no room for another one.
int guard_add(const void *base, size_t size);

// Ends the guard, before the mapping goes.
void guard_remove(int number);

// Whether every page of some bytes, which are inside a guarded mapping, can be read now.
int guard_probe(const void *base, size_t size);

// Pages of a mapping that were looked at without a probe and had to become zeros.
unsigned long guard_lost(int number);

// The number of a mapping with such pages, also of one that has gone; -1 where there is none.
int guard_first_lost(void);

// The file with this name goes when a signal ends the process. A null pointer takes the wish back.
void guard_temporary(const char *path);

#endif
