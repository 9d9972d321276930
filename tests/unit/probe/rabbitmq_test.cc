// rabbitmq: the handshake frame by frame, what each refusal is called, that every connection is closed as it should be,
// and the real RabbitMQ.
#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

#include "fakes/certificate_kinds.h"
#include "fakes/probe_trial.h"
#include "fakes/real_server.h"
#include "fakes/tcp_peer.h"

namespace {

using namespace std::string_literals;
using model::Reason;

std::string number(std::uint64_t value, int size) {
  std::string out;
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}
std::string brief(const std::string& text) { return number(text.size(), 1) + text; }
std::string wide(const std::string& text) { return number(text.size(), 4) + text; }
std::string frame(int channel, int group, int method, const std::string& arguments) {
  return "\1"s + number(static_cast<std::uint64_t>(channel), 2) + number(arguments.size() + 4, 4) +
         number(static_cast<std::uint64_t>(group), 2) + number(static_cast<std::uint64_t>(method), 2) + arguments +
         '\xce';
}
std::string entry(const std::string& name, const std::string& value) { return brief(name) + value; }

// A table with something of every type that RabbitMQ has.
std::string properties() {
  const std::string capabilities = entry("publisher_confirms", "t\1") + entry("basic.nack", "t\1");
  return wide(entry("capabilities", "F" + wide(capabilities)) + entry("cluster_name", "S" + wide("rabbit@shop")) +
              entry("product", "S" + wide("RabbitMQ")) + entry("version", "S" + wide("3.10.8")) + entry("n1", "b\1") +
              entry("n2", "s\1\2") + entry("n4", "I\1\2\3\4") + entry("n8", "l\1\2\3\4\5\6\7\x08") +
              entry("d", "D\1\1\2\3\4") + entry("v", "V") + entry("a", "A" + wide("t\1")) +
              entry("x", "x" + wide("??")));
}
std::string start(const std::string& mechanisms = "AMQPLAIN PLAIN") {
  return frame(0, 10, 10, "\0\x09"s + properties() + wide(mechanisms) + wide("en_US"));
}
const std::string kHeader = "AMQP\0\0\x09\1"s;
const std::string kTune = frame(0, 10, 30, number(2047, 2) + number(131'072, 4) + number(60, 2));
const std::string kOpenOk = frame(0, 10, 41, brief(""));
const std::string kCloseOk = frame(0, 10, 51, "");
const std::string kChannelOk = frame(1, 20, 11, wide(""));
std::string closing(int channel, int group, int method, int code, const std::string& text) {
  return frame(channel, group, method, number(static_cast<std::uint64_t>(code), 2) + brief(text) + number(0, 4));
}
std::string declared(const std::string& queue, int messages, int consumers) {
  return frame(1, 50, 11,
               brief(queue) + number(static_cast<std::uint64_t>(messages), 4) +
                   number(static_cast<std::uint64_t>(consumers), 4));
}

const std::string kTuneOk = frame(0, 10, 31, number(1, 2) + number(131'072, 4) + number(0, 2));
const std::string kOpen = frame(0, 10, 40, brief("/") + brief("") + '\0');
const std::string kClose = closing(0, 10, 50, 200, "Goodbye");
const std::string kChannel = frame(1, 20, 10, brief(""));
std::string declare(const std::string& queue) {
  return frame(1, 50, 10, number(0, 2) + brief(queue) + "\1"s + wide(""));
}

struct Login : fakes::ConnectedTrial {
  explicit Login(std::vector<std::string> settings) : ConnectedTrial("rabbitmq", "mq:5672", add(std::move(settings))) {
    connect();
  }
  static std::vector<std::string> add(std::vector<std::string> settings) {
    settings.insert(settings.end(), {"username=probe", "password=secret"});
    return settings;
  }
  // What was written since it was last asked.
  std::string heard() {
    std::string all;
    for (; read_ < peer.written.size(); ++read_) all += peer.written[read_];
    return all;
  }

 private:
  std::size_t read_ = 0;
};

}  // namespace

TEST_CASE("rabbitmq shakes hands word for word, and closes") {
  Login login({});
  CHECK(login.heard() == kHeader);
  login.peer.say(start());
  const std::string start_ok = login.heard();
  CHECK(start_ok.starts_with("\1\0\0"s));
  CHECK(start_ok.find(brief("authentication_failure_close") + "t\1") != std::string::npos);
  CHECK(start_ok.ends_with(brief("PLAIN") + wide("\0probe\0secret"s) + brief("en_US") + '\xce'));
  login.peer.say("\x08\0\0\0\0\0\0\xce"s + kTune);  // a heartbeat is no answer
  CHECK(login.heard() == kTuneOk + kOpen);
  login.peer.say(kOpenOk);
  CHECK(login.heard() == kClose);
  CHECK(login.answers == 0);
  login.peer.say(kCloseOk);
  REQUIRE(login.answers == 1);
  CHECK(login.found.up);
  CHECK(login.found.text == "mq:5672 is RabbitMQ 3.10.8, virtual host /");
  CHECK(login.measured("probe_rabbitmq_server_info", "version", "3.10.8") == 1);
  CHECK(login.measured("probe_rabbitmq_server_info", "cluster_name", "rabbit@shop") == 1);
}

TEST_CASE("rabbitmq counts messages and consumers, however the bytes are cut") {
  Login login({"queues=[orders, gone, events]", "vhost=shop"});
  for (const std::string& said : {start(), kTune, kOpenOk, kChannelOk, declared("orders", 17, 2),
                                  closing(1, 20, 40, 404, "NOT_FOUND - no queue 'gone' in vhost 'shop'"), kChannelOk,
                                  declared("events", 0, 0), kCloseOk})
    for (const char c : said) {
      CHECK(login.answers == 0);
      login.peer.say(std::string(1, c));
    }
  REQUIRE(login.answers == 1);
  CHECK(login.found.text == "mq:5672 has no queue gone");
  CHECK(login.found.reason == Reason::status_mismatch);
  CHECK(login.measured("probe_rabbitmq_queue_messages_ready", "queue", "orders") == 17);
  CHECK(login.measured("probe_rabbitmq_queue_consumers", "queue", "orders") == 2);
  CHECK(login.measured("probe_rabbitmq_queue_exists", "queue", "orders") == 1);
  CHECK(login.measured("probe_rabbitmq_queue_exists", "queue", "gone") == 0);
  CHECK(login.measured("probe_rabbitmq_queue_messages_ready", "queue", "events") == 0);
  const std::string all = login.heard();
  CHECK(all.ends_with(kChannel + declare("orders") + declare("gone") + frame(1, 20, 41, "") + kChannel +
                      declare("events") + kClose));
}

TEST_CASE("rabbitmq judges queues by their limits") {
  struct Row {
    std::vector<std::string> settings;
    int messages;
    int consumers;
    Reason reason;
    const char* text;
  };
  for (const Row& row : {
           Row{{"max_messages=17"}, 17, 0, Reason::none, " is RabbitMQ 3.10.8, virtual host /, 1 queue there"},
           Row{{"max_messages=16"},
               17,
               0,
               Reason::queue_saturated,
               " has 17 messages in the queue orders; max_messages is 16"},
           Row{{"min_consumers=2"}, 0, 2, Reason::none, " is RabbitMQ 3.10.8, virtual host /, 1 queue there"},
           Row{{"min_consumers=2"},
               0,
               1,
               Reason::status_mismatch,
               " has 1 of the 2 consumers that the queue orders must have"},
       }) {
    auto settings = row.settings;
    settings.emplace_back("queues=[orders]");
    Login login(settings);
    for (const std::string& said :
         {start(), kTune, kOpenOk, kChannelOk, declared("orders", row.messages, row.consumers), kCloseOk})
      login.peer.say(said);
    REQUIRE(login.answers == 1);
    CHECK(login.found.reason == row.reason);
    CHECK(login.found.text == "mq:5672" + std::string(row.text));
    CHECK(login.heard().ends_with(kClose));
  }
}

TEST_CASE("rabbitmq calls refusals by their names, and takes leave of who closes") {
  struct Row {
    const char* name;
    std::vector<std::string> said;
    bool closes;        // hangs up after it
    std::string leave;  // the last words
    Reason reason;
    const char* text;
  };
  const std::string close_ok = frame(0, 10, 51, "");
  for (const Row& row : {
           Row{"wrong password",
               {start(), closing(0, 10, 50, 403, "ACCESS_REFUSED - Login was refused")},
               false,
               close_ok,
               Reason::auth_failed,
               " refused the login: 403 ACCESS_REFUSED - Login was refused"},
           Row{"wrong password, and an old broker",
               {start()},
               true,
               "",
               Reason::auth_failed,
               " closed the connection instead of letting probe in"},
           Row{"no such virtual host",
               {start(), kTune, closing(0, 10, 50, 530, "NOT_ALLOWED - vhost / not found")},
               false,
               close_ok,
               Reason::status_mismatch,
               " refused the virtual host /: 530 NOT_ALLOWED - vhost / not found"},
           Row{"a foreign virtual host",
               {start(), kTune, closing(0, 10, 50, 530, "NOT_ALLOWED - access to vhost '/' refused for user 'probe'")},
               false,
               close_ok,
               Reason::auth_failed,
               " refused the virtual host /: 530 NOT_ALLOWED - access to vhost '/' refused for user 'probe'"},
           Row{"a full virtual host",
               {start(), kTune,
                closing(0, 10, 50, 530,
                        "NOT_ALLOWED - access to vhost '/' refused for user 'probe': connection limit (1) is reached")},
               false,
               close_ok,
               Reason::status_mismatch,
               " refused the virtual host /: 530 NOT_ALLOWED - access to vhost '/' refused for user 'probe': "
               "connection "
               "limit (1) is reached"},
           Row{"shut down by its operator",
               {start(), kTune, kOpenOk,
                closing(0, 10, 50, 320, "CONNECTION_FORCED - broker forced connection closure")},
               false,
               close_ok,
               Reason::status_mismatch,
               " closed the connection: 320 CONNECTION_FORCED - broker forced connection closure"},
           Row{"closes without close-ok",
               {start(), kTune, kOpenOk},
               true,
               kClose,
               Reason::none,
               " is RabbitMQ 3.10.8, virtual host /"},
           Row{"no PLAIN",
               {start("EXTERNAL AMQPLAIN")},
               false,
               kHeader,
               Reason::auth_failed,
               " offers no login by PLAIN, but 'EXTERNAL AMQPLAIN'"},
           Row{"wants more",
               {start(), frame(0, 10, 20, wide("?"))},
               false,
               "",
               Reason::auth_failed,
               " wants more for the login than PLAIN has to say"},
           Row{"another version",
               {"AMQP\0\1\0\0"s},
               true,
               kHeader,
               Reason::protocol_error,
               " refuses AMQP 0-9-1 and offers 1-0-0"},
           Row{"another protocol",
               {"HTTP/1.1 400 Bad Request\r\n\r\n"},
               false,
               kHeader,
               Reason::protocol_error,
               " does not speak AMQP 0-9-1: 'HTTP/1.1 400 Bad Request....'"},
           Row{"a frame without its end",
               {"\1\0\0\0\0\0\4\0\x0a\0\x0a!"s},
               false,
               kHeader,
               Reason::protocol_error,
               " does not speak AMQP 0-9-1: '...........!'"},
           Row{"a table that lies about its size",
               {frame(0, 10, 10, "\0\x09\0\0\0\7\3abcS\0\0"s)},
               false,
               kHeader,
               Reason::protocol_error,
               " begins with properties that cannot be read"},
           Row{"an answer out of turn",
               {start(), kTune, kCloseOk},
               false,
               kTuneOk + kOpen,
               Reason::protocol_error,
               " said method 10.51 where method 10.41 belongs"},
           Row{"an answer out of turn, later", {start(), kTune, kOpenOk, kTune}, false, kClose, Reason::none, ""},
       }) {
    CAPTURE(row.name);
    Login login({});
    for (const std::string& said : row.said) login.peer.say(said);
    if (row.closes) login.peer.close();
    // After close everything but close-ok is to be ignored.
    if (row.reason == Reason::none && !row.closes) {
      CHECK(login.answers == 0);
      continue;
    }
    REQUIRE(login.answers == 1);
    CHECK(login.found.reason == row.reason);
    CHECK(login.found.text == "mq:5672" + std::string(row.text));
    CHECK(login.heard().ends_with(row.leave));
  }
  Login early({});
  early.peer.close();
  CHECK(early.found.reason == Reason::closed_early);
  fakes::ConnectedTrial poor("rabbitmq", "mq:5672", {"username=probe", "password_file=/nonexistent/password"});
  poor.connect();
  CHECK(poor.found.reason == Reason::agent_overloaded);
  CHECK(poor.peer.written.empty());
}

TEST_CASE("rabbitmq understands the real server") {
  const std::string home = "/usr/lib/rabbitmq/lib";
  std::string script;
  if (std::filesystem::exists(home))
    for (const auto& entry : std::filesystem::directory_iterator(home))
      if (std::filesystem::exists(entry.path() / "sbin/rabbitmq-server"))
        script = entry.path() / "sbin/rabbitmq-server";
  const std::string epmd = fakes::find_program("epmd");
  if (script.empty() || epmd.empty()) {
    MESSAGE("skipped: rabbitmq-server is not installed (apt-get install rabbitmq-server)");
    return;
  }
  const fakes::TemporaryFolder folder;
  const std::string at = folder.path();
  const char* const user = "nobody";
  // The queues are there as soon as the port is.
  std::ofstream(at + "/definitions.json") << R"({
    "users": [{"name": "probe", "password": "open sesame", "tags": ""}, {"name": "other", "password": "x", "tags": ""}],
    "vhosts": [{"name": "shop"}],
    "permissions": [{"user": "probe", "vhost": "shop", "configure": "", "write": "", "read": ""}],
    "queues": [{"name": "orders", "vhost": "shop", "durable": true, "auto_delete": false, "arguments": {}}],
    "exchanges": [], "bindings": [], "policies": [], "parameters": []})";
  std::ofstream(at + "/enabled_plugins") << "[].";
  std::ofstream(at + "/password") << "open sesame\n";
  const fakes::CertificateKinds kinds(at);
  fakes::give_to(at, user);
  std::string target, over_tls;
  fakes::RealServer server([&](fakes::RealServer& s) {
    const std::string names = std::to_string(fakes::TcpPeer::dead_port());
    target = "127.0.0.1:" + std::to_string(fakes::TcpPeer::dead_port());
    over_tls = "127.0.0.1:" + std::to_string(fakes::TcpPeer::dead_port());
    std::ofstream(at + "/rabbitmq.conf") << "listeners.ssl.1 = " << over_tls << "\nssl_options.cacertfile = " << at
                                         << "/ca.pem\nssl_options.certfile = " << at
                                         << "/server.pem\nssl_options.keyfile = " << at
                                         << "/server.key\nssl_options.verify = verify_peer\n"
                                            "ssl_options.fail_if_no_peer_cert = true\nlisteners.tcp.1 = "
                                         << target << "\nload_definitions = " << at
                                         << "/definitions.json\nlog.console = true\nlog.file = false\n";
    // Erlang's register of names, which would outlive the server if that had to start it.
    s.run({epmd, "-address", "127.0.0.1", "-port", names}, at + "/epmd.log", user);
    s.run({"/usr/bin/env", "HOME=" + at, "ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT=" + names,
           "RABBITMQ_DIST_PORT=" + std::to_string(fakes::TcpPeer::dead_port()), "RABBITMQ_NODENAME=fettle@localhost",
           "RABBITMQ_MNESIA_BASE=" + at + "/mnesia", "RABBITMQ_LOG_BASE=" + at + "/log",
           "RABBITMQ_CONFIG_FILE=" + at + "/rabbitmq", "RABBITMQ_ENABLED_PLUGINS_FILE=" + at + "/enabled_plugins",
           "RABBITMQ_CONF_ENV_FILE=/dev/null", "RABBITMQ_PID_FILE=" + at + "/pid",
           // Else the script stays in between, and what the test kills is not the server.
           "RABBITMQ_ALLOW_INPUT=1", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput +S 2", script},
          at + "/output", user);
  });
  fakes::RealProbes probes;
  const std::string login = "password_file=" + at + "/password";
  const std::vector<std::string> whole{"username=probe", login, "vhost=shop", "queues=[orders]"};
  // Eight seconds of CPU until it listens, which a busy machine may stretch.
  const auto up = server.until_up([&] { return probes.run("rabbitmq", target, whole); }, std::chrono::seconds{180});
  CAPTURE(up.text);
  std::ifstream output(at + "/output");
  if (!up.up) MESSAGE(std::string((std::istreambuf_iterator<char>(output)), std::istreambuf_iterator<char>()));
  REQUIRE(up.up);
  CHECK(up.text.starts_with(target + " is RabbitMQ "));
  CHECK(fakes::measurement(up, "probe_rabbitmq_queue_messages_ready", "queue", "orders") == 0);
  CHECK(fakes::measurement(up, "probe_rabbitmq_queue_consumers", "queue", "orders") == 0);

  const auto wrong = probes.run("rabbitmq", target, {"username=probe", "password=guess", "vhost=shop"});
  CHECK(wrong.reason == Reason::auth_failed);
  CHECK(wrong.text.starts_with(target + " refused the login: 403 ACCESS_REFUSED"));
  const auto foreign = probes.run("rabbitmq", target, {"username=other", "password=x", "vhost=shop"});
  CHECK(foreign.reason == Reason::auth_failed);
  CHECK(foreign.text.starts_with(target + " refused the virtual host shop: 530 NOT_ALLOWED"));
  const auto nowhere = probes.run("rabbitmq", target, {"username=probe", login, "vhost=nowhere"});
  CAPTURE(nowhere.text);
  CHECK(nowhere.reason == Reason::status_mismatch);
  const auto starved = probes.run("rabbitmq", target,
                                  {"username=probe", login, "vhost=shop", "queues=[gone, orders]", "min_consumers=1"});
  CHECK(starved.text == target + " has no queue gone");
  CHECK(fakes::measurement(starved, "probe_rabbitmq_queue_exists", "queue", "orders") == 1);
  const auto idle =
      probes.run("rabbitmq", target, {"username=probe", login, "vhost=shop", "queues=[orders]", "min_consumers=1"});
  CHECK(idle.text == target + " has 0 of the 1 consumers that the queue orders must have");

  // It wants a client certificate over TLS, and resets a connection without one.
  std::vector<std::string> shown{"tls=true", "username=probe", login, "vhost=shop"};
  for (const std::string& setting : kinds.client()) shown.push_back(setting);
  const auto known = probes.run("rabbitmq", over_tls, shown);
  CAPTURE(known.text);
  CHECK(known.up);
  for (const char* version : {"TLS12", "TLS13"}) {
    const auto unknown = probes.run(
        "rabbitmq", over_tls,
        {"tls=true", "username=probe", login, "vhost=shop", kinds.trusted(),
         std::string("tls_config.min_version=") + version, std::string("tls_config.max_version=") + version});
    CAPTURE(unknown.text);
    CHECK(unknown.reason == Reason::tls_handshake);
    CHECK(unknown.text.find("set cert_file and key_file") != std::string::npos);
  }

  // The broker has nothing to complain of: it warns of clients that hang up.
  std::ifstream file(at + "/output");
  const std::string said((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  CHECK(said.find("client unexpectedly closed TCP connection") == std::string::npos);
  CHECK(said.find("connection_closed_with_no_data_received") == std::string::npos);
}
