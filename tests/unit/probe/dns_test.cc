// dns: messages byte for byte, answers by a scripted server, sockets of the real kernel, and dnsmasq where it is
// installed.
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/random.h"
#include "fakes/probe_trial.h"
#include "fakes/real_server.h"
#include "fakes/run_until.h"
#include "fakes/tcp_peer.h"
#include "net/resolver.h"
#include "probe/net/dns_message.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

std::string u16(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }

// A record whose name is a pointer to the question's.
std::string record(unsigned type, const std::string& value) {
  return "\xc0\x0c" + u16(type) + u16(1) + u16(0) + u16(60) + u16(static_cast<unsigned>(value.size())) + value;
}
const std::string kAddress = record(1, {10, 0, 0, 7});
const std::string kOther = record(1, {10, 1, 0, 9});

struct Answer {
  unsigned flags = 0x8180;
  std::vector<std::string> records{};
  unsigned authority = 0;  // how many of the records, the last ones
};

// The server's answer to a query: id and question are repeated.
std::string answer_to(const std::string& query, const Answer& answer) {
  const std::size_t question = query.find('\0', 12) + 5;
  const auto count = static_cast<unsigned>(answer.records.size());
  std::string out = query.substr(0, 2) + u16(answer.flags) + u16(1) + u16(count - answer.authority) +
                    u16(answer.authority) + u16(0) + query.substr(12, question - 12);
  for (const std::string& each : answer.records) out += each;
  return out;
}

}  // namespace

TEST_CASE("a question of another class, and records of all sections") {
  const auto query = probe::dns_query(1, {"version.bind", 16, true, 3});
  REQUIRE(query);
  CHECK(query->substr(query->size() - 15, 4) == std::string("\0\x10\0\3", 4));
  probe::DnsRecord record;
  record.name = "version.bind.";
  record.type = 16;
  record.record_class = 3;
  record.value = "\"9.18\"";
  CHECK(record.text() == "version.bind.\t0\tCH\tTXT\t\"9.18\"");
  CHECK(probe::dns_class_number("CH") == 3);
  CHECK_FALSE(probe::dns_class_number("XX").has_value());

  struct Row {
    const char *setting, *text;
  };
  for (const Row& row : {
           Row{"validate_authority_rrs.fail_if_none_matches_regexp=['10\\.1\\.']", ""},
           Row{"validate_authority_rrs.fail_if_matches_regexp=['10\\.1\\.']",
               "A of shop.test: authority: 'shop.test. 60 IN A 10.1.0.9' matches '10\\.1\\.'"},
           Row{"validate_additional_rrs.fail_if_none_matches_regexp=[A]",
               "A of shop.test: additional: none of 0 records matches 'A'"},
           Row{"validate_answer_rrs.fail_if_matches_regexp=['10\\.1\\.']", ""},
       }) {
    CAPTURE(row.setting);
    fakes::ConnectedTrial trial("dns", "127.0.0.1", {"query_name=shop.test", row.setting});
    trial.connect();
    trial.peer.say(answer_to(trial.peer.written[0], {.records = {kAddress, kOther}, .authority = 1}));
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.up == (std::string(row.text).empty()));
    if (!trial.found.up) CHECK(trial.found.text == row.text);
  }
}

TEST_CASE("DNS over TLS asks at its own port, and over TCP only") {
  const auto spec = probe::spec_from_arguments("dns", "ns.test",
                                               {"query_name=shop.test", "transport_protocol=tcp", "dns_over_tls=true"});
  REQUIRE(spec);
  CHECK(spec->settings->target() == "A of shop.test at ns.test:853");
  const auto udp = probe::spec_from_arguments("dns", "ns.test", {"query_name=shop.test", "dns_over_tls=true"});
  REQUIRE_FALSE(udp);
  CHECK(udp.error().text.find("dns_over_tls: needs transport_protocol: tcp") != std::string::npos);
}

