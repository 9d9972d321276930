#include "net/resolver.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/unique_fd.h"
#include "fakes/run_until.h"
#include "net/hosts_file.h"

using namespace std::chrono_literals;
using Answer = base::Result<std::vector<net::Address>>;

namespace {

// A name server on the loop: names that begin with "ok" have 192.0.2.7 (and no IPv6 address), with "no" do not exist,
// with "bad" are refused, all others get no answer.
class NameServer {
 public:
  explicit NameServer(loop::EventLoop& loop, std::uint8_t ttl = 60) : ttl_(ttl) {
    fd_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd_.value(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    ::getsockname(fd_.value(), reinterpret_cast<sockaddr*>(&address), &size);
    settings.servers = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    settings.hosts_file = "/no/such/hosts";
    watch_ = loop.watch(fd_.value(), {.read = true}, [this](loop::Ready) { answer(); });
  }
  net::ResolverSettings settings;
  int questions = 0;

 private:
  void answer() {
    std::array<unsigned char, 512> packet{};
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t n =
        ::recvfrom(fd_.value(), packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n < 17) return;
    ++questions;
    const std::string name(reinterpret_cast<const char*>(packet.data()) + 13, packet[12]);
    if (!name.starts_with("ok") && !name.starts_with("no") && !name.starts_with("bad")) return;
    // The question ends five bytes after its last label: type and class.
    std::size_t end = 12;
    while (packet.at(end) != 0) end += packet.at(end) + 1u;
    const bool v4 = packet.at(end + 2) == 1;
    end += 5;
    packet[2] = 0x81;
    packet[3] = name.starts_with("no") ? 0x83 : name.starts_with("bad") ? 0x85 : 0x80;
    packet[8] = packet[9] = packet[10] = packet[11] = 0;
    packet[6] = 0;
    packet[7] = name.starts_with("ok") && v4 ? 1 : 0;
    if (packet[7] == 1)
      for (const int byte : {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, int{ttl_}, 0, 4, 192, 0, 2, 7})
        packet.at(end++) = static_cast<unsigned char>(byte);
    ::sendto(fd_.value(), packet.data(), end, 0, reinterpret_cast<const sockaddr*>(&from), size);
  }
  std::uint8_t ttl_;
  base::UniqueFd fd_;
  loop::Handle watch_;
};

Answer ask(loop::EventLoop& loop, net::Resolver& resolver, const std::string& name,
           net::Family family = net::Family::any, base::Duration limit = 10s) {
  std::optional<Answer> got;
  const auto handle =
      resolver.resolve(name, 8081, family, loop.now() + limit, [&](Answer answer) { got = std::move(answer); });
  CHECK_FALSE(got.has_value());
  REQUIRE(fakes::run_until(loop, [&] { return got.has_value(); }));
  return *std::move(got);
}

std::string texts(const Answer& answer) {
  if (!answer) return std::string(base::to_string(answer.error().kind)) + ": " + answer.error().text;
  std::string out;
  for (const auto& address : *answer) out += (out.empty() ? "" : " ") + address.text;
  return out;
}

}  // namespace

TEST_CASE("an address of IPv4 that is written as one of IPv6 is one of IPv4") {
  for (const char* text : {"::ffff:192.0.2.7", "[::ffff:192.0.2.7]", "::ffff:c000:207"}) {
    const auto literal = net::parse_literal(text);
    REQUIRE(literal.size() == 1);
    CHECK_FALSE(literal[0].is_v6());
    CHECK(literal[0].text == "192.0.2.7");
  }
}

TEST_CASE("literals, localhost and the hosts file are answered without a packet") {
  loop::EventLoop loop;
  NameServer server(loop);
  const std::string hosts = std::filesystem::temp_directory_path() / ("fettle-hosts-" + std::to_string(::getpid()));
  std::ofstream(hosts)
      << "# comment\n192.0.2.1 shop Shop.Test # me\n2001:db8::1\tshop\n192.0.2.2 many\n192.0.2.3 many\nnonsense x\n\n";
  server.settings.hosts_file = hosts;
  net::AresResolver resolver(loop, server.settings);
  using net::Family;
  struct Row {
    const char* name;
    Family family;
    const char* want;
  };
  for (const Row& row : {Row{"127.0.0.1", Family::any, "127.0.0.1"}, Row{"::1", Family::any, "::1"},
                         Row{"[::1]", Family::v6, "::1"}, Row{"::1", Family::v4, "not_found: ::1 is no IPv4 address"},
                         Row{"localhost", Family::any, "127.0.0.1 ::1"}, Row{"LOCALHOST", Family::v6, "::1"},
                         Row{"a.localhost", Family::v4, "127.0.0.1"}, Row{"shop", Family::any, "192.0.2.1 2001:db8::1"},
                         Row{"SHOP.test", Family::any, "192.0.2.1"}, Row{"shop", Family::v6, "2001:db8::1"},
                         // One address, as the blackbox exporter chooses it.
                         Row{"shop", Family::prefer_v4, "192.0.2.1"}, Row{"shop", Family::prefer_v6, "2001:db8::1"},
                         Row{"many", Family::prefer_v6, "192.0.2.3"}, Row{"many", Family::prefer_v4, "192.0.2.2"},
                         Row{"many", Family::first_v4, "192.0.2.2"}, Row{"127.0.0.1", Family::prefer_v6, "127.0.0.1"},
                         Row{"127.0.0.1", Family::first_v6, "not_found: 127.0.0.1 is no IPv6 address"}}) {
    CAPTURE(row.name);
    CHECK(texts(ask(loop, resolver, row.name, row.family)) == row.want);
  }
  CHECK(server.questions == 0);
  std::ofstream(hosts) << "192.0.2.200 shop\n";
  CHECK(texts(ask(loop, resolver, "shop")) == "192.0.2.200");
  std::filesystem::remove(hosts);
}

TEST_CASE("the port is in the address") {
  loop::EventLoop loop;
  net::AresResolver resolver(loop);
  const auto v4 = ask(loop, resolver, "127.0.0.1"), v6 = ask(loop, resolver, "::1");
  CHECK(ntohs(reinterpret_cast<const sockaddr_in*>(&v4->front().storage)->sin_port) == 8081);
  CHECK(ntohs(reinterpret_cast<const sockaddr_in6*>(&v6->front().storage)->sin6_port) == 8081);
  CHECK(v6->front().is_v6());
}

TEST_CASE("a name server's answers come back, whatever they are") {
  loop::EventLoop loop;
  NameServer server(loop);
  net::AresResolver resolver(loop, server.settings);
  CHECK(texts(ask(loop, resolver, "ok.test.", net::Family::v4)) == "192.0.2.7");
  CHECK(texts(ask(loop, resolver, "ok.test.", net::Family::any)) == "192.0.2.7");
  CHECK(texts(ask(loop, resolver, "no.test.")) == "not_found: no address for no.test.");
  CHECK(texts(ask(loop, resolver, "ok.test.", net::Family::v6)) == "not_found: no address for ok.test.");
  CHECK(ask(loop, resolver, "bad.test.").error().kind == base::Kind::unavailable);
}

TEST_CASE("a silent name server costs no more than the deadline, and the loop turns meanwhile") {
  loop::EventLoop loop;
  NameServer server(loop);
  net::AresResolver resolver(loop, server.settings);
  // A busy machine may delay any turn; who waits in one does so in each run.
  base::Duration longest = 1h;
  for (int i = 0; i < 50 && longest >= 25ms; ++i) {
    const auto begin = loop.now();
    loop.take_longest_turn();
    CHECK(texts(ask(loop, resolver, "silent.test.", net::Family::v4, 30ms)) ==
          "timeout: no answer about silent.test. in time");
    CHECK(loop.now() - begin >= 30ms);
    longest = loop.take_longest_turn();
  }
  CHECK(longest < 25ms);
}

TEST_CASE("an answer is kept for its time to live, and equal questions are asked once") {
  loop::EventLoop loop;
  NameServer server(loop);
  net::AresResolver resolver(loop, server.settings);
  int answers = 0;
  std::vector<loop::Handle> handles;
  for (int i = 0; i < 5; ++i)
    handles.push_back(resolver.resolve("ok.test.", 1, net::Family::v4, loop.now() + 10s,
                                       [&](Answer answer) { answers += answer.has_value(); }));
  handles.pop_back();
  REQUIRE(fakes::run_until(loop, [&] { return answers == 4; }));
  CHECK(server.questions == 1);
  CHECK(texts(ask(loop, resolver, "OK.test.", net::Family::v4)) == "192.0.2.7");
  CHECK(server.questions == 1);

  NameServer fleeting(loop, 0);
  net::AresResolver other(loop, fleeting.settings);
  for (int i = 0; i < 2; ++i) CHECK(texts(ask(loop, other, "ok.test.", net::Family::v4)) == "192.0.2.7");
  CHECK(fleeting.questions == 2);
}

TEST_CASE("a dropped question is silent, and a resolver may go while it asks") {
  loop::EventLoop loop;
  NameServer server(loop);
  bool told = false;
  {
    net::AresResolver resolver(loop, server.settings);
    auto dropped = resolver.resolve("ok.test.", 1, net::Family::v4, loop.now() + 1s, [&](Answer) { told = true; });
    auto silent = resolver.resolve("silent.test.", 1, net::Family::v4, loop.now() + 1s, [&](Answer) { told = true; });
    dropped.reset();
    fakes::run_until(loop, [&] { return server.questions == 2; });
  }
  CHECK_FALSE(told);
}
