/* To be preloaded: the wall clock of a program runs apart from the node's by as many milliseconds as stand, as a number
 * of eight bytes, in the file that SET_CLOCK_BY names. It is mapped, so that a change holds from the next look on. Other
 * clocks, and timers of the kernel, stay as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *by_ms;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  const char *path = getenv("SET_CLOCK_BY");
  const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *by_ms, PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) abort();
  close(fd);
  by_ms = page;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (real == NULL) begin();
  const int result = real(clock, now);
  if (result != 0 || clock != CLOCK_REALTIME) return result;
  const long long nanoseconds = now->tv_sec * 1000000000LL + now->tv_nsec + *by_ms * 1000000;
  now->tv_sec = nanoseconds / 1000000000;
  now->tv_nsec = nanoseconds % 1000000000;
  return 0;
}
