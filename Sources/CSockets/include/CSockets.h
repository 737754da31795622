#pragma once
// The Linux calls that Swift's Glibc module does not import: epoll, eventfd and accept4.
// Every function returns what the system call returns, or -errno.

#include <stdint.h>

enum {
  CSOCKETS_READABLE = 1,
  CSOCKETS_WRITABLE = 2,
  /// The peer has shut down its sending side.
  CSOCKETS_PEER_CLOSED = 4,
  /// The connection is gone in both directions, or has an error.
  CSOCKETS_HANGUP = 8,
};

typedef struct {
  uint64_t token;
  uint32_t flags;
} csockets_event;

/// A new epoll instance.
int csockets_poller_create(void);

/// Watches `fd` for reading, writing and hang-up, edge-triggered.
int csockets_watch_connection(int poller, int fd, uint64_t token);

/// Watches `fd` for reading, level-triggered.
int csockets_watch_readable(int poller, int fd, uint64_t token);

/// Stops watching `fd`.
int csockets_unwatch(int poller, int fd);

/// Waits for events: at most `capacity` of them, at most `timeout_milliseconds` (-1: no limit).
int csockets_wait(int poller, csockets_event *events, int capacity, int timeout_milliseconds);

/// A non-blocking eventfd, for waking a loop from other threads.
int csockets_wakeup_create(void);

/// Accepts a connection as a non-blocking, close-on-exec socket; writes the peer's numeric
/// address, NUL-terminated, to `address`.
int csockets_accept(int listener, char *address, int address_capacity);
