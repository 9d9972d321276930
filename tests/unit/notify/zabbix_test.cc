// Zabbix: the packet byte for byte, what answers mean, the nodes of a cluster in turn.
#include <memory>
#include <string>

#include "desk.h"
#include "fakes/fake_stream.h"
#include "fakes/temporary_folder.h"
#include "net/tls/tls.h"
#include "notify/registry.h"
#include "notify/zabbix/sender_protocol.h"

namespace {

using namespace std::string_literals;

std::string answer(const std::string& info, const std::string& response = "success") {
  return notify::zabbix_packet(R"({"response":")" + response + R"(","info":")" + info + "\"}");
}

std::string counts(int processed, int failed) {
  return "processed: " + std::to_string(processed) + "; failed: " + std::to_string(failed) +
         "; total: 1; seconds spent: 0.000055";
}

struct Trapper {
  explicit Trapper(const std::string& keys = "server: zabbix") : f("{name: ops, zabbix_configs: [{" + keys + "}]}") {
    f.tell("Down");
  }
  void connect() {
    net::Connected made;
    made.stream = std::make_unique<fakes::FakeStream>(peer);
    f.dialer.desk.answer(std::move(made));
  }
  void refuse_connection() {
    net::Connected none;
    none.failure = {model::Reason::refused, "connect to " + f.dialer.desk.last().host + ": Connection refused"};
    f.dialer.desk.answer(std::move(none));
  }
  std::string error() const { return f.notifications->statuses()[0].last_error; }

  Fixture f;
  fakes::Peer peer{f.loop};
};

std::string mistakes(const std::string& yaml) {
  config::Errors errors;
  const auto made =
      notify::notifier_types().find("zabbix")->parse(config::Node::parse(yaml, "r.yml", errors), "r", {}, errors);
  CHECK((made == nullptr) == (errors.size() > 0));
  return errors.text();
}

std::string target(const std::string& yaml) {
  config::Errors errors;
  const auto made =
      notify::notifier_types().find("zabbix")->parse(config::Node::parse(yaml, "r.yml", errors), "r", {}, errors);
  REQUIRE(errors.text() == "");
  return made->targets().at(0);
}

}  // namespace

TEST_CASE("a value is one packet, as zabbix_sender sends it, and taken when the server has processed it") {
  Trapper zabbix("server: zabbix, host: web1, key: 'fettle.note[{{ .CommonLabels.service }}]', value: down");
  CHECK(zabbix.f.dialer.desk.last().host == "zabbix");
  CHECK(zabbix.f.dialer.desk.last().port == 10051);
  CHECK(zabbix.f.dialer.desk.last().tls == nullptr);
  zabbix.connect();
  REQUIRE(zabbix.peer.written.size() == 1);
  const std::string packet = zabbix.peer.written[0], request = packet.substr(13);
  CHECK(packet.substr(0, 13) == "ZBXD\x01"s + static_cast<char>(request.size()) + "\0\0\0\0\0\0\0"s);
  const std::string begin =
      R"({"request":"sender data","data":[{"host":"web1","key":"fettle.note[order]","value":"down",)"
      R"("clock":1700000000,"ns":)";
  CHECK(request.substr(0, begin.size()) == begin);
  const std::string said = answer(counts(1, 0));
  zabbix.peer.say(said.substr(0, 3));  // as it may come
  zabbix.peer.say(said.substr(3, 11));
  CHECK(zabbix.f.results.empty());
  zabbix.peer.say(said.substr(14));
  CHECK(zabbix.f.results == std::vector<std::string>{"ops sent"});
  CHECK_FALSE(zabbix.peer.open);
}

