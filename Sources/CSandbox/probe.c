// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CSandbox.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void *nothing(void *argument) { return argument; }

// What the child tries; the number of the first attempt that goes wrong.
static int attempts(const char *folder, const char *file, const char *writable,
                    const char *forbidden, const char *library) {
  static const char system[] = "/usr\0/lib\0/lib64\0/etc/ld.so.cache";
  char readable[8192];
  size_t size = strlen(folder) + 1;
  if (size + sizeof system > sizeof readable) return 2;
  memcpy(readable, folder, size);
  memcpy(readable + size, system, sizeof system);
  int bits = sandbox_files(readable, size + sizeof system, writable, strlen(writable) + 1);
  int has_landlock = (bits & SANDBOX_LANDLOCK) != 0;
  bits |= sandbox_system_calls();
  if (!(bits & SANDBOX_SECCOMP) || !(bits & SANDBOX_NO_NEW_PRIVILEGES)) return 1;

  // What must work.
  int descriptor = open(file, O_RDONLY);
  if (descriptor < 0) return 10;
  char byte;
  if (read(descriptor, &byte, 1) != 1) return 11;
  if (mmap(NULL, 1, PROT_READ, MAP_PRIVATE, descriptor, 0) == MAP_FAILED) return 12;
  pthread_t thread;
  if (pthread_create(&thread, NULL, nothing, NULL) != 0) return 13;
  if (pthread_join(thread, NULL) != 0) return 14;
  char path[4096];
  char target[4096];
  snprintf(path, sizeof path, "%s/.part", writable);
  snprintf(target, sizeof target, "%s/result", writable);
  int output = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (output < 0 || write(output, "x", 1) != 1 || fsync(output) != 0) return 15;
  if (rename(path, target) != 0 || unlink(target) != 0) return 16;
  if (library != NULL && dlopen(library, RTLD_NOW) == NULL) return 17;
  isatty(0);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 18;

  // What must not.
  if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM) return 30;
  if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0) return 31;
  if (fork() >= 0) return 32;
  char *const arguments[] = {"/bin/true", NULL};
  if (execv("/bin/true", arguments) == 0 || errno == ENOENT) return 33;
  if (kill(getppid(), 0) == 0) return 34;
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) return 35;
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return 36;
  if (chroot("/") == 0) return 37;
  if (has_landlock) {
    if (open(forbidden, O_RDONLY) >= 0 || errno != EACCES) return 40;
    snprintf(path, sizeof path, "%s/new", folder);
    if (open(path, O_WRONLY | O_CREAT, 0600) >= 0) return 41;
    if (unlink(file) == 0) return 42;
    if (mkdir(path, 0700) == 0) return 43;
  }
  return 0;
}

int sandbox_probe(const char *folder, const char *file, const char *writable,
                  const char *forbidden, const char *library) {
  pid_t child = fork();
  if (child < 0) return 254;
  if (child == 0) _exit(attempts(folder, file, writable, forbidden, library));
  int status;
  if (waitpid(child, &status, 0) != child) return 253;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 252;
}
