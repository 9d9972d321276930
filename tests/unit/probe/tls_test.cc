// tls: what the certificates of a real handshake are judged to be.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fakes/certificate_kinds.h"
#include "fakes/certificates.h"
#include "fakes/probe_trial.h"
#include "fakes/real_server.h"
#include "fakes/run_until.h"
#include "net/resolver.h"
#include "net/tls/tls.h"

namespace {

using namespace std::chrono_literals;
using fakes::make_certificate;
using model::Reason;

constexpr long kDay = 86'400;

struct Shown {
  bool up;
  Reason reason;
  std::string text;
  std::string after;  // text after the port
  double expiry;      // days from now
  double refused;
};

// One run against a server that shows `certificate`, in the clear first if `opening` is given.
Shown look_at(const fakes::Certificate& certificate, std::vector<std::string> settings,
              const std::function<bool(const fakes::PeerSocket&)>& opening = nullptr) {
  const fakes::TlsServer tls(certificate);
  const fakes::TcpPeer server([&](fakes::PeerSocket& socket) {
    if (opening && !opening(socket)) return;
    const auto ssl = tls.accept(socket);
    socket.wait_for_close();
  });
  fakes::ProbeWorld fakes;
  loop::EventLoop loop;
  net::AresResolver resolver(loop);
  net::StreamDialer dialer(loop, resolver);
  const probe::Context context{loop,       fakes.http,    dialer,           resolver,           fakes.spawner,
                               fakes.pids, fakes.systemd, fakes.heartbeats, fakes.blocking_pool};
  auto spec = probe::spec_from_arguments("tls", server.address(), settings);
  if (!spec) FAIL(spec.error().text);
  spec->timeout = 5s;
  std::optional<model::Outcome> found;
  const auto attempt = probe::run_once(context, *spec, [&](model::Outcome outcome) { found = std::move(outcome); });
  REQUIRE(fakes::run_until(loop, [&] { return found.has_value(); }));
  Shown shown{found->up, found->reason, found->text, "", -1, -1};
  const std::size_t at = shown.text.find(server.address());
  if (at != std::string::npos) shown.after = shown.text.substr(at + server.address().size());
  for (const auto& m : found->measurements) {
    if (m.name == "probe_ssl_earliest_cert_expiry")
      shown.expiry = (m.value - base::seconds(loop.wall_now())) / static_cast<double>(kDay);
    if (m.name == "probe_tls_certificate_refused") shown.refused = m.value;
  }
  return shown;
}

fakes::Certificate leaf(long days, const std::string& names = "IP:127.0.0.1") {
  return make_certificate({.common_name = "shop",
                           .alternative = names,
                           .from_seconds = -100 * kDay,
                           .until_seconds = days * kDay + 3600,
                           .authority = true});
}

}  // namespace

TEST_CASE("tls tells how long certificates are valid, whatever else is wrong with them") {
  const std::string file =
      (std::filesystem::temp_directory_path() / ("fettle-probe-tls-" + std::to_string(::getpid()) + ".pem")).string();
  struct Row {
    const char* name;
    long days;
    const char* names;
    bool trusted;
    std::vector<std::string> settings;
    Reason reason;
    const char* text;
    double refused;
  };
  for (const Row& row : {
           Row{"good", 30, "IP:127.0.0.1", true, {}, Reason::none, " expires in 30 days, ", 0},
           Row{"just long enough", 14, "IP:127.0.0.1", true, {}, Reason::none, " expires in 14 days, ", 0},
           Row{"soon", 13, "IP:127.0.0.1", true, {}, Reason::tls_expired, "; min_days is 14", 0},
           Row{"soon, which is fine", 13, "IP:127.0.0.1", true, {"min_days=0"}, Reason::none, " expires in 13 days", 0},
           Row{"expired", -3, "IP:127.0.0.1", true, {}, Reason::tls_expired, "expired 2 days ago", 1},
           Row{"expired, nobody asks",
               -3,
               "IP:127.0.0.1",
               true,
               {"tls_config.insecure_skip_verify=true"},
               Reason::tls_expired,
               " expired 2 days ago, ",
               0},
           Row{"unknown authority", 30, "IP:127.0.0.1", false, {}, Reason::tls_verify, " expires in 30 days, ", 1},
           Row{"another name", 5, "DNS:other.test", true, {}, Reason::tls_verify, " expires in 5 days, ", 1},
       }) {
    CAPTURE(row.name);
    const auto certificate = leaf(row.days, row.names);
    certificate.write(file);
    auto settings = row.settings;
    if (row.trusted) settings.push_back("tls_config.ca_file=" + file);
    const Shown shown = look_at(certificate, settings);
    CAPTURE(shown.text);
    CHECK(shown.reason == row.reason);
    CHECK(shown.up == (row.reason == Reason::none));
    CHECK(shown.text.find(row.text) != std::string::npos);
    CHECK(shown.refused == row.refused);
    CHECK(shown.expiry == doctest::Approx(static_cast<double>(row.days)).epsilon(0.1));
  }
  std::filesystem::remove(file);
}