TEST_CASE("a DNS query is written as RFC 1035 has it") {
  const auto query = probe::dns_query(0x1234, {"shop.test", 28, true});
  REQUIRE(query);
  const std::string want("\x12\x34\x01\x00\0\1\0\0\0\0\0\1\4shop\4test\0\0\x1c\0\1\0\0\x29\x04\xd0\0\0\0\0\0\0", 38);
  CHECK(*query == want);
  CHECK(*probe::dns_query(0x1234, {"shop.test.", 28, true}) == want);
  CHECK(probe::dns_query(1, {".", 2, true})->size() == 12 + 1 + 4 + 11);
  for (const std::string& bad : {std::string("a..b"), std::string(".a"), std::string("a.."), std::string(64, 'x'),
                                 std::string(63, 'x') + "." + std::string(63, 'x') + "." + std::string(63, 'x') + "." +
                                     std::string(63, 'x') + ".x"}) {
    CAPTURE(bad);
    CHECK_FALSE(probe::dns_query(1, {bad, 1, true}));
  }
}

TEST_CASE("records are read as a zone file writes them") {
  const std::string query = *probe::dns_query(7, {"shop.test", 1, true});
  struct Row {
    const char* name;
    std::string record;
    const char* want;
  };
  for (const Row& row : {
           Row{"A", kAddress, "shop.test.\t60\tIN\tA\t10.0.0.7"},
           Row{"AAAA", record(28, std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16)),
               "shop.test.\t60\tIN\tAAAA\t2001:db8::1"},
           Row{"CNAME", record(5, std::string("\3www\xc0\x0c", 6)), "shop.test.\t60\tIN\tCNAME\twww.shop.test."},
           Row{"NS", record(2, std::string("\2ns\0", 4)), "shop.test.\t60\tIN\tNS\tns."},
           Row{"PTR", record(12, std::string("\1h\xc0\x11", 4)), "shop.test.\t60\tIN\tPTR\th.test."},
           Row{"MX", record(15, std::string("\0\x0a\4mail\xc0\x0c", 9)), "shop.test.\t60\tIN\tMX\t10 mail.shop.test."},
           Row{"SRV", record(33, std::string("\0\1\0\2\x1f\x90\1a\0", 9)), "shop.test.\t60\tIN\tSRV\t1 2 8080 a."},
           Row{"TXT", record(16, std::string("\3a\"b\0\2c ", 8)), "shop.test.\t60\tIN\tTXT\t\"a\\034b\" \"\" \"c \""},
           Row{"SOA", record(6, std::string("\2ns\0\1h\0\0\0\0\x11\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4", 27)),
               "shop.test.\t60\tIN\tSOA\tns. h. 17 1 2 3 4"},
           Row{"one without a name", record(4711, "xyz"), "shop.test.\t60\tIN\tTYPE4711\t\\# 3 78797A"},
           Row{"HTTPS that is none", record(65, "xyz"), "shop.test.\t60\tIN\tHTTPS\t\\# 3 78797A"},
           Row{"HTTPS", record(65, std::string("\0\1\0\0\1\0\6\2h2\2h3\0\3\0\2\x20\xfb\0\4\0\4\x0a\0\0\7", 27)),
               "shop.test.\t60\tIN\tHTTPS\t1 . alpn=\"h2,h3\" port=\"8443\" ipv4hint=\"10.0.0.7\""},
           Row{"CAA", record(257, std::string("\0\5issueca.test", 14)), "shop.test.\t60\tIN\tCAA\t0 issue \"ca.test\""},
           Row{"DS", record(43, std::string("\x12\x34\x0d\2\xab\xcd", 6)), "shop.test.\t60\tIN\tDS\t4660 13 2 ABCD"},
           Row{"TLSA", record(52, std::string("\3\1\1\xab\xcd", 5)), "shop.test.\t60\tIN\tTLSA\t3 1 1 abcd"},
           Row{"SSHFP", record(44, std::string("\4\2\xab\xcd", 4)), "shop.test.\t60\tIN\tSSHFP\t4 2 ABCD"},
           Row{"DNSKEY",
               record(48, std::string("\1\1\3\x0d"
                                      "abc",
                                      7)),
               "shop.test.\t60\tIN\tDNSKEY\t257 3 13 YWJj"},
           Row{"NAPTR", record(35, std::string("\0\1\0\2\1s\3SIP\0\1a\0", 14)),
               "shop.test.\t60\tIN\tNAPTR\t1 2 \"s\" \"SIP\" \"\" a."},
           Row{"a dot in a label", record(2, std::string("\3a.b\0", 5)), "shop.test.\t60\tIN\tNS\ta\\046b."},
       }) {
    CAPTURE(row.name);
    const auto message = probe::read_dns_message(answer_to(query, {0x8180, {row.record}}));
    REQUIRE(message);
    REQUIRE(message->answer.size() == 1);
    CHECK(message->answer[0].text() == row.want);
  }
}

