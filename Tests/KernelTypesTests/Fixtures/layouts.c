/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes that kernel structures have; see README.md. */

typedef unsigned long long u64;
typedef unsigned char u8;
typedef struct { int counter; } atomic_t;
typedef struct spinlock { int value; } spinlock_t;

struct elsewhere;                       /* defined in other.c only */
struct pci_dev { u8 devfn; };
struct qi_desc { u64 qw[4]; };
typedef int handler_t(struct pci_dev *);

enum mode { MODE_OFF, MODE_ON = 7 };
enum error { ERROR_NONE, ERROR_SOME = -5 };
enum wide { WIDE_TOP = 0x8000000000000000ull, WIDE_ONE = 1 };

struct base { int first; long second; };

struct pointers {
  const struct pci_dev *device;
  struct elsewhere *elsewhere;
  struct qi_desc **descriptors;
  void *anything;
  const volatile void *qualified;
  u64 *number;
  handler_t *handler;
  atomic_t *atom;
  struct { int x; } *unnamed;
  int (*bounded)[3];
  enum mode *mode;
  char *const text;
};

struct flags {
  unsigned int a : 3;
  unsigned int b : 13;
  unsigned int : 2;
  u64 c : 43;
  u8 plain;
  int d : 1;
  u8 e : 7;
  enum mode m : 4;
  _Bool yes : 1;
};

struct __attribute__((packed)) packed_flags {
  u8 before;
  unsigned int a : 20;
  unsigned int b : 25;
  u64 c : 60;
  u8 after;
};

union irte { unsigned int val; };

struct intel_iommu {
  u64 reg;
  union {
    struct { u64 low, high; };
    struct { u64 present : 1, fpd : 1, rest : 62; u64 : 4, sid : 16, top : 44; };
    unsigned __int128 both;
  };
  atomic_t seq;
  spinlock_t lock;
  char name[13];
  signed char small;
  short grid[2][3];
  enum mode mode;
  enum error error;
  enum wide wide;
  _Bool enabled;
  double ratio;
  struct { int inner; struct { u8 deep; } nested; } place;
  struct { int x; } places[2];
  const struct base base;
  struct base *bases[4];
  int (*call)(int);
  struct pci_dev none[0];
  struct qi_desc entries[];
};

struct holder { long first; struct intel_iommu *unit; struct base base; struct flags flags; };

static volatile int identity_domain = 1;
int root_word[4] = { 1 };
struct holder holder;
struct pointers pointers;
struct packed_flags packed_flags;
union irte irte;
spinlock_t lock;
int intel_iommu_init(void) { return identity_domain + holder.unit->error; }
