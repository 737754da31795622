#define _GNU_SOURCE
#include "CSockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static int result(int value) { return value < 0 ? -errno : value; }

int csockets_poller_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }

static int watch(int poller, int fd, uint64_t token, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.u64 = token}};
  return result(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event));
}

int csockets_watch_connection(int poller, int fd, uint64_t token) {
  return watch(poller, fd, token, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

int csockets_watch_readable(int poller, int fd, uint64_t token) {
  return watch(poller, fd, token, EPOLLIN);
}

int csockets_unwatch(int poller, int fd) {
  return result(epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL));
}

int csockets_wait(int poller, csockets_event *events, int capacity, int timeout_milliseconds) {
  struct epoll_event ready[256];
  if (capacity > 256) capacity = 256;
  int count = epoll_wait(poller, ready, capacity, timeout_milliseconds);
  if (count < 0) return -errno;
  for (int i = 0; i < count; i++) {
    uint32_t from = ready[i].events, flags = 0;
    if (from & EPOLLIN) flags |= CSOCKETS_READABLE;
    if (from & EPOLLOUT) flags |= CSOCKETS_WRITABLE;
    if (from & EPOLLRDHUP) flags |= CSOCKETS_PEER_CLOSED;
    if (from & (EPOLLERR | EPOLLHUP)) flags |= CSOCKETS_HANGUP;
    events[i].token = ready[i].data.u64;
    events[i].flags = flags;
  }
  return count;
}

int csockets_wakeup_create(void) { return result(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }

int csockets_accept(int listener, char *address, int address_capacity) {
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  int fd = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return -errno;
  const void *from = NULL;
  if (peer.ss_family == AF_INET) from = &((struct sockaddr_in *)&peer)->sin_addr;
  if (peer.ss_family == AF_INET6) from = &((struct sockaddr_in6 *)&peer)->sin6_addr;
  if (from == NULL || inet_ntop(peer.ss_family, from, address, address_capacity) == NULL) {
    if (address_capacity > 0) address[0] = 0;
  }
  return fd;
}