TEST_CASE("what a server answers is read for how many values it took") {
  const std::string wanting =
      "): it needs a trapper item of this key, on an enabled host of this name that allows this sender; of a new one "
      "the server learns with its next refresh (CacheUpdateFrequency)";
  struct Row {
    std::string says;
    const char* result;
    std::string error;
  };
  const Row rows[] = {
      {answer(counts(1, 0)), "ops sent", ""},
      {answer(counts(0, 1)), "ops refused", "the test did not take the value (" + counts(0, 1) + wanting},
      {answer(counts(1, 1)), "ops refused", "the test did not take the value (" + counts(1, 1) + wanting},
      {answer("not allowed", "failed"), "ops refused", "the test refuses the value: not allowed"},
      {answer("", "failed"), "ops refused", "the test refuses the value: failed"},
      {answer("thanks"), "ops retried", "the test does not say whether it took the value: '{"},
      {notify::zabbix_packet("[1"), "ops retried", "the test does not say whether it took the value: '[1'"},
      {notify::zabbix_packet(R"({"response":1,"info":[]})"), "ops retried", "the test does not say whether it took"},
      {"HTTP/1.1 400 Bad\r\n", "ops retried", "protocol_error: the test does not speak Zabbix's protocol: 'HTTP"},
      {"ZBXD\x03"s, "ops retried",
       "protocol_error: the test answers with a compressed packet, which was not asked for"},
      {"ZBXD\x05"s, "ops retried", "protocol_error: the test answers with a large packet, of 64 bits of length"},
      {"ZBXD\x09"s, "ops retried", "protocol_error: the test answers with a packet of unknown flags 0x09"},
      {"ZBXD\x01\xff\xff\xff\xff\0\0\0\0"s, "ops retried",
       "protocol_error: the test answers with 4294967295 bytes; at most 65536 are read"},
      {"", "ops retried", "closed_early: the test closed the connection without an answer"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.says);
    Trapper zabbix;
    zabbix.connect();
    if (row.says.empty()) zabbix.peer.close();
    else zabbix.peer.say(row.says);
    CHECK(zabbix.f.results == std::vector<std::string>{row.result});
    CHECK(zabbix.error().substr(0, row.error.size()) == row.error);
  }
}

TEST_CASE("a text that a server says is cut and fit to be shown") {
  Trapper zabbix;
  zabbix.connect();
  zabbix.peer.say(answer(R"(\u001b[31m)" + std::string(5000, 'x'), "failed"));
  CHECK(zabbix.error().size() < 1200);
  CHECK(zabbix.error().find('\x1b') == std::string::npos);
}

TEST_CASE("a value that was refused is sent again, with the same bytes") {
  Trapper zabbix;
  zabbix.connect();
  const std::vector<std::string> first = zabbix.peer.written;
  zabbix.peer.say(answer(counts(0, 1)));
  zabbix.f.loop.advance(seconds{5});
  zabbix.peer.written.clear();
  zabbix.connect();
  CHECK(zabbix.peer.written == first);
  zabbix.peer.say(answer(counts(1, 0)));
  CHECK(zabbix.f.results == std::vector<std::string>{"ops refused", "ops sent"});
}

TEST_CASE("the nodes of a cluster are asked in turn, each with its part of the time, until one answers") {
  Trapper zabbix("server: 'a;b:10052;[::1]', timeout: 9s");
  const auto left = [&] { return zabbix.f.dialer.desk.last().deadline - zabbix.f.loop.now(); };
  CHECK(left() == seconds{3});
  zabbix.refuse_connection();
  CHECK(zabbix.f.dialer.desk.last().host == "b");
  CHECK(zabbix.f.dialer.desk.last().port == 10052);
  zabbix.f.loop.advance(seconds{3});
  zabbix.refuse_connection();
  CHECK(zabbix.f.dialer.desk.last().host == "::1");
  CHECK(left() == seconds{6});
  zabbix.connect();
  zabbix.peer.say(answer(counts(1, 0)));
  CHECK(zabbix.f.results == std::vector<std::string>{"ops sent"});
}

TEST_CASE("an answer of one node is the end, and without one all are named") {
  Trapper refused("server: 'a;b'");
  refused.connect();
  refused.peer.say(answer(counts(0, 1)));
  CHECK(refused.f.results == std::vector<std::string>{"ops refused"});

  Trapper away("server: 'a;b'");
  away.connect();
  away.peer.fail(model::Reason::read_timeout, "read from a:10051: timed out");
  away.refuse_connection();
  CHECK(away.f.results == std::vector<std::string>{"ops retried"});
  CHECK(away.error() == "read_timeout: read from a:10051: timed out; refused: connect to b: Connection refused");
}

TEST_CASE("messages of one millisecond differ in their nanoseconds, else a server would keep one of them") {
  config::Errors errors;
  const auto made = notify::notifier_types().find("zabbix")->parse(
      config::Node::parse("{server: z, value: down}", "r.yml", errors), "r", {}, errors);
  notify::Envelope envelope;
  envelope.at = base::wall_from_ms(1'700'000'000'123);
  const auto ns = [&](const std::string& group) {
    envelope.group_key = group;
    return json::parse(made->render({}, {}, envelope))["data"][0]["ns"].get<std::int64_t>();
  };
  CHECK(ns("{}:{incident=\"inc_1\"}") != ns("{}:{incident=\"inc_2\"}"));
  CHECK(ns("a") == ns("a"));
  CHECK(ns("a") / 1'000'000 == 123);
}

