#include "os/thread_wait.h"

#include <sys/syscall.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"

namespace os {
namespace {

namespace fs = std::filesystem;
using model::Wait;

constexpr std::size_t kMostText = 64 * 1024;

std::string read_text(const std::string& path) { return base::read_file(path, kMostText).value_or(""); }

std::string_view value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = base::take_line(text);
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':')
      return base::trim(line.substr(key.size() + 1));
  }
  return "";
}

bool is_one_of(long call, std::initializer_list<long> calls) {
  return std::find(calls.begin(), calls.end(), call) != calls.end();
}

// Calls whose first argument is a descriptor that says what is waited for.
bool reads_or_writes(long call) {
  return is_one_of(call, {SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv,
                          SYS_pwritev, SYS_sendfile, SYS_splice});
}

bool is_io(long call) {
  return is_one_of(
      call, {SYS_fsync,      SYS_fdatasync, SYS_sync,       SYS_syncfs,    SYS_openat,   SYS_ftruncate, SYS_fallocate,
             SYS_getdents64, SYS_statx,     SYS_newfstatat, SYS_renameat2, SYS_unlinkat, SYS_mkdirat,   SYS_msync,
#ifdef SYS_open
             SYS_open,       SYS_stat,      SYS_lstat,      SYS_rename,    SYS_unlink,   SYS_mkdir,
#endif
             SYS_close});
}

bool is_lock(long call) { return is_one_of(call, {SYS_futex, SYS_flock, SYS_fcntl}); }
bool is_peer(long call) {
  return is_one_of(call, {SYS_recvfrom, SYS_recvmsg, SYS_sendto, SYS_sendmsg, SYS_connect, SYS_recvmmsg});
}
bool is_sleep(long call) { return is_one_of(call, {SYS_nanosleep, SYS_clock_nanosleep, SYS_restart_syscall}); }

Wait wait_on(std::string_view file) {
  if (file.starts_with("socket:")) return Wait::peer;
  if (file.starts_with("anon_inode:")) return Wait::work;  // eventfd, signalfd, timerfd, inotify
  return Wait::io;
}

// Where no system call is shown, by words of the kernel's functions.
Wait wait_at(std::string_view place) {
  const auto has = [&](std::string_view word) { return place.find(word) != std::string_view::npos; };
  if (has("futex")) return Wait::lock;
  if (has("pipe") || has("fifo") || has("io_schedule") || has("folio_wait") || has("nfs")) return Wait::io;
  if (has("poll") || has("select") || has("accept") || has("do_wait") || has("sigtimedwait")) return Wait::work;
  if (has("sk_wait") || has("recvmsg") || has("skb")) return Wait::peer;
  if (has("nanosleep")) return Wait::sleep;
  return Wait::hidden;
}

ThreadLook look_at(pid_t pid, pid_t thread, const KernelFiles& files) {
  const std::string process = files.proc + "/" + std::to_string(pid);
  const std::string folder = process + "/task/" + std::to_string(thread);
  const std::string status = read_text(folder + "/status");
  ThreadLook out;
  out.pid = pid;
  out.thread = thread;
  out.name = value_of(status, "Name");
  if (const auto state = value_of(status, "State"); !state.empty()) out.state = state.front();
  for (const char* key : {"voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"})
    out.switches += base::leading_number<std::uint64_t>(value_of(status, key)).value_or(0);
  out.call = base::trim(read_text(folder + "/syscall"), " \n");
  out.place = base::trim(read_text(folder + "/wchan"), " \n");
  if (out.place == "0") out.place.clear();
  std::string_view words = out.call;
  const auto call = base::leading_number<long>(base::take_until(words, ' '));
  if (!call || !reads_or_writes(*call) || !words.starts_with("0x")) return out;
  words.remove_prefix(2);
  std::error_code gone;
  if (const auto descriptor = base::leading_number<unsigned>(words, 16))
    out.file = fs::read_symlink(process + "/fd/" + std::to_string(*descriptor), gone).string();
  return out;
}

}  // namespace

std::vector<ThreadLook> look_at_threads(pid_t pid, std::size_t most, const KernelFiles& files) {
  std::vector<ThreadLook> out;
  std::error_code code;
  fs::directory_iterator threads(files.proc + "/" + std::to_string(pid) + "/task", code);
  for (; !code && threads != fs::directory_iterator() && out.size() < most; threads.increment(code)) {
    const auto thread = base::read_number<pid_t>(threads->path().filename().string());
    if (!thread) continue;
    ThreadLook look = look_at(pid, *thread, files);
    if (look.state != 0) out.push_back(std::move(look));
  }
  return out;
}

Wait wait_of(const ThreadLook& look, bool ran) {
  if (look.state == 'T' || look.state == 't') return Wait::stopped;
  if (look.state == 'D') return Wait::disk;
  if (look.state == 'R' || ran) return Wait::runs;
  const auto call = base::leading_number<long>(look.call);
  if (!call || *call < 0) return wait_at(look.place);
  if (reads_or_writes(*call)) return wait_on(look.file);
  if (is_lock(*call)) return Wait::lock;
  if (is_io(*call)) return Wait::io;
  if (is_peer(*call)) return Wait::peer;
  if (is_sleep(*call)) return Wait::sleep;
  return Wait::work;  // poll, epoll, accept, wait …
}

}  // namespace os
