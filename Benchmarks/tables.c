// SPDX-License-Identifier: Apache-2.0
//
// Makes a dump with large page tables, and walks them as plainly as C can: the yardstick for walks.
//
//   tables make FILE TABLES mix|contiguous   an ELF core: one device (00:02.0) with a four-level
//                                            second stage of TABLES level 1 tables, at most 2^18
//   tables machine FILE UNITS DEVICES TABLES PERCENT HOLE
//                                            an ELF core: UNITS root tables, DEVICES in all with a
//                                            domain each, TABLES level 1 tables in all, of whose
//                                            entries PERCENT in 1000 begin a run, and a segment of
//                                            HOLE GiB of memory of which nothing is stored
//   tables walk FILE                         walks it and keeps its runs
//   tables print FILE                        the same, and prints each run as a line of JSON
//
// Walking is for what `make` made. The root table is at 4 GiB, where the first segment begins. In a mix 12 in 100 entries do not go on
// where the one before ended; the numbers are the same in every run.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096ull
#define BASE (1ull << 32)
#define ADDRESS 0x000ffffffffff000ull

struct run { uint64_t iova, length, physical, access; };

static const uint8_t *memory;
static uint64_t memory_size;
static struct run *runs, current;
static size_t count, capacity;
static uint64_t leaves;

static void fail(const char *what) { perror(what); exit(1); }

static uint64_t next_random(void) {
  static uint64_t state = 1;
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return state >> 33;
}

// Maps a new core with room for `pages`, and a segment of which nothing is stored; its page n is at
// AT(n).
static uint8_t *begin(const char *path, uint64_t pages, uint64_t hole, size_t *size) {
  *size = PAGE * (pages + 1);
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || ftruncate(file, *size) != 0) fail(path);
  uint8_t *bytes = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (bytes == MAP_FAILED || close(file) != 0) fail(path);
  Elf64_Ehdr *header = (void *)bytes;
  memcpy(header->e_ident, ELFMAG "\2\1\1", SELFMAG + 3);
  header->e_type = ET_CORE, header->e_machine = EM_X86_64, header->e_version = 1;
  header->e_phoff = header->e_ehsize = sizeof *header;
  header->e_phentsize = sizeof(Elf64_Phdr), header->e_phnum = hole ? 2 : 1;
  Elf64_Phdr *segments = (void *)(header + 1);
  segments[0] = (Elf64_Phdr){
      .p_type = PT_LOAD, .p_offset = PAGE, .p_paddr = BASE, .p_filesz = PAGE * pages,
      .p_memsz = PAGE * pages};
  if (hole)
    segments[1] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_offset = *size, .p_paddr = 1ull << 40, .p_memsz = hole};
  return bytes;
}

#define AT(page) (BASE + PAGE * (page))

// Fills level 1 tables, of whose entries `per_mille` in 1000 do not go on where the last one ended.
static void fill_tables(uint64_t *words, uint64_t tables, uint64_t per_mille) {
  static uint64_t frame = 1 << 26;
  for (uint64_t i = 0; i < tables * 512; i++, frame++) {
    if (per_mille && next_random() % 1000 < per_mille)
      frame = (1 << 26) + next_random() % (1 << 27);
    words[i] = frame << 12 | 3;
  }
}

static void make(const char *path, uint64_t tables, int is_mix) {
  uint64_t directories = (tables + 511) / 512, pages = 4 + directories + tables;
  uint64_t first_directory = 4, first_table = 4 + directories;
  size_t size;
  uint8_t *bytes = begin(path, pages, 0, &size);
  uint64_t *words = (void *)(bytes + PAGE);
  words[0] = AT(1) | 1;                                     // bus 0
  words[512 + 2 * 0x10] = AT(2) | 1;                        // 00:02.0, second stage
  words[512 + 2 * 0x10 + 1] = 1 << 8 | 2;                   // domain-id 1, four levels
  words[2 * 512] = AT(3) | 3;
  for (uint64_t i = 0; i < directories; i++) words[3 * 512 + i] = AT(first_directory + i) | 3;
  for (uint64_t i = 0; i < tables; i++) words[first_directory * 512 + i] = AT(first_table + i) | 3;
  fill_tables(words + first_table * 512, tables, is_mix ? 120 : 0);
  if (munmap(bytes, size) != 0) fail(path);
}

