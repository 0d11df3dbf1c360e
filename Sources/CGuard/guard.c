// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CGuard.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { PAGE = 4096, MAPPINGS = 1024, PATH = 4096 };

// A free place has size 0. `base` is written before `size` and read after it.
static struct {
  atomic_uintptr_t base;
  atomic_size_t size;
  atomic_ulong lost;
} mappings[MAPPINGS];

static atomic_int first_lost = -1;

static _Thread_local sigjmp_buf probe;
static _Thread_local volatile sig_atomic_t is_probing;

static int mapping_of(uintptr_t address) {
  for (int number = 0; number < MAPPINGS; number++) {
    size_t size = atomic_load(&mappings[number].size);
    uintptr_t base = atomic_load(&mappings[number].base);
    if (size > 0 && address >= base && address - base < size) return number;
  }
  return -1;
}

static void on_bus_error(int signal_number, siginfo_t *information, void *context) {
  uintptr_t address = (uintptr_t)information->si_addr;
  int number = mapping_of(address);
  if (number >= 0 && is_probing) {
    // What is blocked while a handler runs would stay so behind a jump.
    pthread_sigmask(SIG_SETMASK, &((ucontext_t *)context)->uc_sigmask, NULL);
    siglongjmp(probe, 1);
  }
  if (number >= 0) {
    void *page = (void *)(address & ~(uintptr_t)(PAGE - 1));
    void *zeros = mmap(page, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros != MAP_FAILED) {
      atomic_fetch_add(&mappings[number].lost, 1);
      int none = -1;
      atomic_compare_exchange_strong(&first_lost, &none, number);
      return;
    }
  }
  // Not ours: the access is repeated without a handler, and ends the process as it always did.
  signal(signal_number, SIG_DFL);
}

static void install(void) {
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, NULL);
}

int guard_add(const void *base, size_t size) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_once(&once, install);
  pthread_mutex_lock(&mutex);
  int result = -1;
  for (int number = 0; number < MAPPINGS && result < 0; number++) {
    // A place that lost pages is not used again, so that its number stays true.
    if (atomic_load(&mappings[number].size) > 0 || atomic_load(&mappings[number].lost) > 0) continue;
    atomic_store(&mappings[number].base, (uintptr_t)base);
    atomic_store(&mappings[number].size, size);
    result = number;
  }
  pthread_mutex_unlock(&mutex);
  return result;
}

void guard_remove(int number) {
  if (number >= 0 && number < MAPPINGS) atomic_store(&mappings[number].size, 0);
}

int guard_probe(const void *base, size_t size) {
  if (size == 0) return 1;
  if (sigsetjmp(probe, 0) != 0) {
    is_probing = 0;
    return 0;
  }
  is_probing = 1;
  const volatile unsigned char *byte = base;
  uintptr_t end = (uintptr_t)base + size;
  for (uintptr_t at = (uintptr_t)base; at < end; at = (at | (PAGE - 1)) + 1) {
    (void)byte[at - (uintptr_t)base];
  }
  is_probing = 0;
  return 1;
}

unsigned long guard_lost(int number) {
  return number >= 0 && number < MAPPINGS ? atomic_load(&mappings[number].lost) : 0;
}

int guard_first_lost(void) { return atomic_load(&first_lost); }

// MARK: What a signal leaves behind

static char temporary[PATH];
static atomic_int has_temporary;

static void on_end(int signal_number) {
  if (atomic_exchange(&has_temporary, 0)) unlink(temporary);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void guard_temporary(const char *path) {
  atomic_store(&has_temporary, 0);
  if (path == NULL || strlen(path) >= PATH) return;
  strcpy(temporary, path);
  atomic_store(&has_temporary, 1);
  const int signals[] = {SIGTERM, SIGINT, SIGHUP};
  for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) {
    struct sigaction old;
    // Whoever ignores a signal, such as nohup(1), goes on ignoring it.
    if (sigaction(signals[index], NULL, &old) != 0 || old.sa_handler != SIG_DFL) continue;
    struct sigaction action = {.sa_handler = on_end};
    sigemptyset(&action.sa_mask);
    sigaction(signals[index], &action, NULL);
  }
}
