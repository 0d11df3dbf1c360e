// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CDebuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Hexadecimal digits of a build id: SHA-1 has 40, nothing more than 64 bytes is in use.
enum { DIGITS = 128 };

static int is_build_id(const char *text) {
  size_t length = strspn(text, "0123456789abcdef");
  return text[length] == '\0' && length >= 6 && length <= DIGITS && length % 2 == 0;
}

// Signals that end a process which does not expect them.
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

// MARK: The other process

// Signatures of debuginfod.h (elfutils 0.179 and later; progress since 0.178).
typedef void *begin_function(void);
typedef int find_function(void *client, const unsigned char *id, int length, char **path);
typedef int progress_function(void *client, long done, long whole);
typedef void set_progress_function(void *client, progress_function *function);
typedef void end_function(void *client);

static int own_socket;
static volatile sig_atomic_t is_stopped;

static void on_stop(int number) {
  (void)number;
  is_stopped = 1;
}

static void tell(const struct debuginfod_message *message, int descriptor) {
  struct debuginfod_message copy = *message;
  struct iovec part = {.iov_base = &copy, .iov_len = sizeof copy};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};
  if (descriptor >= 0) {
    envelope.msg_control = control.bytes;
    envelope.msg_controllen = sizeof control.bytes;
    struct cmsghdr *header = CMSG_FIRSTHDR(&envelope);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  while (sendmsg(own_socket, &envelope, MSG_NOSIGNAL) < 0 && errno == EINTR && !is_stopped) {
  }
}

static void fail(const char *reason) {
  struct debuginfod_message message = {.kind = DEBUGINFOD_FAILED, .descriptor = -1};
  snprintf(message.text, sizeof message.text, "%s", reason);
  tell(&message, -1);
}

// Where the stopped download was written to: a file beside the one that it would have become.
static char stopped_download[PATH_MAX];

// Finds it among the open files, before the library closes and removes it.
static void note_download(void) {
  if (stopped_download[0] != '\0') return;
  for (int descriptor = 3; descriptor < 256; descriptor++) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, stopped_download, sizeof stopped_download - 1);
    stopped_download[length > 0 ? length : 0] = '\0';
    if (strstr(stopped_download, "/debuginfo.") != NULL) return;
  }
  stopped_download[0] = '\0';
}

// A download that was stopped counts as one that no server has: the library keeps an empty file in its place,
// and for ten minutes would not ask again. Source: debuginfod/debuginfod-client.c, debuginfod_query_server.
static void forget_miss(void) {
  char *suffix = strrchr(stopped_download, '.');
  if (suffix == NULL) return;
  *suffix = '\0';
  struct stat status;
  if (lstat(stopped_download, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0)
    unlink(stopped_download);
  stopped_download[0] = '\0';
}

// Called while a download goes on; anything but 0 stops it.
static int on_progress(void *client, long done, long whole) {
  (void)client;
  struct pollfd gone = {.fd = own_socket, .events = POLLIN};
  // Nobody asks while an answer is on its way, so that whatever can be read is the end.
  if (is_stopped || (poll(&gone, 1, 0) > 0 && gone.revents != 0)) {
    note_download();
    return 1;
  }
  struct debuginfod_message message = {
      .kind = DEBUGINFOD_PROGRESS, .done = done, .whole = whole, .descriptor = -1};
  tell(&message, -1);
  return 0;
}

static void fetch(const char *build_id) {
  void *library = dlopen("libdebuginfod.so.1", RTLD_NOW);
  if (library == NULL) {
    fail("libdebuginfod.so.1 is not on this machine; install libdebuginfod1");
    return;
  }
  begin_function *begin = (begin_function *)dlsym(library, "debuginfod_begin");
  find_function *find = (find_function *)dlsym(library, "debuginfod_find_debuginfo");
  set_progress_function *set_progress =
      (set_progress_function *)dlsym(library, "debuginfod_set_progressfn");
  end_function *end = (end_function *)dlsym(library, "debuginfod_end");
  if (begin == NULL || find == NULL || set_progress == NULL || end == NULL) {
    fail("libdebuginfod.so.1 lacks functions of elfutils 0.179");
    return;
  }
  void *client = begin();
  if (client == NULL) {
    fail("libdebuginfod does not start");
    return;
  }
  set_progress(client, on_progress);
  char *path = NULL;
  // A length of 0 says that the id is text.
  int result = find(client, (const unsigned char *)build_id, 0, &path);
  if (result >= 0) {
    struct debuginfod_message message = {.kind = DEBUGINFOD_FOUND, .descriptor = -1};
    snprintf(message.text, sizeof message.text, "%s", path != NULL ? path : "debuginfod");
    tell(&message, result);
    close(result);
  } else {
    forget_miss();
    fail(result == -ENOENT ? "no server of DEBUGINFOD_URLS has it" : strerror(-result));
  }
  free(path);
  end(client);
}

static void serve(int socket) {
  own_socket = socket;
  prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
  // This process is nothing that anybody waits for: it holds nothing open but its socket.
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int number = 0; null >= 0 && number < 3; number++) dup2(null, number);
  syscall(SYS_close_range, socket + 1, ~0U, 0);
  syscall(SYS_close_range, 3, socket - 1, 0);
  prctl(PR_SET_NAME, "debuginfod-ask", 0, 0, 0);
  // A signal stops a download, and nothing else: it has to clean up behind itself.
  struct sigaction action = {.sa_handler = on_stop};
  sigemptyset(&action.sa_mask);
  for (size_t index = 0; index < sizeof signals / sizeof *signals; index++)
    sigaction(signals[index], &action, NULL);
  while (!is_stopped) {
    char build_id[DIGITS + 1];
    ssize_t size = recv(socket, build_id, DIGITS, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    build_id[size] = '\0';
    if (!is_build_id(build_id)) return;
    fetch(build_id);
  }
}

// MARK: This process

int debuginfod_begin(void) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  pid_t child = fork();
  if (child < 0) {
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return -1;
  }
  if (child == 0) {
    close(ends[0]);
    serve(ends[1]);
    _exit(0);
  }
  close(ends[1]);
  return ends[0];
}