// Each unit has a root table and a context table; each device three upper tables and its share.
static void make_machine(
    const char *path, uint64_t units, uint64_t devices, uint64_t tables, uint64_t per_mille,
    uint64_t hole) {
  uint64_t of_unit = devices / units, of_device = tables / devices;
  size_t size;
  uint8_t *bytes = begin(path, 2 * units + devices * (3 + of_device), hole << 30, &size);
  uint64_t *words = (void *)(bytes + PAGE), next = 2 * units;
  for (uint64_t unit = 0; unit < units; unit++) {
    words[2 * unit * 512] = AT(2 * unit + 1) | 1;
    for (uint64_t device = 0; device < of_unit; device++, next += 3 + of_device) {
      uint64_t *context = words + (2 * unit + 1) * 512 + 2 * device;
      context[0] = AT(next) | 1, context[1] = (device + 1) << 8 | 2;
      words[next * 512] = AT(next + 1) | 3;
      words[(next + 1) * 512] = AT(next + 2) | 3;
      for (uint64_t i = 0; i < of_device; i++) words[(next + 2) * 512 + i] = AT(next + 3 + i) | 3;
      fill_tables(words + (next + 3) * 512, of_device, per_mille);
    }
  }
  if (munmap(bytes, size) != 0) fail(path);
}

static void keep(void) {
  if (current.length == 0) return;
  if (count == capacity) {
    capacity = capacity ? capacity * 2 : 1024;
    if (!(runs = realloc(runs, capacity * sizeof *runs))) fail("runs");
  }
  runs[count++] = current;
}

static inline void leaf(uint64_t iova, uint64_t physical, uint64_t length, uint64_t access) {
  leaves++;
  if (current.length && current.iova + current.length == iova &&
      current.physical + current.length == physical && current.access == access) {
    current.length += length;
    return;
  }
  keep();
  current = (struct run){iova, length, physical, access};
}

static const uint64_t *table_at(uint64_t address) {
  if (address - BASE > memory_size - PAGE) return NULL;
  return (const void *)(memory + (address - BASE));
}

static void walk(uint64_t address, int level, uint64_t iova, uint64_t access) {
  const uint64_t *table = table_at(address);
  if (!table) return;
  int shift = 12 + 9 * (level - 1);
  for (int i = 0; i < 512; i++) {
    uint64_t word = table[i], rights = access & word & 3, start = iova | (uint64_t)i << shift;
    if (!(word & 3)) continue;
    if (level == 1 || word & 0x80) {
      if (rights) leaf(start, word & ADDRESS & ~((1ull << shift) - 1), 1ull << shift, rights);
    } else {
      walk(word & ADDRESS, level - 1, start, rights);
    }
  }
}

int main(int argc, char **argv) {
  if (argc == 5 && !strcmp(argv[1], "make")) {
    uint64_t tables = strtoull(argv[3], NULL, 0);
    if (tables == 0 || tables > 1 << 18) { fputs("1 to 2^18 tables\n", stderr); return 64; }
    make(argv[2], tables, !strcmp(argv[4], "mix"));
    return 0;
  }
  if (argc == 8 && !strcmp(argv[1], "machine")) {
    uint64_t numbers[5];
    for (int i = 0; i < 5; i++) numbers[i] = strtoull(argv[3 + i], NULL, 0);
    uint64_t units = numbers[0], devices = numbers[1], tables = numbers[2];
    if (units == 0 || devices < units || devices / units > 256 || tables < devices ||
        tables / devices > 512 || numbers[3] > 1000) {
      fputs("at most 256 devices a unit and 512 tables a device\n", stderr);
      return 64;
    }
    make_machine(argv[2], units, devices, tables, numbers[3], numbers[4]);
    return 0;
  }
  if (argc != 3) { fputs("usage: tables make|machine|walk|print FILE ...\n", stderr); return 64; }
  int file = open(argv[2], O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) fail(argv[2]);
  const uint8_t *bytes = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED, file, 0);
  if (bytes == MAP_FAILED) fail(argv[2]);
  const Elf64_Phdr *segment = (const void *)(bytes + sizeof(Elf64_Ehdr));
  memory = bytes + segment->p_offset, memory_size = segment->p_filesz;
  walk(table_at(BASE + PAGE)[2 * 0x10] & ADDRESS, 4, 0, 3);
  keep();
  if (!strcmp(argv[1], "print")) {
    static const char *names[] = {"", "r", "w", "rw"};
    for (size_t i = 0; i < count; i++)
      printf("{\"iova\": \"0x%" PRIx64 "\", \"length\": \"0x%" PRIx64 "\", \"physical\": \"0x%" PRIx64
             "\", \"access\": \"%s\"},\n",
             runs[i].iova, runs[i].length, runs[i].physical, names[runs[i].access]);
  }
  if (!strcmp(argv[1], "walk")) printf("%" PRIu64 " leaves, %zu runs\n", leaves, count);
  return 0;
}