TEST_CASE("tls leaves the clear as each protocol has it") {
  struct Row {
    const char* protocol;
    std::vector<std::pair<const char*, const char*>> turns;  // said by the server, answered by the probe
    const char* go;
  };
  const auto certificate = leaf(30);
  for (const Row& row : {
           Row{"smtp",
               {{"220 mail ESMTP\r\n", "EHLO fettle\r\n"}, {"250-mail\r\n250 STARTTLS\r\n", "STARTTLS\r\n"}},
               "220 go\r\n"},
           Row{"imap", {{"* OK ready\r\n", "a1 STARTTLS\r\n"}}, "a1 OK go\r\n"},
           Row{"pop3", {{"+OK ready\r\n", "STLS\r\n"}}, "+OK go\r\n"},
           Row{"ftp", {{"220 ready\r\n", "AUTH TLS\r\n"}}, "234 go\r\n"},
       }) {
    CAPTURE(row.protocol);
    const Shown shown =
        look_at(certificate, {"tls_config.insecure_skip_verify=true", "starttls=" + std::string(row.protocol)},
                [&](const fakes::PeerSocket& socket) {
                  for (const auto& [said, answer] : row.turns) {
                    socket.send(said);
                    if (socket.read_until("\n") != answer) return false;
                  }
                  socket.send(row.go);
                  return true;
                });
    CAPTURE(shown.text);
    CHECK(shown.up);
    CHECK(shown.after.find(" expires in 30 days, ") == 0);
  }
}

TEST_CASE("tls leaves the clear of protocols without lines, or says that it may not") {
  using namespace std::string_literals;
  struct Row {
    const char* name;
    const char* protocol;
    std::string greeting;
    std::size_t asked;  // bytes that the probe sends
    std::string answer;
    Reason reason;
  };
  const std::string bind = "\x30\x0c\2\1\1\x78\x07\x0a\1"s, rest = "\4\0\4\0"s;
  const auto greets = [](const std::string& capabilities) {
    return "\x45\0\0\0\x0a"s + "8\0"s + std::string(12, 'x') + "\0"s + capabilities + "\x2d\2\0\xff\x81\x15"s +
           std::string(10, '\0') + std::string(12, 'x') + "\0mysql_native_password\0"s;
  };
  const auto certificate = leaf(30);
  for (const Row& row : {
           Row{"ldap", "ldap", "", 31, bind + '\0' + rest, Reason::none},
           Row{"ldap that has no certificate", "ldap", "", 31, bind + '\x35' + rest, Reason::tls_handshake},
           Row{"ldap with words behind", "ldap", "", 31, bind + '\0' + rest + "injected", Reason::protocol_error},
           Row{"no ldap", "ldap", "", 31, "HTTP/1.1 400 Bad Request\r\n", Reason::tls_handshake},
           Row{"postgres", "postgres", "", 8, "S", Reason::none},
           Row{"postgres without TLS", "postgres", "", 8, "N", Reason::tls_handshake},
           Row{"postgres with words behind", "postgres", "", 8, "SR", Reason::protocol_error},
           Row{"mysql", "mysql", greets("\xff\xff"), 36, "", Reason::none},
           Row{"mysql without TLS", "mysql", greets("\xff\xf7"), 0, "", Reason::tls_handshake},
           Row{"mysql with words behind", "mysql", greets("\xff\xff") + "x", 36, "", Reason::protocol_error},
       }) {
    CAPTURE(row.name);
    const Shown shown =
        look_at(certificate, {"tls_config.insecure_skip_verify=true", "starttls=" + std::string(row.protocol)},
                [&](const fakes::PeerSocket& socket) {
                  socket.send(row.greeting);
                  std::string asked(row.asked, '\0');
                  if (::recv(socket.fd(), asked.data(), row.asked, MSG_WAITALL) != static_cast<ssize_t>(row.asked))
                    return false;
                  socket.send(row.answer);
                  if (row.reason != Reason::none) socket.wait_for_close();
                  return row.reason == Reason::none;
                });
    CAPTURE(shown.text);
    CHECK(shown.reason == row.reason);
  }
}