static sigset_t ending;
static sigset_t mask_before;
static int is_holding;
static int held;

int debuginfod_ask(int socket, const char *build_id) {
  if (!is_build_id(build_id)) {
    errno = EINVAL;
    return -1;
  }
  if (!is_holding) {
    sigemptyset(&ending);
    for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) {
      struct sigaction old;
      // What is ignored, as under nohup(1), stays without effect.
      if (sigaction(signals[index], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaddset(&ending, signals[index]);
    }
    held = 0;
    is_holding = pthread_sigmask(SIG_BLOCK, &ending, &mask_before) == 0;
  }
  // `write`, because it is what a confined process may call.
  return write(socket, build_id, strlen(build_id)) < 0 ? -1 : 0;
}

// Tells the other process to stop and waits until it has; some seconds at most.
static void stop(int socket) {
  // Whatever is written stops it; a confined process may not call shutdown(2).
  if (write(socket, "", 1) < 0) return;
  struct pollfd gone = {.fd = socket, .events = 0};
  poll(&gone, 1, 10000);
}

struct debuginfod_message debuginfod_next(int socket, int milliseconds) {
  struct debuginfod_message message = {.kind = DEBUGINFOD_NOTHING, .descriptor = -1};
  struct timespec now = {0, 0};
  if (is_holding && held == 0) {
    int number = sigtimedwait(&ending, NULL, &now);
    if (number > 0) {
      held = number;
      stop(socket);
      message.kind = DEBUGINFOD_SIGNAL;
      return message;
    }
  }
  struct pollfd ready = {.fd = socket, .events = POLLIN};
  if (poll(&ready, 1, milliseconds) <= 0) return message;
  struct iovec part = {.iov_base = &message, .iov_len = sizeof message};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr envelope = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
  ssize_t size = recvmsg(socket, &envelope, MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) {
    message.kind = DEBUGINFOD_NOTHING;
    return message;
  }
  if (size != (ssize_t)sizeof message) {
    memset(&message, 0, sizeof message);
    message.kind = DEBUGINFOD_FAILED;
    message.descriptor = -1;
    snprintf(message.text, sizeof message.text, "the process that asks servers has ended");
    return message;
  }
  message.descriptor = -1;
  message.text[sizeof message.text - 1] = '\0';
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&envelope); header != NULL;
       header = CMSG_NXTHDR(&envelope, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
      memcpy(&message.descriptor, CMSG_DATA(header), sizeof message.descriptor);
  }
  return message;
}

void debuginfod_finish(void) {
  if (!is_holding) return;
  is_holding = 0;
  pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
  if (held != 0) raise(held);
}
