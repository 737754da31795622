#define _GNU_SOURCE 1
// Single program, many threads: a body runs once on every worker. Between bodies the threads spin
// for a moment and then sleep; inside a body the barrier does the same. Both wait on one word that
// the last arrival changes, so a wait that ends within the spin costs one cache line's way from
// core to core and no system call.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "CKernels.h"

enum { SPIN_NANOSECONDS = 60000 };

/// A word to wait on: waiters spin while it keeps its value, then sleep under the mutex.
typedef struct {
  _Alignas(64) _Atomic uint32_t word;
  _Atomic uint32_t sleepers;
  pthread_mutex_t mutex;
  pthread_cond_t condition;
} gate;

struct tk_pool {
  _Alignas(64) _Atomic int32_t arrived;
  gate barrier;
  gate start;
  _Atomic int stop;
  int32_t threads;
  _Atomic int caller;  // the processor that worker 0 began on; -1 where that can't be told
  int32_t spins;  // 0 where there are fewer processors than workers: spinning would hold up the others
  void (*body)(void *, int32_t);
  void *context;
  pthread_t *handles;
  struct tk_start *starts;
};

struct tk_start {
  tk_pool *pool;
  int32_t index;
};

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int64_t now_nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void gate_init(gate *g) {
  atomic_init(&g->word, 0);
  atomic_init(&g->sleepers, 0);
  pthread_mutex_init(&g->mutex, NULL);
  pthread_cond_init(&g->condition, NULL);
}

static void gate_free(gate *g) {
  pthread_mutex_destroy(&g->mutex);
  pthread_cond_destroy(&g->condition);
}

/// The word goes up first and sleepers are read second; a sleeper counts itself first and reads
/// the word second. Sequential consistency makes one of them see the other.
static void gate_open(gate *g) {
  atomic_fetch_add(&g->word, 1);
  if (atomic_load(&g->sleepers) != 0) {
    pthread_mutex_lock(&g->mutex);
    pthread_cond_broadcast(&g->condition);
    pthread_mutex_unlock(&g->mutex);
  }
}

static void gate_wait(gate *g, uint32_t old, int32_t spin) {
  for (int i = 0; i < 2000 && spin; i++) {
    if (atomic_load_explicit(&g->word, memory_order_acquire) != old) return;
    pause_briefly();
  }
  if (spin) {
    int64_t end = now_nanoseconds() + SPIN_NANOSECONDS;
    do {
      for (int i = 0; i < 50; i++) {
        if (atomic_load_explicit(&g->word, memory_order_acquire) != old) return;
        pause_briefly();
      }
      // Whom this waits for may stand in line for this very processor.
      sched_yield();
    } while (now_nanoseconds() < end);
  } else {
    for (int i = 0; i < 20; i++) {
      if (atomic_load_explicit(&g->word, memory_order_acquire) != old) return;
      sched_yield();
    }
  }
  pthread_mutex_lock(&g->mutex);
  atomic_fetch_add(&g->sleepers, 1);
  while (atomic_load(&g->word) == old) pthread_cond_wait(&g->condition, &g->mutex);
  atomic_fetch_sub(&g->sleepers, 1);
  pthread_mutex_unlock(&g->mutex);
}

void tk_pool_barrier(tk_pool *pool, int32_t index) {
  (void)index;
  if (pool->threads == 1) return;
  uint32_t old = atomic_load_explicit(&pool->barrier.word, memory_order_acquire);
  if (atomic_fetch_add(&pool->arrived, 1) == pool->threads - 1) {
    atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
    gate_open(&pool->barrier);
  } else {
    gate_wait(&pool->barrier, old, pool->spins);
  }
}

/// A woken thread may be put in line behind the one that woke it, which then spins for it while another
/// processor is idle: the scheduler takes milliseconds to see that. Whoever finds itself there moves.
static void leave_processor_of_caller(tk_pool *pool) {
#if defined(__linux__)
  int caller = atomic_load_explicit(&pool->caller, memory_order_relaxed);
  if (!pool->spins || caller < 0 || sched_getcpu() != caller) return;
  cpu_set_t allowed, others;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || caller >= CPU_SETSIZE) return;
  others = allowed;
  CPU_CLR(caller, &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
#else
  (void)pool;
#endif
}

static void *thread_main(void *argument) {
  struct tk_start *start = argument;
  tk_pool *pool = start->pool;
  int32_t index = start->index;
  char name[16];
  snprintf(name, sizeof name, "kernels-%d", (int)index);
#if defined(__APPLE__)
  pthread_setname_np(name);
#else

  pthread_setname_np(pthread_self(), name);
#endif
  uint32_t seen = 0;
  for (;;) {
    gate_wait(&pool->start, seen, pool->spins);
    seen++;
    if (atomic_load(&pool->stop)) return NULL;
    leave_processor_of_caller(pool);
    pool->body(pool->context, index);
    tk_pool_barrier(pool, index);
  }
}

void tk_pool_run(tk_pool *pool, void (*body)(void *, int32_t), void *context) {
  pool->body = body;
  pool->context = context;
#if defined(__linux__)
  atomic_store_explicit(&pool->caller, sched_getcpu(), memory_order_relaxed);
#endif
  if (pool->threads > 1) gate_open(&pool->start);
  body(context, 0);
  tk_pool_barrier(pool, 0);
}

static void stop_threads(tk_pool *pool, int32_t running) {
  atomic_store(&pool->stop, 1);
  gate_open(&pool->start);
  for (int32_t i = 1; i < running; i++) pthread_join(pool->handles[i], NULL);
}

void tk_pool_destroy(tk_pool *pool) {
  if (!pool) return;
  stop_threads(pool, pool->threads);
  gate_free(&pool->barrier);
  gate_free(&pool->start);
  free(pool->handles);
  free(pool->starts);
  free(pool);
}

tk_pool *tk_pool_create(int32_t threads) {
  if (threads < 1 || threads > 1024) return NULL;
  void *memory = NULL;
  if (posix_memalign(&memory, 64, sizeof(tk_pool)) != 0) return NULL;
  tk_pool *pool = memory;
  pool->threads = threads;
  pool->spins = tk_allowed_processor_count() >= threads;
  pool->body = NULL;
  pool->context = NULL;
  atomic_init(&pool->arrived, 0);
  atomic_init(&pool->stop, 0);
  atomic_init(&pool->caller, -1);
  gate_init(&pool->barrier);
  gate_init(&pool->start);
  pool->handles = calloc((size_t)threads, sizeof(pthread_t));
  pool->starts = calloc((size_t)threads, sizeof(struct tk_start));
  int32_t running = 1;
  if (pool->handles && pool->starts) {
    for (; running < threads; running++) {
      pool->starts[running] = (struct tk_start){pool, running};
      if (pthread_create(&pool->handles[running], NULL, thread_main, &pool->starts[running]) != 0)
        break;
    }
  }
  if (running != threads) {
    if (pool->handles) stop_threads(pool, running);
    gate_free(&pool->barrier);
    gate_free(&pool->start);
    free(pool->handles);
    free(pool->starts);
    free(pool);
    return NULL;
  }
  return pool;
}
