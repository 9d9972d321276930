#include "os/service_look.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "fakes/child.h"
#include "fakes/kernel_tree.h"
#include "os/socket_table.h"
#include "os/thread_wait.h"

namespace {

using fakes::Child;
using model::Wait;

// As soon as the child has come to where it stays; what it is after ten seconds, else.
Wait wait_of_child(const Child& child, Wait expected) {
  model::FaultSigns signs;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (signs.main != expected && std::chrono::steady_clock::now() < end) {
    signs = os::look_at_service({"", child.pid(), 0}).signs;
    std::this_thread::yield();
  }
  return signs.main.value_or(Wait::runs);
}

std::string text_of(const os::ServiceLook& look, const std::string& name) {
  std::string out;
  for (const auto& section : look.sections)
    if (section.name == name)
      for (const std::string& line : section.lines) out += line + "\n";
  return out;
}

}  // namespace

TEST_CASE("what a process waits for is seen from outside") {
  const Child stopped([] { ::raise(SIGSTOP); });
  CHECK(wait_of_child(stopped, Wait::stopped) == Wait::stopped);
  const Child asleep([] { ::sleep(600); });
  CHECK(wait_of_child(asleep, Wait::sleep) == Wait::sleep);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const Child reads([&] {
    char byte = 0;
    [[maybe_unused]] const auto n = ::read(ends[0], &byte, 1);
  });
  const auto threads = os::look_at_threads(reads.pid(), 1, {});
  REQUIRE(threads.size() == 1);
  if (threads.front().call.empty()) {
    MESSAGE("skipped: this kernel shows no system calls");
    return;
  }
  CHECK(wait_of_child(reads, Wait::io) == Wait::io);
  const auto look = os::look_at_service({"", reads.pid(), 0});
  CHECK(look.signs.process);
  CHECK(text_of(look, "threads").find("pipe:") != std::string::npos);
  CHECK(text_of(look, "limits").find("Max open files") != std::string::npos);
}

TEST_CASE("a wait is named by the system call, else by the place in the kernel, else not") {
  struct Row {
    char state;
    bool ran;
    const char *call, *place, *file;
    Wait wait;
  };
  const std::string futex = std::to_string(SYS_futex), read = std::to_string(SYS_read),
                    poll = std::to_string(SYS_ppoll);
  for (const Row& row : {Row{'S', false, futex.c_str(), "", "", Wait::lock},
                         {'S', true, futex.c_str(), "", "", Wait::runs},
                         {'R', false, "running", "", "", Wait::runs},
                         {'D', false, "", "", "", Wait::disk},
                         {'T', true, "", "", "", Wait::stopped},
                         {'S', false, read.c_str(), "", "pipe:[1]", Wait::io},
                         {'S', false, read.c_str(), "", "socket:[1]", Wait::peer},
                         {'S', false, read.c_str(), "", "anon_inode:[eventfd]", Wait::work},
                         {'S', false, poll.c_str(), "", "", Wait::work},
                         {'S', false, "", "futex_do_wait", "", Wait::lock},
                         {'S', false, "", "ep_poll", "", Wait::work},
                         {'S', false, "", "", "", Wait::hidden}}) {
    CAPTURE(row.call);
    CAPTURE(row.place);
    os::ThreadLook look;
    look.state = row.state;
    look.call = row.call;
    look.place = row.place;
    look.file = row.file;
    CHECK(os::wait_of(look, row.ran) == row.wait);
  }
}

TEST_CASE("sockets are read as /proc/net/tcp has them, of both families") {
  const fakes::KernelTree kernel;
  const std::string net = kernel.files().proc + "/net";
  ::mkdir(net.c_str(), 0755);
  std::ofstream(net + "/tcp")
      << "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
         "   0: 0100007F:1F91 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 4711 1 0 100 0\n"
         "   1: 0100007F:1F91 0500000A:B2C4 08 00000000:00000010 00:00000000 00000000  1000        0 4712 1 0 20\n"
         "damaged\n";
  std::ofstream(net + "/tcp6")
      << "  sl  local_address                         remote_address                        st\n"
         "   0: 00000000000000000000000001000000:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 "
         "00:00000000 00000000     0        0 9 1 0 100\n";
  const auto sockets = os::tcp_sockets(kernel.files());
  REQUIRE(sockets.size() == 3);
  CHECK(sockets[0].listens());
  CHECK(sockets[0].address == "127.0.0.1");
  CHECK(sockets[0].port == 8081);
  CHECK(sockets[0].to_read == 3);
  CHECK(sockets[0].inode == 4711);
  CHECK(sockets[1].state == "CLOSE_WAIT");
  CHECK(sockets[1].peer == "10.0.0.5");
  CHECK(sockets[1].user == 1000);
  CHECK(sockets[2].address == "::1");
  CHECK(os::tcp_sockets(kernel.files(), 1).size() == 2);

  const auto look = os::look_at_service({"", 0, 8081}, kernel.files());
  CHECK(look.signs.accept_queue == 3);
  CHECK(text_of(look, "sockets") == "listens on 127.0.0.1:8081: 3 wait to be accepted\nfrom 10.0.0.5: CLOSE_WAIT 1\n");
  CHECK_FALSE(look.signs.process);
}

TEST_CASE("the control group of a unit says how much it has left, page cache aside") {
  const fakes::KernelTree kernel;
  kernel.process(::getpid(), "0::/system.slice/order.service");
  const std::string group = kernel.files().cgroup + "/system.slice/order.service/";
  std::ofstream(group + "memory.current") << "990\n";
  std::ofstream(group + "memory.max") << "1000\n";
  std::ofstream(group + "memory.stat") << "anon 700\nfile 250\nslab_unreclaimable 40\n";
  std::ofstream(group + "memory.events") << "low 0\noom 1\noom_kill 2\n";
  std::ofstream(group + "pids.current") << "12\n";
  std::ofstream(group + "pids.max") << "max\n";
  std::ofstream(group + "memory.pressure") << "some avg10=1.50 avg60=0.00 avg300=0.00 total=9\n";
  const auto look = os::look_at_service({"order.service", 0, 0}, kernel.files());
  REQUIRE(look.signs.levels.size() == 1);
  CHECK(look.signs.levels[0].used == 740);
  CHECK(look.signs.levels[0].limit == 1000);
  CHECK(look.signs.oom_kills == 2);
  CHECK(text_of(look, "cgroup").find("memory.pressure: some avg10=1.50") != std::string::npos);
}
