// SPDX-License-Identifier: Apache-2.0
//
// Preloaded into a program by scripts/mutate-fleet: loads and links the program once, and runs its `main`
// in a process of its own for each request.
//
// A request on descriptor 3 is the length of the arguments (4 bytes), then each argument with a zero behind
// it. The answer on descriptor 4 is the number of the process that runs, and after its end a `struct ended`.
// The server ends when descriptor 3 does.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUESTS = 3, ANSWERS = 4 };

struct ended {
  int32_t status;
  uint32_t kibibytes;
  uint64_t microseconds;
};

typedef int Main(int, char **, char **);

static Main *program_main;
static char request[65536];

static int read_all(void *to, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t step = read(REQUESTS, (char *)to + done, count - done);
    if (step <= 0) return 0;
    done += (size_t)step;
  }
  return 1;
}

static void answer(const void *from, size_t count) {
  if (write(ANSWERS, from, count) != (ssize_t)count) _exit(0);
}

static int serve(int count, char **arguments, char **environment) {
  uint64_t seconds = strtoull(getenv("FLEET_SECONDS"), NULL, 10);
  uint32_t length;
  while (read_all(&length, sizeof length) && length < sizeof request && read_all(request, length)) {
    pid_t child = fork();
    if (child == 0) {
      close(REQUESTS);
      close(ANSWERS);
      struct rlimit limit = {seconds, 2 * seconds};
      setrlimit(RLIMIT_CPU, &limit);
      // The program may have kept this vector when it was loaded, so the server got as many arguments as
      // any request has; behind the last there are none.
      char *next = request;
      int number = 0;
      for (; number < count; number++) {
        arguments[number] = next < request + length ? next : NULL;
        if (arguments[number]) next += strlen(next) + 1;
      }
      for (number = 0; number < count && arguments[number];) number++;
      exit(program_main(number, arguments, environment));
    }
    int32_t started = child;
    answer(&started, sizeof started);
    struct rusage usage;
    int status;
    if (child < 0 || wait4(child, &status, 0, &usage) != child) break;
    struct ended ended = {
        status, (uint32_t)usage.ru_maxrss,
        (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
            (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)};
    answer(&ended, sizeof ended);
  }
  _exit(0);
}

int __libc_start_main(Main *start, int count, char **arguments, void (*before)(void),
                      void (*after)(void), void (*linker)(void), void *stack) {
  int (*next)(Main *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *) =
      (int (*)(Main *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *))dlsym(
          RTLD_NEXT, "__libc_start_main");
  program_main = start;
  return next(serve, count, arguments, before, after, linker, stack);
}
