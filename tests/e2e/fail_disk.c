/* To be preloaded: writes and syncs of files whose path has "/state/fettle.db" in it fail, as many of a hundred as stand, as a number of
 * eight bytes, in the file that FAIL_DISK_PART names: with EIO, and writes with ENOSPC in turn. It is mapped, so that a change holds
 * from the next call on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static const volatile long long *part;
static unsigned int calls = 2463534242u;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAIL_DISK_PART");
  const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *part, PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) abort();
  close(fd);
  part = page;
}

static int fails(int fd) {
  char link[40], path[4096];
  ssize_t length;
  if (part == NULL || *part == 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  if (strstr(path, "/state/fettle.db") == NULL) return 0;
  calls ^= calls << 13, calls ^= calls >> 17, calls ^= calls << 5;
  return (long long)(calls % 100) < *part;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  if (fails(fd)) return errno = calls & 256 ? ENOSPC : EIO, -1;
  return NEXT(pwrite64)(fd, bytes, count, at);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  if (fails(fd)) return errno = calls & 256 ? ENOSPC : EIO, -1;
  return NEXT(pwrite)(fd, bytes, count, at);
}
int fsync(int fd) { return fails(fd) ? errno = EIO, -1 : NEXT(fsync)(fd); }
int fdatasync(int fd) { return fails(fd) ? errno = EIO, -1 : NEXT(fdatasync)(fd); }
