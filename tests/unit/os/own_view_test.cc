// Whose fault a failure is: limits of the agent, and the parts of the node that its sandbox hides or shows differently.
#include "os/own_view.h"

#include <doctest/doctest.h>
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fakes/own_network.h"
#include "fakes/run_until.h"
#include "fakes/tcp_peer.h"
#include "fakes/temporary_folder.h"
#include "net/resolver.h"
#include "net/stream.h"

using namespace std::chrono_literals;
using fakes::PeerSocket;
using fakes::TcpPeer;
using model::Reason;

namespace {

struct World {
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  net::StreamDialer dialer{loop, resolver};

  net::Connected dial(net::Dial dial) {
    std::optional<net::Connected> connected;
    dial.deadline = loop.now() + 10s;
    const auto handle = dialer.connect(std::move(dial), [&](net::Connected c) { connected = std::move(c); });
    fakes::run_until(loop, [&] { return connected.has_value(); });
    return connected ? *std::move(connected) : net::Connected{};
  }
};

// As systemd 252 makes it for the shipped unit: every mount read-only, /tmp and /home replaced.
const std::string kSelf =
    "601 600 8:1 / / ro,relatime master:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
    "602 601 8:1 /tmp/systemd-private-0123-fettle.service-ab/tmp /tmp rw - ext4 /dev/sda1 rw\n"
    "603 601 0:22 /systemd/inaccessible/dir /home ro,nosuid - tmpfs tmpfs rw,mode=755\n"
    "604 601 8:1 /var/lib/fettle /var/lib/fettle rw - ext4 /dev/sda1 rw\n"
    "605 601 8:2 / /srv/my\\040data ro - xfs /dev/sdb1 rw\n"
    "606 601 8:3 / /srv/broken ro - ext4 /dev/sdc1 ro\n"
    "607 601 8:4 / /srv/bound ro - ext4 /dev/sdd1 rw\n"
    "608 601 0:40 / /mnt/other ro - tmpfs tmpfs rw\n";
const std::string kNode =
    "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
    "22 21 8:2 / /srv/my\\040data rw - xfs /dev/sdb1 rw\n"
    "23 21 8:3 / /srv/broken rw - ext4 /dev/sdc1 ro\n"
    "24 21 8:4 / /srv/bound ro - ext4 /dev/sdd1 rw\n";

}  // namespace

TEST_CASE("a sandbox hides what it replaces, and nothing else") {
  struct Row {
    const char* path;
    const char* setting;  // null: the node's own
    bool known_without_node = true;
  };
  for (const Row& row : {
           Row{"/", nullptr},
           Row{"/tmpfile", nullptr},
           Row{"/var/lib/order", nullptr},
           Row{"/var/lib/fettle/fettle.db", nullptr},
           Row{"/srv/my data/dump", nullptr},
           Row{"/tmp", "PrivateTmp=no"},
           Row{"/tmp/order.sock", "PrivateTmp=no"},
           Row{"/home"
               "/shop/check",
               "ProtectHome=read-only"},
           Row{"/mnt/other/x", "BindReadOnlyPaths=/mnt/other", false},
       }) {
    CAPTURE(row.path);
    for (const std::string& node : {kNode, std::string()}) {
      const std::string why = os::hidden_by_sandbox(row.path, kSelf, node);
      CAPTURE(why);
      if (row.setting == nullptr || (node.empty() && !row.known_without_node)) CHECK(why.empty());
      else CHECK(why.find(std::string("set ") + row.setting + " in a drop-in") != std::string::npos);
    }
  }
  // A container has another root, and shows the node's files where it likes.
  const std::string container = "1 0 0:50 / / rw - overlay overlay rw\n2 1 8:1 / /host ro - ext4 /dev/sda1 rw\n";
  CHECK(os::hidden_by_sandbox("/host/var/lib", container, kNode).empty());
  CHECK(os::hidden_by_sandbox("/tmp/x", kSelf, kSelf).find("PrivateTmp") != std::string::npos);
  CHECK(os::hidden_by_sandbox("/tmp/x", "", "").empty());
  CHECK(os::hidden_by_sandbox("/tmp/x", "1 2\n\n - \nrubbish", "\n\n").empty());
  // This test has no sandbox of its own.
  CHECK(os::hidden_by_sandbox("/var/lib").empty());
}

TEST_CASE("read-only is what the node says, not what the sandbox does") {
  struct Row {
    const char* path;
    bool read_only;
    bool by_super_block;
  };
  for (const Row& row : {Row{"/", false, false}, Row{"/var/lib/order", false, false}, Row{"/srv/my data", false, false},
                         Row{"/srv/broken/x", true, true}, Row{"/srv/bound", true, false}}) {
    CAPTURE(row.path);
    CHECK(os::read_only_on_node(row.path, kSelf, kNode) == row.read_only);
    CHECK(os::read_only_on_node(row.path, kSelf, "") == row.by_super_block);
  }
}

