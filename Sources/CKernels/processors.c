#define _GNU_SOURCE 1
// The processors that the system lets this process use.
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "CKernels.h"

bool tk_allowed_processors(uint64_t *mask) {
  memset(mask, 0, TK_MOST_PROCESSORS / 8);
#if defined(__linux__)
  return sched_getaffinity(0, TK_MOST_PROCESSORS / 8, (cpu_set_t *)mask) == 0;
#else
  return false;
#endif
}

int64_t tk_allowed_processor_count(void) {
  uint64_t mask[TK_MOST_PROCESSORS / 64];
  if (!tk_allowed_processors(mask)) return sysconf(_SC_NPROCESSORS_ONLN);
  int64_t count = 0;
  for (int i = 0; i < TK_MOST_PROCESSORS / 64; i++) count += __builtin_popcountll(mask[i]);
  return count;
}
