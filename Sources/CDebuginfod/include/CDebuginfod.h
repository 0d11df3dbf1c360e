// SPDX-License-Identifier: Apache-2.0

#ifndef CDEBUGINFOD_H
#define CDEBUGINFOD_H

// Debug information from debuginfod servers, asked for by a process of its own: the one that reads a
// stranger's dump has given up the network by then, and all that it can pass on is a build id.
//
// The other process is made before anything is read and before other threads exist. It ends with this
// one. A download that is not finished leaves nothing: libdebuginfod is told to stop, and removes what
// there is of it; that it then takes the file for one that no server has, is undone.

enum debuginfod_kind {
  // Nothing came in the time given.
  DEBUGINFOD_NOTHING,
  // `done` of `whole` bytes are here; `whole` is 0 where it is not known.
  DEBUGINFOD_PROGRESS,
  // `descriptor` is the file, open for reading, and the caller's; `text` its path in the cache.
  DEBUGINFOD_FOUND,
  // `text` says why there is none.
  DEBUGINFOD_FAILED,
  // A signal came that ends this process; the download has been stopped. `debuginfod_finish` raises it.
  DEBUGINFOD_SIGNAL,
};

struct debuginfod_message {
  enum debuginfod_kind kind;
  long done;
  long whole;
  int descriptor;
  char text[1024];
};

// Makes the other process.
//
// Returns a socket to it, or -1 with errno.
int debuginfod_begin(void);

// Asks for the debug information of a build id, in hexadecimal digits, and holds back the signals that
// end this process until `debuginfod_finish`.
//
// Returns 0, or -1 where it is not hexadecimal, or the other process has gone.
int debuginfod_ask(int socket, const char *build_id);

// The next message, waited for at most so many milliseconds.
struct debuginfod_message debuginfod_next(int socket, int milliseconds);

// Lets signals through again; the one that was held back takes its course now.
void debuginfod_finish(void);

#endif
