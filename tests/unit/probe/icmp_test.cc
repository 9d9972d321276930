// icmp: what the type makes of an answer, and the kernel's ping and raw sockets in a network of the test's own.
#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include <string>

#include "fakes/own_network.h"
#include "fakes/probe_kernel.h"
#include "fakes/probe_trial.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

}  // namespace

TEST_CASE("icmp asks for one echo and measures the answer") {
  fakes::Trial trial("icmp", "gateway.test", {"ip_protocol=ip6", "payload_size=100", "ttl=3", "dont_fragment=true"});
  trial.start();
  const net::Ping& asked = trial.world.dialer.pings.last();
  CHECK(asked.host == "gateway.test");
  CHECK(asked.family == net::Family::v6);
  CHECK(asked.payload_size == 100);
  CHECK(asked.hop_limit == 3);
  CHECK(asked.dont_fragment);
  CHECK(asked.deadline == trial.world.loop.now() + 1s);
  net::Pinged pinged;
  pinged.address = "2001:db8::1";
  pinged.hop_limit = 61;
  pinged.phases = {{"resolve", 3ms}, {"setup", 1ms}, {"rtt", 20ms}};
  trial.world.dialer.pings.answer(pinged);
  REQUIRE(trial.answers == 1);
  CHECK(trial.found.up);
  CHECK(trial.found.text == "2001:db8::1 answered in 20ms");
  CHECK(trial.measured("probe_icmp_duration_seconds", "phase", "resolve") == doctest::Approx(0.003));
  CHECK(trial.measured("probe_icmp_duration_seconds", "phase", "setup") == doctest::Approx(0.001));
  CHECK(trial.measured("probe_icmp_duration_seconds", "phase", "rtt") == doctest::Approx(0.020));
  CHECK(trial.measured("probe_icmp_reply_hop_limit") == 61);
  CHECK(trial.measured("probe_ip_protocol") == 6);
  CHECK(trial.measured("probe_dns_lookup_time_seconds") == doctest::Approx(0.003));
}

TEST_CASE("icmp without an answer is down, for the reason that the kernel gave") {
  fakes::Trial trial("icmp", "192.0.2.1");
  trial.start();
  net::Pinged pinged;
  pinged.failure = {Reason::unreachable, "ping 192.0.2.1: No route to host"};
  pinged.address = "192.0.2.1";
  trial.world.dialer.pings.answer(pinged);
  CHECK_FALSE(trial.found.up);
  CHECK(trial.found.reason == Reason::unreachable);
  CHECK(trial.found.text == "ping 192.0.2.1: No route to host");
  CHECK(trial.measured("probe_icmp_duration_seconds", "phase", "rtt") == 0);
}

TEST_CASE("icmp refuses settings that cannot be") {
  for (const auto& [setting, want] : std::vector<std::pair<const char*, const char*>>{
           {"payload_size=7", "payload_size: must be between 8 and 65000"},
           {"ttl=256", "ttl: must be between 0 and 255"},
       }) {
    const auto spec = probe::spec_from_arguments("icmp", "192.0.2.1", {setting});
    REQUIRE_FALSE(spec);
    CHECK(spec.error().text.find(want) != std::string::npos);
  }
}

namespace {

void give_up_raw_sockets() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  ::syscall(SYS_capget, &header, data);
  data[0].effective &= ~(1U << CAP_NET_RAW);
  data[0].permitted &= ~(1U << CAP_NET_RAW);
  ::syscall(SYS_capset, &header, data);
}

// One line for each run: what was found, without its time.
std::string say(const model::Outcome& found) {
  std::string text = found.up ? found.text.substr(0, found.text.rfind(" in ")) : found.text;
  if (const auto hops = fakes::measured(found, "probe_icmp_reply_hop_limit"))
    text += ", hop limit " + std::to_string(static_cast<int>(*hops));
  return (found.up ? "" : std::string(model::to_string(found.reason)) + ": ") + text + "\n";
}

}  // namespace

TEST_CASE("icmp goes over a ping socket where it may, else over a raw one, else it says what to do") {
  const auto told = fakes::in_own_network([] {
    const auto set = [](const std::string& name, const std::string& value) {
      fakes::write_file("/proc/sys/net/ipv4/" + name, value);
    };
    fakes::ProbeKernel kernel;
    const auto ping = [&](const char* address, const std::vector<std::string>& settings = {},
                          base::Millis timeout = 20s) { return say(kernel.run("icmp", address, settings, timeout)); };
    std::string out = ping("127.0.0.1") + ping("127.0.0.1", {"payload_size=8"}) +
                      ping("127.0.0.1", {"payload_size=9000"}) +
                      ping("127.0.0.1", {"payload_size=9000", "dont_fragment=true"}) + ping("192.0.2.1");
    set("icmp_echo_ignore_all", "1");
    out += ping("127.0.0.1", {}, 50ms);
    set("icmp_echo_ignore_all", "0");
    set("ping_group_range", "1 0");
    out += "raw\n" + ping("127.0.0.1") + ping("127.0.0.1", {"payload_size=9001"});
    give_up_raw_sockets();
    out += "nothing\n" + ping("127.0.0.1");
    set("ping_group_range", "0 0");
    return out + "ping socket\n" + ping("127.0.0.1");
  });
  if (!told) {
    MESSAGE("skipped: no network namespace to be had here (unshare(2) or /proc/sys refused)");
    return;
  }
  CHECK(*told ==
        "127.0.0.1 answered, hop limit 64\n"
        "127.0.0.1 answered, hop limit 64\n"
        "127.0.0.1 answered, hop limit 64\n"
        "too_large: ping 127.0.0.1: Message too long\n"
        "unreachable: ping 192.0.2.1: Network is unreachable\n"
        "read_timeout: ping 127.0.0.1: no answer in time\n"
        "raw\n"
        "127.0.0.1 answered, hop limit 64\n"
        "127.0.0.1 answered, hop limit 64\n"
        "nothing\n"
        "agent_overloaded: the agent may not ping: net.ipv4.ping_group_range is '1 0' and leaves its group out, and it "
        "has no CAP_NET_RAW; allow it with sysctl net.ipv4.ping_group_range='0 2147483647'\n"
        "ping socket\n"
        "127.0.0.1 answered, hop limit 64\n");
}

TEST_CASE("icmp pings over IPv6, too") {
  const auto told = fakes::in_own_network([] {
    fakes::ProbeKernel kernel;
    if (!fakes::write_file("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "0")) return std::string("no IPv6");
    std::string out = say(kernel.run("icmp", "::1", {}, 20s));
    fakes::write_file("/proc/sys/net/ipv4/ping_group_range", "1 0");
    return out + say(kernel.run("icmp", "::1", {}, 20s));
  });
  if (!told || *told == "no IPv6") {
    MESSAGE("skipped: no network namespace with IPv6 to be had here");
    return;
  }
  CHECK(*told == "::1 answered, hop limit 64\n::1 answered, hop limit 64\n");
}