TEST_CASE("bytes that are no DNS message are refused, wherever they break") {
  const std::string query = *probe::dns_query(7, {"shop.test", 1, true});
  for (const auto& row : std::vector<std::pair<const char*, std::string>>{
           {"a pointer to itself", record(2, std::string("\xc0\x27", 2))},
           {"a pointer ahead", record(2, std::string("\xc0\x40", 2))},
           {"a label of 64", record(2, std::string("\x40", 1) + std::string(64, 'x') + std::string(1, '\0'))},
           {"an address of three bytes", record(1, "abc")},
           {"a name that ends before its record", record(2, std::string("\1a\0xx", 5))},
           {"a text that is longer than its record", record(16,
                                                            "\x05"
                                                            "ab")},
       }) {
    const auto& [name, value] = row;
    CAPTURE(row.first);
    CHECK_FALSE(probe::read_dns_message(answer_to(query, {0x8180, {value}})));
  }
  // Of an answer that did not fit what is there counts, without the record that was cut.
  const std::string cut = answer_to(query, {0x8380, {kAddress, record(16, "\3abc")}});
  const auto truncated = probe::read_dns_message(std::string_view(cut).substr(0, cut.size() - 2));
  REQUIRE(truncated);
  CHECK(truncated->answer.size() == 1);
  const std::string whole = answer_to(query, {0x8180, {kAddress, record(16, "\3abc"), record(2, "\2ns\xc0\x0c")}});
  REQUIRE(probe::read_dns_message(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(probe::read_dns_message(whole.substr(0, size)));
  // Any damage is answered, by a message or an error; the sanitizers watch.
  base::Random random(42);
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = whole;
    for (int n = 0; n < 3; ++n) damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    const auto read = probe::read_dns_message(damaged);
    if (read)
      for (const auto& each : read->answer) CHECK(each.text().size() < 20'000);
  }
}

TEST_CASE("dns judges what the server answers") {
  const std::string rules = "validate_answer_rrs=";
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    Answer answer;
    Reason reason;
    const char* text;
  };
  for (const Row& row : {
           Row{"an address",
               {},
               {0x8180, {kAddress}},
               Reason::none,
               "NOERROR, 1 record, 'shop.test. 60 IN A 10.0.0.7'"},
           Row{"no such name",
               {},
               {0x8183, {}},
               Reason::status_mismatch,
               "A of shop.test: the server answered NXDOMAIN"},
           Row{"no such name, as it must be",
               {"valid_rcodes=[NXDOMAIN]"},
               {0x8183, {}},
               Reason::none,
               "NXDOMAIN, 0 records"},
           Row{"refused", {}, {0x8185, {}}, Reason::status_mismatch, "A of shop.test: the server answered REFUSED"},
           Row{"nothing", {}, {0x8180, {}}, Reason::body_mismatch, "A of shop.test: the answer has 0 of 1 records"},
           Row{"nothing, which is fine", {"min_answers=0"}, {0x8180, {}}, Reason::none, "NOERROR, 0 records"},
           Row{"a record that must not be",
               {rules + "{fail_if_matches_regexp: ['10\\.1\\.']}"},
               {0x8180, {kAddress, kOther}},
               Reason::body_mismatch,
               "A of shop.test: 'shop.test. 60 IN A 10.1.0.9' matches '10\\.1\\.'"},
           Row{"each must match",
               {rules + "{fail_if_not_matches_regexp: ['10\\.0\\.']}"},
               {0x8180, {kAddress, kOther}},
               Reason::body_mismatch,
               "A of shop.test: 'shop.test. 60 IN A 10.1.0.9' does not match '10\\.0\\.'"},
           Row{"one must match, and does",
               {rules + "{fail_if_none_matches_regexp: ['10\\.1\\.', x]}"},
               {0x8180, {kAddress, kOther}},
               Reason::none,
               "NOERROR, 2 records, 'shop.test. 60 IN A 10.0.0.7'"},
           Row{"one must match",
               {rules + "{fail_if_none_matches_regexp: ['11\\.']}"},
               {0x8180, {kAddress, kOther}},
               Reason::body_mismatch,
               "A of shop.test: none of 2 records matches '11\\.'"},
           Row{"not all may match",
               {rules + "{fail_if_all_match_regexp: ['10\\.']}"},
               {0x8180, {kAddress, kOther}},
               Reason::body_mismatch,
               "A of shop.test: all records match '10\\.'"},
           Row{"nothing to match",
               {"min_answers=0", rules + "{fail_if_not_matches_regexp: [x]}"},
               {0x8180, {}},
               Reason::body_mismatch,
               "A of shop.test: there is no record to match"},
       }) {
    CAPTURE(row.name);
    auto settings = row.settings;
    settings.push_back("query_name=shop.test");
    fakes::ConnectedTrial trial("dns", "10.0.0.53", settings);
    trial.connect();
    REQUIRE(trial.peer.written.size() == 1);
    CHECK(trial.world.dialer.desk.last().udp);
    trial.peer.say(answer_to(trial.peer.written[0], row.answer));
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == row.text);
    CHECK(trial.measured("probe_dns_query_succeeded") == 1);
    CHECK(trial.measured("probe_dns_answer_rrs") == static_cast<double>(row.answer.records.size()));
    CHECK(trial.measured("probe_dns_duration_seconds", "phase", "connect") == doctest::Approx(0.002));
  }
}