TEST_CASE("a value is at most as long as an item keeps") {
  Trapper zabbix("server: zabbix, value: '" + std::string(70'000, 'v') + "'");
  zabbix.connect();
  const json request = json::parse(zabbix.peer.written.at(0).substr(13));
  CHECK(request["data"][0]["value"].get<std::string>().size() == 65'535);
}

TEST_CASE("where a Zabbix server is, and what is wrong with that") {
  CHECK(target("{server: zabbix.test}") == "zabbix://zabbix.test:10051");
  CHECK(target("{server: 'a;b:7;[::1]:8;[fe80::2]', port: 9}") == "zabbix://a:9;b:7;[::1]:8;[fe80::2]:9");
  CHECK(mistakes("{}") == "r.yml:1:1: r: the required key 'server' is missing\n");
  CHECK(mistakes("{server: 'a,b'}") ==
        "r.yml:1:10: r.server: a semicolon stands between the nodes of one cluster; servers that are all to be told "
        "are several entries of zabbix_configs\n");
  for (const char* wrong : {"''", "'a;'", "'http://a'", "'a:0'", "'a:'", "'me@a'", "'::1'", "a b"}) {
    CAPTURE(wrong);
    CHECK(mistakes("{server: "s + wrong + "}").find("r.server: ") != std::string::npos);
  }
  CHECK(mistakes("{server: 'a;a;a;a;a;a;a;a;a'}").find("has 9 nodes; at most 8 are asked") != std::string::npos);
  CHECK(mistakes("{server: a, port: 65536}").find("r.port: must be from 1 to 65535") != std::string::npos);
  CHECK(mistakes("{server: a, host: '', key: ''}").find("r.key: must not be empty") != std::string::npos);
  CHECK(mistakes("{server: a, value: '{{ if }}'}").find("r.value: the template cannot be read") != std::string::npos);
}

TEST_CASE("with tls_config it is spoken to in TLS") {
  Trapper zabbix("server: zabbix, tls_config: {insecure_skip_verify: true}");
  CHECK(zabbix.f.dialer.desk.last().tls != nullptr);
  CHECK(mistakes("{server: a, tls_config: {cert: x}}").find("r.tls_config.cert_file: ") != std::string::npos);
}

TEST_CASE("with a pre-shared key, too; it is read for each message") {
  const std::string digits = "0123456789abcdef0123456789ABCDEF";
  fakes::TemporaryFolder folder;
  const std::string file = folder.write("psk", digits + "\n");
  Trapper zabbix("server: zabbix, tls_psk_identity: fettle, tls_psk_file: " + file);
  REQUIRE(zabbix.f.dialer.desk.last().tls != nullptr);
  CHECK(zabbix.f.dialer.desk.last().tls->settings().psk_identity == "fettle");
  CHECK(zabbix.f.dialer.desk.last().tls->settings().psk.reveal() == digits);
  folder.write("psk", "0123\n");
  zabbix.refuse_connection();
  zabbix.f.loop.advance(seconds{5});
  CHECK(zabbix.f.results.size() > 1);
  CHECK(zabbix.error() == "the pre-shared key must be 32 to 512 hexadecimal digits");

  const std::string key = "tls_psk: " + digits;
  CHECK(mistakes("{server: a, tls_psk_identity: f, " + key + "}").empty());
  CHECK(mistakes("{server: a, tls_psk_identity: f}") ==
        "r.yml:1:1: r: tls_psk_identity and tls_psk_file need each other\n");
  CHECK(mistakes("{server: a, " + key + "}") == "r.yml:1:1: r: tls_psk_identity and tls_psk_file need each other\n");
  CHECK(mistakes("{server: a, tls_psk_identity: f, tls_config: {}, " + key + "}")
            .find("r.tls_psk_identity: cannot stand beside tls_config") != std::string::npos);
  for (const std::string wrong : {"0123", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0"})
    CHECK(mistakes("{server: a, tls_psk_identity: f, tls_psk: '" + wrong + "'}") ==
          "r.yml:1:43: r.tls_psk: the pre-shared key must be 32 to 512 hexadecimal digits\n");
  CHECK(mistakes("{server: a, tls_psk_identity: " + std::string(129, 'f') + ", " + key + "}")
            .find("the identity of a pre-shared key must have 1 to 128 bytes") != std::string::npos);
}
