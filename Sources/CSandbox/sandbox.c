// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Newer than the headers that this may be built with.
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

static int no_new_privileges(void) {
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? SANDBOX_NO_NEW_PRIVILEGES : 0;
}

// MARK: Files

static const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
// What applies to a file; a rule for one must not name rights of folders.
static const uint64_t of_files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                 LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_EXECUTE;

// Whether the rule is there, or the path is not.
static int allow(int ruleset, const char *path, uint64_t access) {
  int descriptor = open(path, O_PATH | O_CLOEXEC);
  if (descriptor < 0) return 1;
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISDIR(status.st_mode)) access &= of_files;
  struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = descriptor};
  long added = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  close(descriptor);
  return added == 0;
}

// Whether a rule for each path of the list is there.
static int allow_all(int ruleset, const char *list, size_t size, uint64_t access) {
  int sound = size == 0 || list[size - 1] == '\0';
  for (size_t start = 0; sound && start < size; start += strlen(list + start) + 1)
    sound = allow(ruleset, list + start, access);
  return sound;
}

int sandbox_landlock(void) {
  long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : (int)version;
}

int sandbox_files(const char *readable, size_t readable_size, const char *writable,
                  size_t writable_size) {
  long version = sandbox_landlock();
  if (version < 1) return 0;
  // Every right of the first version: EXECUTE to MAKE_SYM.
  uint64_t handled = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  uint64_t writing = reading | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR;
  if (version >= 2) {
    handled |= LANDLOCK_ACCESS_FS_REFER;
    writing |= LANDLOCK_ACCESS_FS_REFER;
  }
  if (version >= 3) {
    handled |= LANDLOCK_ACCESS_FS_TRUNCATE;
    writing |= LANDLOCK_ACCESS_FS_TRUNCATE;
  }
  struct landlock_ruleset_attr attributes = {.handled_access_fs = handled};
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  if (ruleset < 0) return 0;
  int sound = allow_all(ruleset, readable, readable_size, reading) &&
              allow_all(ruleset, writable, writable_size, writing);
  int bits = 0;
  // Half of the rules would be a run that fails for no reason that anybody sees.
  if (sound) {
    bits = no_new_privileges();
    if (bits != 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0) bits |= SANDBOX_LANDLOCK;
  }
  close(ruleset);
  return bits;
}

// MARK: System calls

// What a run needs: its files, its memory, its threads, the time. Numbers of the 64-bit interface.
static const int allowed[] = {
    // files
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev,
    SYS_open, SYS_openat, SYS_close, SYS_close_range, SYS_stat, SYS_fstat, SYS_lstat,
    SYS_newfstatat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_lseek, SYS_access, SYS_faccessat,
    SYS_faccessat2, SYS_dup, SYS_dup2, SYS_dup3, SYS_fcntl, SYS_ftruncate, SYS_fallocate, SYS_fsync,
    SYS_fdatasync, SYS_fadvise64, SYS_readahead, SYS_getdents64, SYS_getcwd, SYS_rename,
    SYS_renameat, SYS_renameat2, SYS_unlink, SYS_unlinkat, SYS_link, SYS_linkat, SYS_mkdir,
    SYS_mkdirat, SYS_rmdir, SYS_chmod, SYS_fchmod, SYS_fchmodat, SYS_umask, SYS_readlink,
    SYS_readlinkat, SYS_copy_file_range, SYS_flock, SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6,
    SYS_pipe, SYS_pipe2, SYS_memfd_create,
    // descriptors from the process that was made before, on a socket that is open already
    SYS_recvmsg,
    // memory
    SYS_mmap, SYS_mprotect, SYS_munmap, SYS_mremap, SYS_madvise, SYS_msync, SYS_mincore, SYS_brk,
    // threads and signals of this process
    SYS_futex, SYS_set_robust_list, SYS_get_robust_list, SYS_set_tid_address, SYS_rseq, SYS_gettid,
    SYS_getpid, SYS_getppid, SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_getparam,
    SYS_sched_getscheduler, SYS_sched_get_priority_max, SYS_sched_get_priority_min, SYS_membarrier,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait, SYS_sigaltstack,
    SYS_restart_syscall, SYS_exit, SYS_exit_group, SYS_arch_prctl,
    // the time, and what the process is
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    SYS_time, SYS_times, SYS_getrusage, SYS_getrlimit, SYS_uname, SYS_sysinfo, SYS_getuid,
    SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getrandom, SYS_getcpu,
};

enum { allowed_count = sizeof allowed / sizeof *allowed };

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define REFUSE(error) RETURN(SECCOMP_RET_ERRNO | (error))

int sandbox_system_calls(void) {
  int bits = no_new_privileges();
  if (bits == 0) return 0;
  const uint32_t own = (uint32_t)getpid();
  const struct sock_filter head[] = {
      // Numbers of another interface mean other calls.
      LOAD(arch),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      REFUSE(EPERM),
      LOAD(nr),
      // glibc asks for clone3 first, whose arguments a filter cannot see, and then for clone.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
      REFUSE(ENOSYS),
      // Threads, no processes.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
      RETURN(SECCOMP_RET_ALLOW),
      REFUSE(EPERM),
      // Signals to this process alone: what `abort` sends.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, own, 0, 1),
      RETURN(SECCOMP_RET_ALLOW),
      REFUSE(EPERM),
      // Of a terminal, what it is and how wide; nothing that puts text into its input.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x5401, 1, 0),  // TCGETS
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x5413, 0, 1),  // TIOCGWINSZ
      RETURN(SECCOMP_RET_ALLOW),
      REFUSE(ENOTTY),
      // Limits of this process, and only to be read: the pointer to new ones is null.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 6),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]) + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
      RETURN(SECCOMP_RET_ALLOW),
      REFUSE(EPERM),
      // Names of threads and of memory.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_NAME, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x53564d41, 0, 1),  // PR_SET_VMA
      RETURN(SECCOMP_RET_ALLOW),
      REFUSE(EPERM),
  };
  enum { head_count = sizeof head / sizeof *head };
  struct sock_filter filter[head_count + 2 * allowed_count + 1];
  int length = 0;
  for (int index = 0; index < head_count; index++) filter[length++] = head[index];
  for (int index = 0; index < allowed_count; index++) {
    filter[length++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[index], 0, 1);
    filter[length++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
  }
  filter[length++] = (struct sock_filter)REFUSE(EPERM);
  struct sock_fprog program = {.len = (unsigned short)length, .filter = filter};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0) bits |= SANDBOX_SECCOMP;
  return bits;
}
