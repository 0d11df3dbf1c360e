// SPDX-License-Identifier: Apache-2.0
//
// What the thread sanitizer does not see of Swift's Mutex. A lock that nobody holds is taken in the caller's code,
// by atomics that the sanitizer follows. A thread that has to wait does so in libswiftSynchronization, which is not
// instrumented, so that what two threads do one after the other under a contended lock would be called a race.
// Preloaded (`make sanitize-thread`), these stand before the library's own functions and tell the sanitizer.
//
// Source: stdlib/public/Synchronization/Mutex/LinuxImpl.swift, `_MutexHandle`.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

// In a process that is not instrumented there is neither.
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

// As Swift spells them.
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK_SLOW "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

// _MutexHandle._lockSlow(_: UInt32)
SWIFT void lock_slow(uint32_t own, SELF void *handle) __asm__(LOCK_SLOW);
// _MutexHandle._tryLockSlow() -> Bool
SWIFT _Bool try_lock_slow(SELF void *handle) __asm__(TRY_LOCK_SLOW);
// _MutexHandle._unlockSlow()
SWIFT void unlock_slow(SELF void *handle) __asm__(UNLOCK_SLOW);

// The library's own function of that name; without it, nothing that follows would be true.
static void *next(const char *name) {
  void *function = dlsym(RTLD_NEXT, name);
  if (function == NULL) abort();
  return function;
}

SWIFT void lock_slow(uint32_t own, SELF void *handle) {
  SWIFT void (*real)(uint32_t, SELF void *) = next(LOCK_SLOW);
  real(own, handle);
  if (__tsan_acquire) __tsan_acquire(handle);
}

SWIFT _Bool try_lock_slow(SELF void *handle) {
  SWIFT _Bool (*real)(SELF void *) = next(TRY_LOCK_SLOW);
  _Bool isTaken = real(handle);
  if (isTaken && __tsan_acquire) __tsan_acquire(handle);
  return isTaken;
}

SWIFT void unlock_slow(SELF void *handle) {
  if (__tsan_release) __tsan_release(handle);
  SWIFT void (*real)(SELF void *) = next(UNLOCK_SLOW);
  real(handle);
}
