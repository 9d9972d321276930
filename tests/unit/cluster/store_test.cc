// The stores against real servers: three members of etcd, with TLS, client certificates and users; three of Consul.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/registry.h"
#include "fakes/certificates.h"
#include "fakes/child.h"
#include "fakes/local_server.h"
#include "fakes/run_until.h"
#include "http/http_client.h"
#include "net/resolver.h"
#include "net/tls/tls_config.h"

using namespace std::chrono_literals;
using cluster::Answered;

namespace {

// Ports that were free a moment ago, all different.
std::vector<int> free_ports(std::size_t count) {
  std::vector<base::UniqueFd> held;
  std::vector<int> ports(count);
  for (int& port : ports) held.push_back(fakes::listen_on_loopback(port));
  return ports;
}

struct World {
  World() = default;

  std::unique_ptr<cluster::Store> store(const std::string& type, const std::string& yaml) {
    config::Errors errors;
    for (const cluster::StoreType* known : cluster::store_types())
      if (known->name == type) settings = known->parse(config::Node::parse(yaml, "f.yml", errors), "fleet", errors);
    REQUIRE_MESSAGE(errors.empty(), errors.text());
    return settings->make({loop, http, "node1"}, 3s);
  }

  template <typename T, typename Call>
  cluster::Answer<T> ask(Call call) {
    std::optional<cluster::Answer<T>> answer;
    const loop::Handle handle = call([&](cluster::Answer<T> a) { answer = std::move(a); });
    REQUIRE(fakes::run_until(
        loop, [&] { return answer.has_value(); }, 30s));
    return *std::move(answer);
  }
  cluster::Answer<std::string> grant(cluster::Store& s) {
    return ask<std::string>([&](auto done) { return s.grant(10s, done); });
  }
  Answered renew(cluster::Store& s, const std::string& lease) {
    return ask<cluster::Nothing>([&](auto done) { return s.renew(lease, done); }).kind;
  }
  cluster::Answer<std::uint64_t> take(cluster::Store& s, const std::string& key, const std::string& lease,
                                      const std::string& value = "{}") {
    return ask<std::uint64_t>([&](auto done) { return s.take(key, value, lease, done); });
  }
  Answered drop(cluster::Store& s, const std::string& key, const std::string& lease) {
    return ask<cluster::Nothing>([&](auto done) { return s.drop(key, lease, done); }).kind;
  }
  cluster::Answer<cluster::Reading> read(cluster::Store& s, const std::string& prefix) {
    return ask<cluster::Reading>([&](auto done) { return s.read(prefix, done); });
  }
  // Again and again, for servers that are starting or choosing a leader.
  std::string lease_in_time(cluster::Store& s) {
    const auto patience = loop.now() + 60s;
    cluster::Answer<std::string> answer = grant(s);
    while (answer.kind != Answered::yes && loop.now() < patience) {
      ::usleep(50'000);
      answer = grant(s);
    }
    INFO(answer.text);
    REQUIRE(answer.kind == Answered::yes);
    return answer.value;
  }

  fakes::TemporaryFolder folder;
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  http::CurlHttpClient http{loop, resolver};
  std::unique_ptr<const cluster::Settings> settings;
};

// What the fleet builds on, whichever store it is.
void keeps_its_word(World& world, cluster::Store& store, const std::string& one) {
  const std::string two = world.grant(store).value;
  REQUIRE(two != one);
  CHECK(world.renew(store, one) == Answered::yes);
  CHECK(world.read(store, "g/").value.entries.empty());

  const auto first = world.take(store, "g/slots/0", one);
  REQUIRE(first.kind == Answered::yes);
  CHECK(world.take(store, "g/slots/0", two).kind == Answered::no);
  CHECK(world.take(store, "g/slots/0", one, "{\"again\":1}").kind == Answered::yes);
  CHECK(world.take(store, "h/slots/0", two).kind == Answered::yes);
  const auto reading = world.read(store, "g/");
  REQUIRE(reading.kind == Answered::yes);
  REQUIRE(reading.value.entries.size() == 1);
  CHECK(reading.value.entries[0].key == "g/slots/0");
  CHECK(reading.value.entries[0].value == "{\"again\":1}");
  CHECK(reading.value.entries[0].lease == one);
  CHECK(reading.value.entries[0].fence >= first.value);

  // A watch hears of what came after the reading, also when it came before the watch.
  const auto watch = [&](std::uint64_t index) {
    return world.ask<cluster::Nothing>([&](auto done) { return store.watch("g/", index, done); }).kind;
  };
  CHECK(world.take(store, "g/members/a/b", two).kind == Answered::yes);
  CHECK(watch(reading.value.index) == Answered::yes);
  std::optional<Answered> told;
  const loop::Handle watching = store.watch("g/", world.read(store, "g/").value.index,
                                            [&](const cluster::Answer<cluster::Nothing>& a) { told = a.kind; });
  CHECK(world.drop(store, "g/slots/0", two) == Answered::no);
  CHECK(world.drop(store, "g/slots/0", one) == Answered::yes);
  CHECK(world.drop(store, "g/slots/0", one) == Answered::no);
  REQUIRE(fakes::run_until(
      world.loop, [&] { return told.has_value(); }, 30s));
  CHECK(*told == Answered::yes);

  // A record is under no lease, and is written over the revision that was read only.
  const auto write = [&](const std::string& value, std::uint64_t revision) {
    return world.ask<cluster::Nothing>([&](auto done) { return store.write("g/rollout", value, revision, done); }).kind;
  };
  const auto record = [&] {
    const auto all = world.read(store, "g/").value.records;
    return all.size() == 1 ? all[0] : cluster::Record{};
  };
  CHECK(record().revision == 0);
  CHECK(write("{}", 7) == Answered::no);
  CHECK(write("{\"a\":1}", 0) == Answered::yes);
  CHECK(write("{}", 0) == Answered::no);
  const cluster::Record first_record = record();
  CHECK(first_record.key == "g/rollout");
  CHECK(first_record.value == "{\"a\":1}");
  CHECK(write("{\"a\":2}", first_record.revision) == Answered::yes);
  CHECK(write("{\"a\":3}", first_record.revision) == Answered::no);
  CHECK(record().value == "{\"a\":2}");

  const auto next = world.take(store, "g/slots/0", two);
  REQUIRE(next.kind == Answered::yes);
  CHECK(next.value > reading.value.entries[0].fence);

  CHECK(world.ask<cluster::Nothing>([&](auto done) { return store.revoke(two, done); }).kind == Answered::yes);
  CHECK(world.renew(store, two) == Answered::no);
  CHECK(world.take(store, "g/slots/1", two).kind == Answered::no);
  CHECK(world.read(store, "g/").value.entries.empty());  // they went with the lease
  CHECK(record().value == "{\"a\":2}");                  // and this did not
}

// Three members on loopback.
struct EtcdCluster {
  explicit EtcdCluster(World& w, std::vector<std::string> more = {}, const std::string& scheme = "http")
      : world(w), words(std::move(more)) {
    const std::vector<int> ports = free_ports(6);
    for (std::size_t i = 0; i < 3; ++i) {
      clients.push_back(fmt::format("{}://127.0.0.1:{}", scheme, ports[i]));
      peers.push_back(fmt::format("http://127.0.0.1:{}", ports[i + 3]));
    }
    for (std::size_t i = 0; i < 3; ++i) start(i);
  }
  void start(std::size_t i) {
    std::string all;
    for (std::size_t j = 0; j < 3; ++j) all += fmt::format("{}e{}={}", j == 0 ? "" : ",", j, peers[j]);
    std::vector<std::string> line{fakes::find_program("etcd"),
                                  "--name",
                                  fmt::format("e{}", i),
                                  "--data-dir",
                                  fmt::format("{}/d{}", world.folder.path(), i),
                                  "--listen-client-urls",
                                  clients[i],
                                  "--advertise-client-urls",
                                  clients[i],
                                  "--listen-peer-urls",
                                  peers[i],
                                  "--initial-advertise-peer-urls",
                                  peers[i],
                                  "--initial-cluster",
                                  all,
                                  "--initial-cluster-state",
                                  "new",
                                  "--heartbeat-interval",
                                  "100",
                                  "--election-timeout",
                                  "1000",
                                  "--logger",
                                  "zap",
                                  "--log-level",
                                  "error"};
    line.insert(line.end(), words.begin(), words.end());
    members.push_back(std::make_unique<fakes::Child>(line, fmt::format("{}/log{}", world.folder.path(), i)));
  }
  std::string endpoints() const {
    return fmt::format("endpoints: [\"{}\", \"{}\", \"{}\"]", clients[0], clients[1], clients[2]);
  }