TEST_CASE("dns asks over TCP for what does not fit into a datagram, and takes what there is without it") {
  const auto cut_off = [](const std::vector<std::string>& records) {
    auto trial =
        std::make_unique<fakes::ConnectedTrial>("dns", "10.0.0.53", std::vector<std::string>{"query_name=shop.test"});
    trial->connect();
    trial->peer.say(answer_to(trial->peer.written[0], {0x8380, records}));
    CHECK(trial->answers == 0);
    CHECK_FALSE(trial->world.dialer.desk.last().udp);
    return trial;
  };
  const auto whole = cut_off({});
  whole->accept();
  REQUIRE(whole->peer.written.size() == 2);
  const std::string query = whole->peer.written[1];
  const std::string answer = answer_to(query.substr(2), {0x8180, {kAddress, kOther}});
  whole->peer.say(u16(static_cast<unsigned>(answer.size())) + answer);
  REQUIRE(whole->answers == 1);
  CHECK(whole->found.text == "NOERROR, 2 records, 'shop.test. 60 IN A 10.0.0.7'");
  CHECK(whole->measured("probe_dns_answer_rrs") == 2);

  net::Connected refused;
  refused.failure = {Reason::refused, "connect to 10.0.0.53:53: Connection refused"};
  const auto some = cut_off({kAddress});
  some->world.dialer.desk.answer(net::Connected{nullptr, refused.failure, {}, "", {}, false});
  REQUIRE(some->answers == 1);
  CHECK(some->found.up);
  CHECK(some->found.text ==
        "NOERROR, 1 record, 'shop.test. 60 IN A 10.0.0.7'; all that fits into a datagram, and TCP: connect to "
        "10.0.0.53:53: Connection refused");
  CHECK(some->measured("probe_dns_query_succeeded") == 1);
  const auto none = cut_off({});
  none->world.dialer.desk.answer(net::Connected{nullptr, refused.failure, {}, "", {}, false});
  CHECK(none->found.reason == Reason::body_mismatch);
}