TEST_CASE("a want of the agent is seen while it lasts") {
  CHECK(os::own_want().empty());
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const std::string want = os::own_want();
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(want == "Too many open files");
  CHECK(os::own_want().empty());
}

TEST_CASE("an agent that may open too few files says so before it begins") {
  CHECK(os::few_open_files().empty());
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit few{24, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  const std::string why = os::few_open_files();
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(why ==
        "only 24 files may be open at a time (RLIMIT_NOFILE), and the agent needs 32 without any probe: set "
        "LimitNOFILE=1024 in the unit, or ulimit -n 1024");
}

TEST_CASE("without a local port left to a peer the agent is at fault, without an address it is the node's network") {
  const auto told = fakes::in_own_network([] {
    TcpPeer peer([](PeerSocket& socket) { socket.wait_for_close(); });
    fakes::write_file("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001");
    World world;
    std::vector<net::Connected> held;
    for (int i = 0; i < 3; ++i) held.push_back(world.dial({.host = "127.0.0.1", .port = peer.port()}));
    std::string text;
    for (const auto& each : held) text += each.stream ? "up\n" : each.failure.text + "\n";
    if (held.back().failure.reason != Reason::agent_overloaded) text += "the service is blamed\n";
    held.clear();
    fakes::write_file("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1");
    const auto nowhere = world.dial({.host = "::1", .port = peer.port()});
    if (nowhere.failure.reason != Reason::unreachable) text += nowhere.failure.text;
    return text;
  });
  if (!told) {
    MESSAGE("skipped: this machine lets the test have no network of its own");
    return;
  }
  CHECK(told->starts_with("up\nup\nconnect to 127.0.0.1:"));
  CHECK(told->ends_with(
      ": Cannot assign requested address; all local ports to it are taken (net.ipv4.ip_local_port_range)\n"));
}

TEST_CASE("a unix socket that the agent's user may not connect to is not down") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can make a socket of another user");
    return;
  }
  std::string folder = (std::filesystem::temp_directory_path() / "fettle-own-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  ::chmod(folder.c_str(), 0755);
  const std::string path = folder + "/s";
  std::optional<std::string> told;
  {
    TcpPeer peer([](PeerSocket& socket) { socket.wait_for_close(); }, AF_UNIX, path);
    ::chmod(path.c_str(), 0600);
    const passwd* const nobody = ::getpwnam("nobody");
    REQUIRE(nobody != nullptr);
    told = fakes::in_own_network([&] {
      if (::setgroups(0, nullptr) != 0 || ::setgid(nobody->pw_gid) != 0 || ::setuid(nobody->pw_uid) != 0)
        return std::string("not another user");
      World world;
      const auto denied = world.dial({.unix_path = path});
      return std::string(model::to_string(denied.failure.reason)) + ": " + denied.failure.text;
    });
  }
  std::filesystem::remove_all(folder);
  if (!told) return;
  CHECK(told->starts_with("agent_overloaded: connect to " + path +
                          ": Permission denied; the agent's user may not: give it the socket's group"));
}

TEST_CASE("no further task, says the control group that is full") {
  struct Row {
    const char *proc_cgroup, *group, *most, *now, *want;
  };
  const std::string unit = "system.slice/fettle.service";
  for (const Row& row : std::initializer_list<Row>{
           {"0::/system.slice/fettle.service\n", "system.slice/fettle.service", "256\n", "255\n", ""},
           {"0::/system.slice/fettle.service\n", "system.slice/fettle.service", "256\n", "256\n",
            "256 tasks, as many as /system.slice/fettle.service may have"},
           {"0::/system.slice/fettle.service\n", "system.slice", "9\n", "12\n",
            "12 tasks, as many as /system.slice may have"},
           {"3:cpu:/x\n0::/system.slice/fettle.service\n", "system.slice/fettle.service", "1\n", "1\n",
            "1 tasks, as many as /system.slice/fettle.service may have"},
           {"0::/system.slice/fettle.service\n", "system.slice/fettle.service", "max\n", "256\n", ""},
           {"3:cpu:/system.slice/fettle.service\n", "system.slice/fettle.service", "1\n", "1\n", ""},
           {"0::/\n", "system.slice/fettle.service", "1\n", "1\n", ""},
           {"", "system.slice/fettle.service", "1\n", "1\n", ""},
       }) {
    CAPTURE(row.proc_cgroup);
    CAPTURE(row.most);
    const fakes::TemporaryFolder folder;
    std::filesystem::create_directories(folder / unit);
    const std::string own = folder.write("cgroup", row.proc_cgroup);
    folder.write(std::string(row.group) + "/pids.max", row.most);
    folder.write(std::string(row.group) + "/pids.current", row.now);
    CHECK(os::task_want(own, folder.path()) == row.want);
  }
  CHECK(os::task_want("/nonexistent/cgroup", "/nonexistent").empty());
}
