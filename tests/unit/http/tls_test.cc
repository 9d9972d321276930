// TLS as the HTTP client and the stream dialer see it: the same peers, the same verdicts.
#include "net/tls/tls.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/file.h"
#include "fakes/certificates.h"
#include "fakes/run_until.h"
#include "http/http_client.h"
#include "net/resolver.h"
#include "net/stream.h"

using namespace std::chrono_literals;
using fakes::Certificate;
using fakes::make_certificate;
using fakes::PeerSocket;
using fakes::TcpPeer;
using fakes::TlsServer;
using model::Reason;
using net::TlsContext;

namespace {

struct Folder {
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string operator/(const std::string& name) const { return path / name; }
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("fettle-tls-" + std::to_string(::getpid()));
};

struct World {
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  http::CurlHttpClient http{loop, resolver};
  net::StreamDialer dialer{loop, resolver};

  http::HttpResponse get(http::HttpRequest request, base::Duration limit = 10s) {
    std::optional<http::HttpResponse> response;
    request.deadline = loop.now() + limit;
    const auto handle = http.request(std::move(request), [&](http::HttpResponse r) { response = std::move(r); });
    REQUIRE(fakes::run_until(loop, [&] { return response.has_value(); }));
    return *std::move(response);
  }
  net::Connected dial(net::Dial dial, base::Duration limit = 10s) {
    std::optional<net::Connected> connected;
    dial.deadline = loop.now() + limit;
    const auto handle = dialer.connect(std::move(dial), [&](net::Connected c) { connected = std::move(c); });
    REQUIRE(fakes::run_until(loop, [&] { return connected.has_value(); }));
    return *std::move(connected);
  }
};

std::shared_ptr<TlsContext> context(const net::TlsSettings& settings) {
  auto made = TlsContext::get(settings);
  REQUIRE(made.has_value());
  return *std::move(made);
}

TcpPeer::Serve https(const TlsServer& server, std::string* name = nullptr) {
  return [&server, name](PeerSocket& socket) {
    const auto ssl = server.accept(socket, name);
    if (ssl == nullptr) return;
    while (!TlsServer::read_until(ssl.get(), "\r\n\r\n").empty())
      TlsServer::send(ssl.get(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  };
}

// Seconds from now, give or take what a slow machine needs.
bool about(std::optional<base::WallTime> t, std::chrono::seconds from_now) {
  const auto now = std::chrono::floor<base::Millis>(std::chrono::system_clock::now());
  return t.has_value() && *t - now > from_now - 60s && *t - now < from_now + 60s;
}

}  // namespace

TEST_CASE("a peer's certificate is judged alike by the HTTP client and the dialer, and its chain is told in any case") {
  const Folder folder;
  const Certificate authority =
      make_certificate({.common_name = "Test CA", .until_seconds = 900'000, .authority = true});
  authority.write(folder / "ca.pem");
  const auto leaf = [&](const std::string& alternative, long from = -1000, long until = 5000) {
    return make_certificate({.common_name = "shop",
                             .alternative = alternative,
                             .from_seconds = from,
                             .until_seconds = until,
                             .issuer = &authority});
  };
  struct Row {
    const char* name;
    Certificate certificate;
    net::TlsSettings settings;
    Reason reason;
    const char* error;
    long expires;
  };
  const net::TlsSettings ca{.ca_file = folder / "ca.pem"};
  const net::TlsSettings renamed{.ca_file = folder / "ca.pem", .server_name = "shop.test"};
  const net::TlsSettings skip{.insecure_skip_verify = true};
  std::vector<Row> rows;
  rows.push_back({"good, by address", leaf("IP:127.0.0.1,DNS:a.test,DNS:b.test"), ca, Reason::none, "", 5000});
  rows.push_back({"good, by server_name", leaf("DNS:shop.test"), renamed, Reason::none, "", 5000});
  rows.push_back(
      {"expired", leaf("IP:127.0.0.1", -9000, -3000), ca, Reason::tls_expired, "certificate has expired", -3000});
  rows.push_back({"not yet valid", leaf("IP:127.0.0.1", 3000, 9000), ca, Reason::tls_verify,
                  "certificate is not yet valid", 9000});
  rows.push_back({"wrong name", leaf("DNS:other.test"), ca, Reason::tls_verify,
                  "the certificate is for other.test, not for 127.0.0.1", 5000});
  rows.push_back({"a name in the subject only",
                  leaf(""),
                  {.ca_file = folder / "ca.pem", .server_name = "shop"},
                  Reason::tls_verify,
                  "the certificate is for CN=shop, not for shop; a name that stands in the subject only does not count",
                  5000});
  rows.push_back({"self-signed",
                  make_certificate({.common_name = "self", .alternative = "IP:127.0.0.1", .until_seconds = 5000}), ca,
                  Reason::tls_verify, "self-signed certificate", 5000});
  rows.push_back({"unknown authority",
                  leaf("IP:127.0.0.1"),
                  {},
                  Reason::tls_verify,
                  "unable to get local issuer certificate",
                  5000});
  rows.push_back({"expired, not checked", leaf("DNS:x.test", -9000, -3000), skip, Reason::none, "", -3000});

  World world;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const TlsServer server(row.certificate);
    std::string name;
    TcpPeer peer(https(server, &name));
    const auto tls = context(row.settings);
    const auto response = world.get({.url = "https://" + peer.address() + "/", .tls = tls});
    const auto connected = world.dial({.host = "127.0.0.1", .port = peer.port(), .tls = tls});
    CHECK(model::to_string(response.reason) == model::to_string(row.reason));
    CHECK(model::to_string(connected.failure.reason) == model::to_string(row.reason));
    const std::string text = row.reason == Reason::none ? "" : "certificate of " + peer.address() + ": " + row.error;
    CHECK(response.text == text);
    CHECK(connected.failure.text == text);
    CHECK(response.tls_seen);
    CHECK(connected.tls_seen);
    CHECK(name == row.settings.server_name);
    for (const net::PeerChain* chain : {&response.chain, &connected.chain}) {
      CHECK(chain->version == "TLS 1.3");
      CHECK(chain->cipher == "TLS_AES_256_GCM_SHA384");
      CHECK(chain->verify_error == row.error);
      CHECK(about(chain->leaf_expiry, std::chrono::seconds{row.expires}));
      CHECK(about(chain->earliest_expiry, std::chrono::seconds{row.expires}));
      CHECK(chain->last_chain_expiry.has_value() == (row.reason == Reason::none && !row.settings.insecure_skip_verify));
      CHECK(chain->fingerprint_sha256.size() == 64);
      CHECK(chain->serial.size() == 4);
    }
    CHECK(response.chain.fingerprint_sha256 == connected.chain.fingerprint_sha256);
  }
  const TlsServer server(rows[0].certificate);
  TcpPeer peer(https(server));
  const auto response = world.get({.url = "https://" + peer.address() + "/", .tls = context(ca)});
  CHECK(response.body == "ok");
  CHECK(response.chain.subject == "CN=shop");
  CHECK(response.chain.issuer == "CN=Test CA");
  CHECK(response.chain.subject_alternative == "a.test,b.test");
  std::vector<std::string> phases;
  for (const auto& phase : response.phases) phases.emplace_back(phase.name);
  CHECK(phases == std::vector<std::string>{"connect", "tls", "processing", "transfer"});
}

TEST_CASE("files that changed are read again at the next connection, and what cannot be used changes nothing") {
  const Folder folder;
  const auto authority = [](const char* name) {
    return make_certificate({.common_name = name, .until_seconds = 9000, .authority = true});
  };
  const Certificate first = authority("first"), second = authority("second");
  const auto leaf = [](const Certificate& issuer) {
    return make_certificate(
        {.common_name = "shop", .alternative = "IP:127.0.0.1", .until_seconds = 5000, .issuer = &issuer});
  };
  const TlsServer old_server(leaf(first)), new_server(leaf(second));
  TcpPeer old_peer(https(old_server)), new_peer(https(new_server));
  first.write(folder / "ca.pem");
  World world;
  const auto tls = context({.ca_file = folder / "ca.pem"});
  const auto trusted = [&](const TcpPeer& peer) {
    const auto response = world.get({.url = "https://" + peer.address() + "/", .tls = tls});
    const auto connected = world.dial({.host = "127.0.0.1", .port = peer.port(), .tls = tls});
    CHECK((response.reason == Reason::none) == (connected.failure.reason == Reason::none));
    return response.reason == Reason::none;
  };
  CHECK(trusted(old_peer));
  CHECK_FALSE(trusted(new_peer));
  const void* before = tls->native();
  CHECK(tls->native() == before);  // nothing changed, nothing is made anew
  second.write(folder / "next.pem");
  std::filesystem::rename(folder / "next.pem", folder / "ca.pem");
  CHECK_FALSE(trusted(old_peer));
  CHECK(trusted(new_peer));
  std::ofstream(folder / "ca.pem") << "half a certific";
  CHECK(trusted(new_peer));
  std::filesystem::remove(folder / "ca.pem");
  CHECK(trusted(new_peer));
  first.write(folder / "ca.pem");
  CHECK(trusted(old_peer));
}

TEST_CASE("where the system has no certificate authorities the agent cannot look, and blames no service") {
  const Folder folder;
  const Certificate authority = make_certificate({.common_name = "CA", .until_seconds = 9000, .authority = true});
  const TlsServer server(make_certificate(
      {.common_name = "shop", .alternative = "IP:127.0.0.1", .until_seconds = 5000, .issuer = &authority}));
  TcpPeer peer(https(server));
  ::setenv("SSL_CERT_FILE", (folder / "none.pem").c_str(), 1);
  ::setenv("SSL_CERT_DIR", (folder / "certs").c_str(), 1);
  const std::string text = "certificate of " + peer.address() +
                           ": the agent finds no certificate authorities of the system in " + (folder / "none.pem") +
                           " and " + (folder / "certs") +
                           ": install ca-certificates, let the agent's user read them, or set ca_file";
  {
    World world;
    const auto tls = context({});
    const auto ask = [&] { return world.get({.url = "https://" + peer.address() + "/", .tls = tls}); };
    const auto dial = [&] { return world.dial({.host = "127.0.0.1", .port = peer.port(), .tls = tls}).failure; };
    CHECK(ask().reason == Reason::agent_overloaded);
    CHECK(ask().text == text);
    CHECK(dial().reason == Reason::agent_overloaded);
    CHECK(dial().text == text);
    std::filesystem::create_directories(folder / "certs");
    std::ofstream(folder / "certs/12345678.0") << "another";  // there are some, and not this one
    CHECK(ask().reason == Reason::tls_verify);
    CHECK(dial().reason == Reason::tls_verify);
    std::filesystem::remove(folder / "certs/12345678.0");
    authority.write(folder / "other.pem");
    const auto own = context({.ca_file = folder / "other.pem"});
    CHECK(world.get({.url = "https://" + peer.address() + "/", .tls = own}).status == 200);
  }
  ::unsetenv("SSL_CERT_FILE");
  ::unsetenv("SSL_CERT_DIR");
}

TEST_CASE("a file that is not there yet costs its own connections only, until it is there") {
  const Folder folder;
  const Certificate authority = make_certificate({.common_name = "CA", .until_seconds = 9000, .authority = true});
  const TlsServer server(make_certificate(
      {.common_name = "shop", .alternative = "IP:127.0.0.1", .until_seconds = 5000, .issuer = &authority}));
  TcpPeer peer(https(server));
  World world;
  for (const bool skips : {false, true}) {
    CAPTURE(skips);
    std::filesystem::remove(folder / "ca.pem");
    const auto tls = context({.ca_file = folder / "ca.pem", .insecure_skip_verify = skips});
    const auto ask = [&] { return world.get({.url = "https://" + peer.address() + "/", .tls = tls}); };
    const auto dial = [&] { return world.dial({.host = "127.0.0.1", .port = peer.port(), .tls = tls}).failure; };
    const std::string text = "certificate of " + peer.address() + ": cannot load the certificate authorities of " +
                             (folder / "ca.pem") + ": No such file or directory";
    CHECK(ask().reason == Reason::agent_overloaded);
    CHECK(ask().text == text);
    CHECK(dial().reason == Reason::agent_overloaded);
    CHECK(dial().text == text);
    authority.write(folder / "ca.pem");
    CHECK(ask().reason == Reason::none);
    CHECK(dial().reason == Reason::none);
  }
}

TEST_CASE("a client certificate and its key may change one after the other") {
  const Folder folder;
  const Certificate authority = make_certificate({.common_name = "CA", .until_seconds = 9000, .authority = true});
  const auto client = [&](const char* name) {
    return make_certificate({.common_name = name, .until_seconds = 5000, .issuer = &authority});
  };
  const Certificate server_certificate = make_certificate(
      {.common_name = "shop", .alternative = "IP:127.0.0.1", .until_seconds = 5000, .issuer = &authority});
  const TlsServer server(server_certificate, &authority);
  TcpPeer peer(https(server));
  client("old").write(folder / "client.pem", folder / "client.key");
  World world;
  const auto tls =
      context({.cert_file = folder / "client.pem", .key_file = folder / "client.key", .insecure_skip_verify = true});
  const auto works = [&] {
    return world.get({.url = "https://" + peer.address() + "/", .tls = tls}).reason == Reason::none;
  };
  CHECK(works());
  const void* before = tls->native();
  client("new").write(folder / "next.pem", folder / "next.key");
  std::filesystem::rename(folder / "next.pem", folder / "client.pem");
  CHECK(works());
  CHECK(tls->native() == before);  // the new certificate does not fit the old key
  std::filesystem::rename(folder / "next.key", folder / "client.key");
  CHECK(works());
  CHECK(tls->native() != before);
}

TEST_CASE("the newest version that is offered can be an old one") {
  const Certificate certificate = make_certificate({.common_name = "self", .until_seconds = 5000});
  const TlsServer server(certificate);
  TcpPeer peer(https(server));
  World world;
  const auto tls = context({.insecure_skip_verify = true, .max_version = "TLS12"});
  CHECK(world.get({.url = "https://" + peer.address() + "/", .tls = tls}).chain.version == "TLS 1.2");
  CHECK(world.dial({.host = "127.0.0.1", .port = peer.port(), .tls = tls}).chain.version == "TLS 1.2");
  CHECK(TlsContext::get({.min_version = "TLS13", .max_version = "TLS12"}).error().text ==
        "max_version TLS12 is older than min_version TLS13");
  CHECK_FALSE(TlsContext::get({.max_version = "SSL3"}));
}

TEST_CASE("a kept connection still tells the certificates of its handshake") {
  const Certificate certificate = make_certificate({.common_name = "self", .until_seconds = 5000});
  const TlsServer server(certificate);
  TcpPeer peer(https(server));
  World world;
  const auto tls = context({.insecure_skip_verify = true});
  std::string fingerprint;
  for (int i = 0; i < 3; ++i) {
    const auto response = world.get({.url = "https://" + peer.address() + "/", .tls = tls, .reuse_connection = true});
    CHECK(response.reason == Reason::none);
    CHECK(response.tls_seen);
    if (i > 0) CHECK(response.chain.fingerprint_sha256 == fingerprint);
    fingerprint = response.chain.fingerprint_sha256;
  }
  CHECK(peer.accepted() == 1);
}

TEST_CASE("a session is resumed where that is asked for, and tells the certificates of its full handshake") {
  const Folder folder;
  const Certificate good = make_certificate({.common_name = "shop", .alternative = "IP:127.0.0.1", .authority = true});
  good.write(folder / "ca.pem");
  const TlsServer server(good);
  struct Row {
    bool reuse;
    bool ask_staple;  // which a resumed session does not bring
    int want_resumed;
  };
  for (const Row& row : {Row{true, false, 2}, Row{false, false, 0}, Row{true, true, 0}}) {
    CAPTURE(row.reuse);
    CAPTURE(row.ask_staple);
    std::atomic<int> resumed = 0;
    TcpPeer peer([&](PeerSocket& socket) {
      const auto ssl = server.accept(socket);
      if (ssl == nullptr) return;
      resumed += SSL_session_reused(ssl.get());
      TlsServer::send(ssl.get(), "hello");
      socket.wait_for_close();
    });
    World world;
    const auto tls =
        context({.ca_file = folder / "ca.pem", .session_reuse = row.reuse, .ask_ocsp_staple = row.ask_staple});
    for (int run = 0; run < 3; ++run) {
      CAPTURE(run);
      net::Connected connected =
          world.dial({.host = "127.0.0.1", .port = static_cast<std::uint16_t>(peer.port()), .tls = tls});
      REQUIRE(connected.stream != nullptr);
      std::string got;
      connected.stream->read([&](std::string_view bytes, const net::StreamFailure*) { got += bytes; });
      REQUIRE(fakes::run_until(world.loop, [&] { return got == "hello"; }));
      CHECK(connected.tls_seen);
      CHECK(about(connected.chain.last_chain_expiry, 86'400s));
      CHECK(connected.chain.subject == "CN=shop");
      CHECK(connected.chain.staple.has_value() == row.ask_staple);
    }
    CHECK(resumed == row.want_resumed);
  }
}

TEST_CASE("no session outlives the authorities under which its peer was verified") {
  const Folder folder;
  const auto authority = [](const char* name) {
    return make_certificate({.common_name = name, .until_seconds = 9000, .authority = true});
  };
  const Certificate first = authority("first"), second = authority("second");
  const TlsServer server(make_certificate(
      {.common_name = "shop", .alternative = "IP:127.0.0.1", .until_seconds = 5000, .issuer = &first}));
  std::atomic<int> resumed = 0;
  TcpPeer peer([&](PeerSocket& socket) {
    const auto ssl = server.accept(socket);
    if (ssl == nullptr) return;
    resumed += SSL_session_reused(ssl.get());
    TlsServer::send(ssl.get(), "hello");
    socket.wait_for_close();
  });
  first.write(folder / "ca.pem");
  World world;
  const auto tls = context({.ca_file = folder / "ca.pem", .session_reuse = true});
  const auto dial = [&] { return world.dial({.host = "127.0.0.1", .port = peer.port(), .tls = tls}); };
  const auto hear = [&](net::Connected& connected) {
    REQUIRE(connected.stream != nullptr);
    std::string got;
    connected.stream->read([&](std::string_view bytes, const net::StreamFailure*) { got += bytes; });
    REQUIRE(fakes::run_until(world.loop, [&] { return got == "hello"; }));
    connected.stream->read([](std::string_view, const net::StreamFailure*) {});
  };
  for (int run = 0; run < 2; ++run) {
    net::Connected connected = dial();
    hear(connected);
  }
  CHECK(resumed == 1);

  // One connection is still there while the file changes, and is given a session afterwards.
  net::Connected earlier = dial();
  REQUIRE(earlier.stream != nullptr);
  second.write(folder / "next.pem");
  std::filesystem::rename(folder / "next.pem", folder / "ca.pem");
  CHECK(dial().failure.reason == Reason::tls_verify);
  hear(earlier);
  CHECK(dial().failure.reason == Reason::tls_verify);
  CHECK(resumed == 2);
}

TEST_CASE("a handshake that fails for another reason than the certificate has its own reason") {
  World world;
  const auto skip = context({.insecure_skip_verify = true});
  struct Row {
    const char* name;
    TcpPeer::Serve serve;
    Reason reason;
    base::Duration limit;
  };
  for (const Row& row : {
           Row{"no TLS at all",
               [](PeerSocket& socket) {
                 socket.send("220 plain text\r\n");
                 socket.wait_for_close();
               },
               Reason::tls_handshake, 10s},
           Row{"silent", [](PeerSocket& socket) { socket.wait_for_close(); }, Reason::tls_handshake, 30ms},
           Row{"closes",
               [](PeerSocket& socket) {
                 char byte;
                 ::recv(socket.fd(), &byte, 1, 0);
                 ::shutdown(socket.fd(), SHUT_WR);
                 socket.wait_for_close();
               },
               Reason::tls_handshake, 10s},
           Row{"resets",
               [](PeerSocket& socket) {
                 char byte;
                 ::recv(socket.fd(), &byte, 1, 0);
                 socket.reset();
               },
               Reason::reset, 10s},
       }) {
    CAPTURE(row.name);
    TcpPeer peer(row.serve);
    const auto response = world.get({.url = "https://" + peer.address() + "/", .tls = skip}, row.limit);
    CHECK(model::to_string(response.reason) == model::to_string(row.reason));
    CHECK(response.text.find(peer.address()) != std::string::npos);
    const auto connected = world.dial({.host = "127.0.0.1", .port = peer.port(), .tls = skip}, row.limit);
    CHECK(connected.stream == nullptr);
    CHECK(model::to_string(connected.failure.reason) == model::to_string(row.reason));
    CHECK(connected.failure.text.find(peer.address()) != std::string::npos);
  }
}

TEST_CASE("a client certificate is shown by both when the settings have one") {
  const Folder folder;
  const Certificate authority = make_certificate({.common_name = "Client CA", .authority = true});
  make_certificate({.common_name = "agent", .issuer = &authority}).write(folder / "cert.pem", folder / "key.pem");
  const Certificate certificate = make_certificate({.common_name = "self"});
  const TlsServer server(certificate, &authority);
  TcpPeer peer(https(server));
  World world;
  const auto with =
      context({.cert_file = folder / "cert.pem", .key_file = folder / "key.pem", .insecure_skip_verify = true});
  CHECK(world.get({.url = "https://" + peer.address() + "/", .tls = with}).reason == Reason::none);
  const auto without = context({.insecure_skip_verify = true});
  CHECK(world.get({.url = "https://" + peer.address() + "/", .tls = without}).reason != Reason::none);
  auto connected = world.dial({.host = "127.0.0.1", .port = peer.port(), .tls = with});
  REQUIRE(connected.stream != nullptr);
  std::string got;
  connected.stream->write("GET / HTTP/1.1\r\n\r\n", [](auto) {});
  connected.stream->read([&](std::string_view bytes, auto) { got += bytes; });
  CHECK(fakes::run_until(world.loop, [&] { return got.ends_with("ok"); }));
}

TEST_CASE("the same settings share a context, and what is wrong with settings is said") {
  const Folder folder;
  std::ofstream(folder / "broken.pem") << "no certificate";
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const auto first = context({.insecure_skip_verify = true});
  CHECK(context({.insecure_skip_verify = true}) == first);
  CHECK(context({}) != first);
  struct Row {
    net::TlsSettings settings;
    std::string text;
  };
  for (const Row& row : {
           Row{{.ca_file = "/no/such/ca.pem"},
               "cannot load the certificate authorities of /no/such/ca.pem: No such file or directory"},
           Row{{.ca_file = folder / "broken.pem"},
               "cannot load the certificate authorities of " + (folder / "broken.pem") + ": "},
           Row{{.cert_file = folder / "broken.pem", .key_file = "/x"},
               "cannot load the client certificate " + (folder / "broken.pem") + ": "},
           // What would hold the reader for ever, or has no end.
           Row{{.ca_file = pipe}, "cannot load the certificate authorities of " + pipe + ": it is a pipe"},
           Row{{.ca_file = "/proc/kmsg"}, "cannot load the certificate authorities of /proc/kmsg: "},
           Row{{.cert_file = "/dev/zero", .key_file = pipe}, "cannot load the client certificate /dev/zero: it is a"},
       }) {
    CAPTURE(row.text);
    CHECK(context(row.settings)->trouble().starts_with(row.text));
  }
  for (const Row& row : {
           Row{{.cert_file = "/x"}, "a client certificate needs both cert_file and key_file"},
           Row{{.min_version = "TLS14"}, "'TLS14' is no TLS version; write TLS10, TLS11, TLS12 or TLS13"},
       }) {
    CAPTURE(row.text);
    const auto made = TlsContext::get(row.settings);
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().text.starts_with(row.text));
  }
}

TEST_CASE("certificates and keys may stand in the settings themselves") {
  Folder folder;
  const Certificate authority = make_certificate({.common_name = "CA", .authority = true});
  const Certificate server_certificate =
      make_certificate({.common_name = "s", .alternative = "IP:127.0.0.1", .issuer = &authority});
  const Certificate client = make_certificate({.common_name = "c", .issuer = &authority});
  authority.write(folder / "ca.pem");
  client.write(folder / "cert.pem", folder / "key.pem");
  const auto text = [&](const char* name) { return *base::read_file(folder / name); };
  World world;
  TlsServer server(server_certificate, &authority);
  TcpPeer peer(https(server));
  const net::TlsSettings inlined{.ca = text("ca.pem"), .cert = text("cert.pem"), .key = base::Secret(text("key.pem"))};
  CHECK(world.get({.url = "https://" + peer.address(), .tls = context(inlined)}).reason == Reason::none);
  CHECK(world.get({.url = "https://" + peer.address(), .tls = context({})}).reason == Reason::tls_verify);
  CHECK(context(inlined) == context(inlined));

  struct Row {
    net::TlsSettings settings;
    const char* want;
  };
  for (const Row& row :
       {Row{{.ca = "x"}, "ca has no PEM in it that can be used"},
        Row{{.cert = "x", .key = base::Secret("x")}, "cert has no PEM in it that can be used"},
        Row{{.cert = text("cert.pem"), .key = base::Secret(text("ca.pem"))}, "key has no PEM in it that can be used"},
        Row{{.cert = "x"}, "a client certificate needs both cert_file and key_file"}}) {
    const auto made = TlsContext::get(row.settings);
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().text == row.want);
  }
}

TEST_CASE("a kept connection is lent to requests with the same TLS settings only") {
  World world;
  const Certificate certificate = make_certificate({.common_name = "s", .alternative = "IP:127.0.0.1"});
  TlsServer server(certificate);
  TcpPeer peer(https(server));
  const auto careless = context({.insecure_skip_verify = true});
  const auto ask = [&](const std::shared_ptr<TlsContext>& tls) {
    return world.get({.url = "https://" + peer.address(), .tls = tls, .reuse_connection = true}).reason;
  };
  CHECK(ask(careless) == Reason::none);
  CHECK(ask(careless) == Reason::none);
  CHECK(peer.accepted() == 1);
  CHECK(ask(nullptr) == Reason::tls_verify);
  CHECK(ask(context({.insecure_skip_verify = true, .min_version = "TLS13"})) == Reason::none);
  CHECK(peer.accepted() == 3);
}