TEST_CASE("http knows when certificates expire though a redirect comes before or behind them, or they were refused") {
  const auto good = leaf(30);
  const auto expired = leaf(-3);
  const fakes::TlsServer shown(good), refused(expired);
  const fakes::TcpPeer plain([](fakes::PeerSocket& socket) {
    socket.read_request();
    socket.send("HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
    socket.wait_for_close();
  });
  const auto tls_peer = [](const fakes::TlsServer& tls, std::string answer) {
    return std::make_unique<fakes::TcpPeer>([&tls, answer = std::move(answer)](fakes::PeerSocket& socket) {
      const auto ssl = tls.accept(socket);
      if (!ssl) return;
      fakes::TlsServer::read_until(ssl.get(), "\r\n\r\n");
      fakes::TlsServer::send(ssl.get(), answer);
      socket.wait_for_close();
    });
  };
  const auto away = [](const std::string& url) {
    return "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: " + url + "\r\n\r\n";
  };
  const auto to_plain = tls_peer(shown, away(plain.url()));
  const auto to_nobody = tls_peer(refused, "");
  const fakes::TcpPeer to_tls([&](fakes::PeerSocket& socket) {
    socket.read_request();
    socket.send(away("https://" + to_nobody->address() + "/"));
    socket.wait_for_close();
  });
  fakes::RealProbes probes;
  const double now = base::seconds(probes.loop.wall_now());
  const auto behind =
      probes.run("http", "https://" + to_plain->address() + "/", {"tls_config.insecure_skip_verify=true"});
  CAPTURE(behind.text);
  CHECK(behind.up);
  CHECK((fakes::measurement(behind, "probe_ssl_earliest_cert_expiry") - now) / kDay ==
        doctest::Approx(30).epsilon(0.01));
  const auto before = probes.run("http", to_tls.url(), {});
  CAPTURE(before.text);
  CHECK((before.reason == Reason::tls_verify || before.reason == Reason::tls_expired));
  CHECK((fakes::measurement(before, "probe_ssl_earliest_cert_expiry") - now) / kDay ==
        doctest::Approx(-3).epsilon(0.05));
}

// RabbitMQ's way: the alert with the reason is lost with the connection.
TEST_CASE("a server that asked for a certificate and then ends the connection without a word refused the handshake") {
  const auto authority = fakes::make_certificate({.common_name = "authority", .authority = true});
  const auto certificate = fakes::make_certificate({.common_name = "127.0.0.1", .alternative = "IP:127.0.0.1"});
  using Way = fakes::TlsServer::ClientCertificate;
  const fakes::TlsServer asks(certificate, &authority, Way::asked_for), silent(certificate);
  fakes::RealProbes probes;
  for (const bool resets : {true, false}) {
    for (const fakes::TlsServer* tls : {&asks, &silent}) {
      const fakes::TcpPeer peer([&](fakes::PeerSocket& socket) {
        const auto ssl = tls->accept(socket);
        if (!ssl) return;
        char byte = 0;
        SSL_read(ssl.get(), &byte, 1);
        if (resets) socket.reset();
        else socket.close();
      });
      for (const char* type : {"redis", "memcached", "http", "websocket"}) {
        CAPTURE(type);
        CAPTURE(resets);
        const bool by_url = type == std::string("http") || type == std::string("websocket");
        std::vector<std::string> settings{"tls_config.insecure_skip_verify=true"};
        if (!by_url) settings.emplace_back("tls=true");
        const std::string scheme = type == std::string("http") ? "https://" : by_url ? "wss://" : "";
        const auto outcome = probes.run(type, scheme + peer.address(), settings);
        CAPTURE(outcome.text);
        CHECK((outcome.reason == Reason::tls_handshake) == (tls == &asks));
        CHECK((outcome.text.find("client certificate") != std::string::npos) == (tls == &asks));
      }
    }
  }
}

// Of TLS 1.3 the server sees the client's certificate when the client has shaken hands already.
TEST_CASE("a server that wants a certificate refuses the handshake in each version of TLS, for all who speak it") {
  const std::string openssl = fakes::find_program("openssl");
  if (openssl.empty()) {
    MESSAGE("skipped: openssl is not installed (apt-get install openssl)");
    return;
  }
  const fakes::TemporaryFolder folder;
  const std::string at = folder.path();
  const fakes::CertificateKinds kinds(at);
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    CAPTURE(version);
    std::string target;
    fakes::RealServer server([&](fakes::RealServer& s) {
      target = "127.0.0.1:" + std::to_string(fakes::TcpPeer::dead_port());
      s.run({openssl, "s_server", "-accept", target, "-cert", at + "/server.pem", "-key", at + "/server.key", "-CAfile",
             at + "/ca.pem", "-Verify", "1", "-verify_return_error", "-www", version},
            at + "/log");
    });
    fakes::RealProbes probes;
    REQUIRE(server.until_up([&] { return probes.run("http", "https://" + target + "/", kinds.client()); }).up);
    for (const char* type : {"redis", "rabbitmq", "memcached", "http", "websocket", "grpc"}) {
      CAPTURE(type);
      const bool by_url = type == std::string("http") || type == std::string("websocket");
      std::vector<std::string> settings{kinds.trusted()};
      if (!by_url) settings.emplace_back("tls=true");
      if (type == std::string("rabbitmq")) settings.insert(settings.end(), {"username=fettle", "password=open sesame"});
      const std::string scheme = type == std::string("http") ? "https://" : by_url ? "wss://" : "";
      const auto refused = probes.run(type, scheme + target, settings);
      CAPTURE(refused.text);
      CHECK(refused.reason == Reason::tls_handshake);
    }
  }
}