TEST_CASE("dns waits for the right answer, and takes the serial of a zone") {
  fakes::ConnectedTrial trial("dns", "10.0.0.53", {"query_name=shop.test", "query_type=SOA"});
  trial.connect();
  const std::string soa = record(6, std::string("\2ns\0\1h\0\0\0\0\x11\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4", 27));
  const std::string right = answer_to(trial.peer.written[0], {0x8180, {soa, soa}, 1});
  std::string late = right;
  late[0] = static_cast<char>(late[0] ^ 1);
  std::string foreign = right;
  foreign[13] = 'x';
  trial.peer.say(late);
  trial.peer.say(foreign);
  trial.peer.say("xx");
  trial.peer.say(trial.peer.written[0]);  // an echo is no answer
  CHECK(trial.answers == 0);
  trial.peer.say(right);
  REQUIRE(trial.answers == 1);
  CHECK(trial.found.up);
  CHECK(trial.measured("probe_dns_serial") == 17);
  CHECK(trial.measured("probe_dns_authority_rrs") == 1);
}

TEST_CASE("dns over TCP reads what the length says, and nothing else") {
  fakes::ConnectedTrial trial("dns", "10.0.0.53", {"query_name=Shop.Test", "transport_protocol=tcp"});
  trial.connect();
  const std::string sent = trial.peer.written.at(0);
  CHECK(sent.substr(0, 2) == u16(static_cast<unsigned>(sent.size() - 2)));
  const std::string answer = answer_to(sent.substr(2), {0x8180, {kAddress}});
  const std::string framed = u16(static_cast<unsigned>(answer.size())) + answer;
  for (const char c : framed) {
    CHECK(trial.answers == 0);
    trial.peer.say(std::string(1, c));
  }
  CHECK(trial.found.up);

  fakes::ConnectedTrial garbage("dns", "10.0.0.53", {"query_name=shop.test", "transport_protocol=tcp"});
  garbage.connect();
  garbage.peer.say(std::string("\0\4HTTP", 6));
  CHECK(garbage.found.reason == Reason::protocol_error);
  CHECK(garbage.measured("probe_dns_query_succeeded") == 0);
}

namespace {

// Runs dns probes on the real loop.
struct Kernel {
  fakes::ProbeWorld fakes;
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  net::StreamDialer dialer{loop, resolver};
  probe::Context context{loop,       fakes.http,    dialer,           resolver,           fakes.spawner,
                         fakes.pids, fakes.systemd, fakes.heartbeats, fakes.blocking_pool};

