#define _GNU_SOURCE 1
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "CKernels.h"

// Large memory comes from the system as it is, zeroed page by page when first touched, so that
// the threads that fill it share that work too. Its alignment lets the system use huge pages.
static const size_t large = (size_t)4 << 20, huge_page = (size_t)2 << 20;

static size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

static void *map_large(size_t size) {
  uint8_t *base = mmap(NULL, size + huge_page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return NULL;
  size_t before = round_up((uintptr_t)base, huge_page) - (uintptr_t)base;
  if (before > 0) munmap(base, before);
  if (before < huge_page) munmap(base + before + size, huge_page - before);
#ifdef MADV_HUGEPAGE
  madvise(base + before, size, MADV_HUGEPAGE);
#endif
  return base + before;
}

void *tk_allocate(size_t bytes) {
  if (bytes > SIZE_MAX / 2) return NULL;
  if (bytes >= large) return map_large(round_up(bytes, huge_page));
  void *memory = NULL;
  size_t size = round_up(bytes > 0 ? bytes : 1, 64);
  if (posix_memalign(&memory, 64, size) != 0) return NULL;
  memset(memory, 0, size);
  return memory;
}

void tk_free(void *memory, size_t bytes) {
  if (!memory) return;
  if (bytes >= large) {
    munmap(memory, round_up(bytes, huge_page));
  } else {
    free(memory);
  }
}

// Reserves the file's space at once: a page that finds the disk full when it is written to ends
// the process.
static int reserve(int file, size_t bytes) {
#ifdef __APPLE__
  fstore_t store = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, (off_t)bytes, 0};
  if (fcntl(file, F_PREALLOCATE, &store) != 0) return -1;
  return ftruncate(file, (off_t)bytes);
#else
  return posix_fallocate(file, 0, (off_t)bytes);
#endif
}

void *tk_allocate_in_file(size_t bytes, const char *folder) {
  char path[4096];
  if (bytes == 0 || bytes > SIZE_MAX / 2) return NULL;
  int length = snprintf(path, sizeof path, "%s/thalamus-XXXXXX", folder);
  if (length < 0 || (size_t)length >= sizeof path) return NULL;
  int file = mkstemp(path);
  if (file < 0) return NULL;
  unlink(path);
  void *memory = MAP_FAILED;
  if (reserve(file, bytes) == 0)
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return memory == MAP_FAILED ? NULL : memory;
}

void tk_free_in_file(void *memory, size_t bytes) {
  if (memory) munmap(memory, bytes);
}

void tk_give_back(void) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}