  World& world;
  std::vector<std::string> words, clients, peers;
  std::vector<std::unique_ptr<fakes::Child>> members;
};

bool missing(const std::string& program) {
  if (!fakes::find_program(program).empty()) return false;
  MESSAGE("skipped: " << program << " is not installed");
  return true;
}

// As root of etcd, before a fleet may ask.
void post(World& world, const std::string& url, const std::string& body, std::shared_ptr<net::TlsContext> tls) {
  std::optional<http::HttpResponse> response;
  http::HttpRequest request;
  request.method = "POST";
  request.url = url;
  request.body = body;
  request.tls = std::move(tls);
  request.deadline = world.loop.now() + 10s;
  const auto handle = world.http.request(std::move(request), [&](http::HttpResponse r) { response = std::move(r); });
  REQUIRE(fakes::run_until(
      world.loop, [&] { return response.has_value(); }, 20s));
  INFO(url << " " << response->text << response->body);
  REQUIRE(response->status == 200);
}

}  // namespace

TEST_CASE("three members of etcd keep their word, and one that dies is no loss") {
  if (missing("etcd")) return;
  World world;
  EtcdCluster etcd(world);
  const auto store = world.store("etcd", etcd.endpoints());
  const std::string lease = world.lease_in_time(*store);
  keeps_its_word(world, *store, lease);
  REQUIRE(world.take(*store, "g/slots/0", lease).kind == Answered::yes);
  etcd.members[0].reset();
  const auto patience = world.loop.now() + 30s;
  Answered renewed = Answered::unknown;
  while (renewed == Answered::unknown && world.loop.now() < patience) renewed = world.renew(*store, lease);
  CHECK(renewed == Answered::yes);
  CHECK(world.read(*store, "g/").value.entries.size() == 1);
  // Without a majority nobody says yes, and nobody no.
  etcd.members[1].reset();
  const auto take = world.take(*store, "g/slots/1", lease);
  CHECK(take.kind == Answered::unknown);
  CHECK_FALSE(take.text.empty());
}

TEST_CASE("etcd with TLS, client certificates and users") {
  if (missing("etcd")) return;
  World world;
  const std::string at = world.folder.path();
  const fakes::Certificate ca = fakes::make_certificate({.common_name = "fleet CA", .authority = true});
  const fakes::Certificate server =
      fakes::make_certificate({.common_name = "etcd", .alternative = "IP:127.0.0.1", .issuer = &ca});
  const fakes::Certificate client = fakes::make_certificate({.alternative = "DNS:node1", .issuer = &ca});
  ca.write(at + "/ca.crt");
  server.write(at + "/server.crt", at + "/server.key");
  client.write(at + "/client.crt", at + "/client.key");
  EtcdCluster etcd(world,
                   {"--cert-file", at + "/server.crt", "--key-file", at + "/server.key", "--trusted-ca-file",
                    at + "/ca.crt", "--client-cert-auth"},
                   "https");
  const std::string tls =
      fmt::format("\ntls_config: {{ca_file: {0}/ca.crt, cert_file: {0}/client.crt, key_file: {0}/client.key}}", at);
  const std::string login = fmt::format("\nbasic_auth: {{username: fettle, password_file: {}/password}}", at);
  std::ofstream(at + "/password") << "s3cret\n";

  const auto open = world.store("etcd", etcd.endpoints() + tls);
  world.lease_in_time(*open);
  net::TlsSettings files;
  files.ca_file = at + "/ca.crt";
  files.cert_file = at + "/client.crt";
  files.key_file = at + "/client.key";
  config::Errors errors;
  const std::shared_ptr<net::TlsContext> context = net::tls_context(files, {}, "", errors);
  const auto say = [&](const std::string& path, const std::string& body) {
    post(world, etcd.clients[0] + path, body, context);
  };
  say("/v3/auth/role/add", R"({"name":"fettle"})");
  say("/v3/auth/role/grant",
      R"({"name":"fettle","perm":{"permType":"READWRITE","key":"L2ZldHRsZS8=","range_end":"L2ZldHRsZTA="}})");
  say("/v3/auth/user/add", R"({"name":"root","password":"r"})");
  say("/v3/auth/user/grant", R"({"user":"root","role":"root"})");
  say("/v3/auth/user/add", R"({"name":"fettle","password":"s3cret"})");
  say("/v3/auth/user/grant", R"({"user":"fettle","role":"fettle"})");
  say("/v3/auth/enable", "{}");

  const auto refused = world.read(*open, "g/");
  CHECK(refused.kind == Answered::unknown);
  const auto strange = world.store("etcd", etcd.endpoints() + fmt::format("\ntls_config: {{ca_file: {}/ca.crt}}", at));
  CHECK(world.grant(*strange).kind == Answered::unknown);
  const auto store = world.store("etcd", etcd.endpoints() + tls + login);
  keeps_its_word(world, *store, world.lease_in_time(*store));
  std::ofstream(at + "/password") << "wrong\n";
  const auto wrong = world.store("etcd", etcd.endpoints() + tls + login);
  const auto answer = world.read(*wrong, "g/");
  CHECK(answer.kind == Answered::unknown);
  CHECK(answer.text.find("no login") != std::string::npos);
}

TEST_CASE("three servers of Consul keep their word") {
  if (missing("consul")) return;
  World world;
  const std::vector<int> ports = free_ports(9);
  std::string join;
  for (std::size_t i = 0; i < 3; ++i) join += fmt::format("{}\"127.0.0.1:{}\"", i == 0 ? "" : ",", ports[3 * i + 2]);
  constexpr const char* kMaster = "5f1ac7a4-0000-4000-8000-000000000001";
  std::vector<std::unique_ptr<fakes::Child>> servers;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string file = fmt::format("{}/s{}.json", world.folder.path(), i);
    std::ofstream(file) << fmt::format(
        R"({{"server":true,"bootstrap_expect":3,"datacenter":"shop","node_name":"c{0}","data_dir":"{1}/c{0}",
"bind_addr":"127.0.0.1","client_addr":"127.0.0.1","retry_join":[{2}],"retry_interval":"1s",
"ports":{{"http":{3},"https":-1,"dns":-1,"server":{4},"serf_lan":{5},"serf_wan":-1,"grpc":-1}},
"performance":{{"raft_multiplier":1}},"disable_update_check":true,"leave_on_terminate":false,
"acl":{{"enabled":true,"default_policy":"deny","tokens":{{"master":"{6}","agent":"{6}"}}}}}})",
        i, world.folder.path(), join, ports[3 * i], ports[3 * i + 1], ports[3 * i + 2], kMaster);
    servers.push_back(std::make_unique<fakes::Child>(
        std::vector<std::string>{fakes::find_program("consul"), "agent", "-config-file=" + file},
        fmt::format("{}/log{}", world.folder.path(), i)));
  }
  const std::string server = fmt::format("server: \"127.0.0.1:{}\"\n", ports[0]);
  std::ofstream(world.folder.path() + "/token") << kMaster << "\n";
  const auto store =
      world.store("consul", server + fmt::format("authorization: {{credentials_file: {}/token}}", world.folder.path()));
  const std::string lease = world.lease_in_time(*store);
  keeps_its_word(world, *store, lease);
  const auto nobody = world.store("consul", server);
  const auto refused = world.grant(*nobody);
  CHECK(refused.kind == Answered::unknown);
  CHECK(refused.text.find("Permission denied") != std::string::npos);
  // Without a majority nobody says yes, and nobody no.
  servers[1].reset();
  servers[2].reset();
  CHECK(world.take(*store, "g/slots/7", lease).kind == Answered::unknown);
}