  model::Outcome run(std::uint16_t port, const std::vector<std::string>& settings, base::Millis timeout = 5s) {
    auto spec = probe::spec_from_arguments("dns", "127.0.0.1:" + std::to_string(port), settings);
    if (!spec) FAIL(spec.error().text);
    spec->timeout = timeout;
    std::optional<model::Outcome> found;
    const auto attempt = probe::run_once(context, *spec, [&](model::Outcome outcome) { found = std::move(outcome); });
    REQUIRE(fakes::run_until(loop, [&] { return found.has_value(); }));
    return *found;
  }
};

base::UniqueFd udp_socket(std::uint16_t& port) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(fd.value(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  ::getsockname(fd.value(), reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

TEST_CASE("dns goes over real datagrams: answered, refused, and never answered") {
  Kernel kernel;
  std::uint16_t port = 0;
  base::UniqueFd server = udp_socket(port);
  std::thread serving([fd = server.value()] {
    char bytes[2048];
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t n = ::recvfrom(fd, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n <= 0) return;
    const std::string answer = answer_to({bytes, static_cast<std::size_t>(n)}, {0x8180, {kAddress}});
    ::sendto(fd, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
  });
  const auto up = kernel.run(port, {"query_name=shop.test"});
  serving.join();
  CHECK(up.text == "NOERROR, 1 record, 'shop.test. 60 IN A 10.0.0.7'");

  const auto silent = kernel.run(port, {"query_name=shop.test"}, 50ms);
  CHECK(silent.reason == Reason::read_timeout);
  server.reset();
  const auto refused = kernel.run(port, {"query_name=shop.test"});
  CAPTURE(refused.text);
  CHECK(refused.reason == Reason::refused);
}

// Its first port is taken on purpose, over TCP only: it is started again on another.
TEST_CASE("dns understands dnsmasq") {
  const std::string program = fakes::find_program("dnsmasq");
  if (program.empty()) {
    MESSAGE("skipped: dnsmasq is not installed (apt-get install dnsmasq-base)");
    return;
  }
  const fakes::TcpPeer other([](fakes::PeerSocket& s) { s.wait_for_close(); });
  std::uint16_t port = 0;
  fakes::RealServer server([&](fakes::RealServer& s) {
    port = port == 0 ? other.port() : fakes::TcpPeer::dead_port();
    s.run({program, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
           "--user=", "--pid-file=", "--listen-address=127.0.0.1", "--bind-interfaces",
           "--port=" + std::to_string(port), "--address=/shop.test/10.0.0.7", "--txt-record=note.test,v=1",
           "--mx-host=mail.test,mx.test,10", "--srv-host=_redis._tcp.test,db.test,6379", "--cname=www.test,shop.test",
           "--caa-record=shop.test,0,issue,ca.test",
           "--txt-record=long.test," + std::string(200, 'a') + "," + std::string(200, 'b') + "," +
               std::string(200, 'c') + "," + std::string(200, 'd') + "," + std::string(200, 'e') + "," +
               std::string(200, 'f') + "," + std::string(200, 'g'),
           "--log-facility=/dev/null"},
          "/dev/null");
  });
  Kernel kernel;
  const auto found = server.until_up([&] { return kernel.run(port, {"query_name=shop.test"}, 200ms); });
  CHECK(found.text.find("IN A 10.0.0.7'") != std::string::npos);
  for (const std::string transport : {"udp", "tcp"}) {
    CAPTURE(transport);
    const auto ask = [&](const char* name, const char* type) {
      return kernel.run(port, {"query_name=" + std::string(name), "query_type=" + std::string(type),
                               "transport_protocol=" + transport});
    };
    CHECK(ask("note.test", "TXT").text.find("IN TXT \"v=1\"'") != std::string::npos);
    CHECK(ask("mail.test", "MX").text.find("IN MX 10 mx.test.'") != std::string::npos);
    CHECK(ask("_redis._tcp.test", "SRV").text.find("IN SRV 0 0 6379 db.test.'") != std::string::npos);
    CHECK(ask("shop.test", "CAA").text.find("IN CAA 0 issue \"ca.test\"'") != std::string::npos);
    // More than a datagram of 1,232 bytes holds.
    const auto whole = ask("long.test", "TXT");
    CAPTURE(whole.text);
    CHECK(whole.up);
    CHECK(whole.text.find("TCP") == std::string::npos);
    CHECK(ask("nowhere.example", "A").reason == Reason::status_mismatch);
  }
}
