// Addresses that mean something on one link only, with the link behind them: fe80::1%eth0. A network of the test's own,
// whose loopback has such an address.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <linux/ipv6.h>

#include <string>
#include <vector>

#include "fakes/own_network.h"
#include "fakes/probe_kernel.h"

namespace {

using namespace std::chrono_literals;

bool add_link_address() {
  if (!fakes::write_file("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "0")) return false;
  const base::UniqueFd fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  in6_ifreq request{};
  ::inet_pton(AF_INET6, "fe80::1", &request.ifr6_addr);
  request.ifr6_prefixlen = 64;
  request.ifr6_ifindex = static_cast<int>(::if_nametoindex("lo"));
  return fd && ::ioctl(fd.value(), SIOCSIFADDR, &request) == 0;
}

// Answers with the Host header that it was sent, and where the client spoke from.
constexpr const char* kServer = R"(
import socket
server = socket.socket(socket.AF_INET6)
server.bind(("::", 8081))
server.listen()
# The kernel may need a moment for the new address.
while True:
    with socket.socket(socket.AF_INET6) as client:
        if client.connect_ex(("fe80::1", 8081, 0, socket.if_nametoindex("lo"))) == 0:
            break
print("ready", flush=True)
while True:
    client, peer = server.accept()
    # A client that only connects closes at once: what is read then may be a reset.
    try:
        head = client.recv(65536).decode("latin-1").split("\r\n")
        body = ([line for line in head if line.lower().startswith("host:")] + [peer[0]])
        text = "\n".join(body).encode()
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
    except OSError:
        pass
    client.close()
)";

std::string say(const model::Outcome& outcome) {
  const auto family = fakes::measured(outcome, "probe_ip_protocol");
  const bool hashed = fakes::measured(outcome, "probe_ip_addr_hash").has_value();
  return std::string(outcome.up ? "up" : outcome.text) +
         (family ? " " + std::to_string(static_cast<int>(*family)) : "") + (hashed ? " hashed\n" : "\n");
}

}  // namespace

TEST_CASE("an address of one link is reached with its zone, and no server is told of the zone") {
  const auto told = fakes::in_own_network([] {
    if (!add_link_address()) return std::string("no IPv6");
    const fakes::RunningProgram server({"/usr/bin/python3", "-c", kServer});
    if (server.first_line() != "ready") return std::string("no python3");
    fakes::ProbeKernel kernel;
    const auto run = [&](const char* type, const char* target, const std::vector<std::string>& settings = {}) {
      return say(kernel.run(type, target, settings, 20s));
    };
    const std::string host = R"(fail_if_body_not_matches_regexp=["^Host: \\[fe80::1\\]:8081\\nfe80::1$"])";
    return run("tcp", "[fe80::1%lo]:8081") + run("tcp", "[fe80::1%lo]:8081", {"source_ip_address=fe80::1%lo"}) +
           run("icmp", "fe80::1%lo") + run("icmp", "fe80::1%lo", {"source_ip_address=fe80::1%lo"}) +
           run("http", "http://[fe80::1%25lo]:8081/", {host}) + run("http", "http://[fe80::1%lo]:8081/", {host}) +
           run("http", "http://[fe80::1%25lo]:8081/", {host, "reuse_connection=true"}) +
           run("http", "http://[fe80::1%25lo]:8081/", {host, "ip_protocol=prefer_ip6"}) +
           run("http", "http://[fe80::1%25lo]:8081/", {host, "ip_protocol=ip6", "reuse_connection=true"}) +
           run("listener", "[fe80::1%lo]:8081") + run("tcp", "[fe80::1%none0]:8081") + run("tcp", "[fe80::1]:8081");
  });
  if (!told || *told == "no IPv6" || *told == "no python3") {
    MESSAGE("skipped: no network namespace with IPv6, or no python3, to be had here");
    return;
  }
  CHECK(*told ==
        "up 6 hashed\nup 6 hashed\nup 6 hashed\nup 6 hashed\nup 6 hashed\nup 6 hashed\nup 6 hashed\nup 6 hashed\n"
        "up 6 hashed\nup\n"
        "fe80::1%none0 is an address of a link that this node does not have\n"
        "connect to [fe80::1]:8081: Invalid argument; an address of one link needs the link behind it, as in "
        "fe80::1%eth0 6 hashed\n");
}
