// What etcd 3.4 and 3.5 and Consul 1.8 answer, as recorded from real ones: each request, and what we make of it.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>

#include "cluster/registry.h"
#include "config/node.h"
#include "fakes/fake_http.h"

using namespace std::chrono_literals;
using cluster::Answered;

namespace {

struct World {
  World(const std::string& type, const std::string& yaml) {
    config::Errors errors;
    for (const cluster::StoreType* known : cluster::store_types())
      if (known->name == type) settings = known->parse(config::Node::parse(yaml, "f.yml", errors), "fleet", errors);
    REQUIRE_MESSAGE(errors.empty(), errors.text());
    store = settings->make({loop, http, "node1"}, 2s);
  }
  const http::HttpRequest& asked() const { return http.desk.last(); }
  void answer(int status, const std::string& body, http::Headers headers = {}) {
    http::HttpResponse response;
    response.status = status;
    response.body = body;
    response.headers = std::move(headers);
    http.desk.answer(std::move(response));
  }
  void no_answer(const std::string& body = "") {
    http::HttpResponse response;
    response.reason = model::Reason::read_timeout;
    response.text = "no answer in time";
    response.body = body;
    http.desk.answer(std::move(response));
  }

  fakes::FakeLoop loop;
  fakes::FakeHttp http{loop};
  std::unique_ptr<const cluster::Settings> settings;
  std::unique_ptr<cluster::Store> store;
};

// Keeps the answer of one call.
template <typename T>
struct Told {
  std::function<void(cluster::Answer<T>)> done() {
    return [this](cluster::Answer<T> a) {
      answer = std::move(a);
      handle.reset();  // as its owner may
    };
  }
  Answered kind() const { return answer.value().kind; }
  std::optional<cluster::Answer<T>> answer;
  loop::Handle handle;
};

std::string header(const http::HttpRequest& request, const std::string& name) {
  const std::string* value = http::find_header(request.headers, name);
  return value == nullptr ? "" : *value;
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const std::string kEtcd = "endpoints: [\"http://10.0.0.1:2379/\", \"http://10.0.0.2:2379\"]";
const std::string kHead = R"({"cluster_id":"13","member_id":"11","revision":"7","raft_term":"2"})";
const std::string kKv =
    R"({"key":"L2ZldHRsZS9mbGVldC9nL3Nsb3RzLzA=","create_revision":"5","mod_revision":"6","version":"2","value":"e30=","lease":"77"})";

}  // namespace

TEST_CASE("etcd: leases") {
  World world("etcd", kEtcd);
  Told<std::string> granted;
  granted.handle = world.store->grant(12'500ms, granted.done());
  CHECK(world.asked().url == "http://10.0.0.1:2379/v3/lease/grant");
  CHECK(world.asked().method == "POST");
  CHECK(world.asked().body == R"({"TTL":13})");
  CHECK(world.asked().deadline == world.loop.now() + 2s);
  CHECK_FALSE(world.asked().reuse_connection);
  world.answer(200, R"({"header":)" + kHead + R"(,"ID":"5309359298002269957","TTL":"13"})");
  CHECK(granted.kind() == Answered::yes);
  CHECK(granted.answer->value == "5309359298002269957");

  Told<cluster::Nothing> renewed;
  renewed.handle = world.store->renew("77", renewed.done());
  CHECK(world.asked().body == R"({"ID":"77"})");
  world.answer(200, R"({"result":{"header":)" + kHead + R"(,"ID":"77","TTL":"20"}})" + "\n");
  CHECK(renewed.kind() == Answered::yes);
  renewed.handle = world.store->renew("77", renewed.done());
  world.answer(200, R"({"result":{"header":)" + kHead + R"(,"ID":"77"}})" + "\n");
  CHECK(renewed.kind() == Answered::no);  // it has ended, and the answer is 200
  renewed.handle = world.store->renew("77", renewed.done());
  world.answer(
      503,
      R"({"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader","http_status":"Service Unavailable"}})");
  CHECK(renewed.kind() == Answered::unknown);
  CHECK(has(renewed.answer->text, "no leader"));
  renewed.handle = world.store->revoke("77", renewed.done());
  world.answer(
      404,
      R"({"error":"etcdserver: requested lease not found","message":"etcdserver: requested lease not found","code":5})");
  CHECK(renewed.kind() == Answered::no);
}

TEST_CASE("etcd: an entry is taken by one, and its fence is the revision that made it") {
  World world("etcd", kEtcd);
  Told<std::uint64_t> taken;
  const auto take = [&](const std::string& lease, int status, const std::string& body) {
    taken.handle = world.store->take("g/slots/0", "{}", lease, taken.done());
    world.answer(status, body);
  };
  const std::string range = R"({"response_range":{"header":{"revision":"7"},"kvs":[)" + kKv + R"(],"count":"1"}})";
  const std::string put = R"({"response_put":{"header":{"revision":"7"}}},)";
  take("77", 200,
       R"({"header":)" + kHead + R"(,"responses":[{"response_txn":{"header":{},"succeeded":true,"responses":[)" + put +
           range + "]}}]}");
  CHECK(world.asked().url == "http://10.0.0.1:2379/v3/kv/txn");
  CHECK(taken.kind() == Answered::yes);
  CHECK(taken.answer->value == 5);
  take("77", 200, R"({"header":)" + kHead + R"(,"succeeded":true,"responses":[)" + put + range + "]}");
  CHECK(taken.kind() == Answered::yes);
  CHECK(taken.answer->value == 5);
  take("78", 200,
       R"({"header":)" + kHead + R"(,"responses":[{"response_txn":{"header":{},"responses":[)" + range + "]}}]}");
  CHECK(taken.kind() == Answered::no);
  take("78", 404, R"({"code":5, "message":"etcdserver: requested lease not found"})");
  CHECK(taken.kind() == Answered::no);
  take("78", 500, R"({"error":"context deadline exceeded","message":"context deadline exceeded","code":2})");
  CHECK(taken.kind() == Answered::unknown);
  take("78", 200, "");  // one release line answered so
  CHECK(taken.kind() == Answered::unknown);
  take("78", 200, "{}");
  CHECK(taken.kind() == Answered::unknown);
  take("78", 403, R"({"error":"etcdserver: permission denied","code":7,"message":"etcdserver: permission denied"})");
  CHECK(taken.kind() == Answered::unknown);
  CHECK(has(taken.answer->text, "permission denied"));

  Told<cluster::Nothing> dropped;
  dropped.handle = world.store->drop("g/slots/0", "77", dropped.done());
  world.answer(
      200,
      R"({"header":)" + kHead +
          R"(,"succeeded":true,"responses":[{"response_delete_range":{"header":{"revision":"8"},"deleted":"1"}}]})");
  CHECK(dropped.kind() == Answered::yes);
  dropped.handle = world.store->drop("g/slots/0", "77", dropped.done());
  world.answer(200, R"({"header":)" + kHead + "}");
  CHECK(dropped.kind() == Answered::no);
}

TEST_CASE("etcd: what is read has its leases, and is never from the past") {
  World world("etcd", kEtcd);
  Told<cluster::Reading> read;
  read.handle = world.store->read("g/", read.done());
  CHECK_FALSE(has(world.asked().body, "serializable"));
  world.answer(200, R"({"header":)" + kHead + R"(,"kvs":[)" + kKv +
                        R"(,{"key":"L290aGVy","create_revision":"5","lease":"77"}],"count":"2"})");
  REQUIRE(read.kind() == Answered::yes);
  CHECK(read.answer->value.index == 7);
  REQUIRE(read.answer->value.entries.size() == 1);
  const cluster::Entry& entry = read.answer->value.entries.front();
  CHECK(entry.key == "g/slots/0");
  CHECK(entry.value == "{}");
  CHECK(entry.lease == "77");
  CHECK(entry.fence == 5);
  read.handle = world.store->read("g/", read.done());
  world.answer(200, R"({"header":)" + kHead + "}");
  CHECK(read.kind() == Answered::yes);
  CHECK(read.answer->value.entries.empty());
}

TEST_CASE("etcd: a watch ends with the first event, and one that breaks says so") {
  World world("etcd", kEtcd);
  Told<cluster::Nothing> told;
  const std::string created = R"({"result":{"header":)" + kHead + R"(,"created":true}})" + "\n";
  const auto watch = [&] { told.handle = world.store->watch("g/", 7, told.done()); };
  watch();
  CHECK(header(world.asked(), "Grpc-Metadata-hasleader") == "true");
  CHECK(has(world.asked().body, R"("start_revision":"8")"));
  REQUIRE(world.asked().enough);
  CHECK_FALSE(world.asked().enough(created));
  const std::string event = created + R"({"result":{"header":)" + kHead + R"(,"events":[{"kv":)" + kKv + "}]}}\n";
  CHECK(world.asked().enough(event));
  world.answer(200, event);
  CHECK(told.kind() == Answered::yes);
  watch();
  const std::string cancelled =
      created + R"({"result":{"header":)" + kHead + R"(,"canceled":true,"compact_revision":"9"}})";
  CHECK(world.asked().enough(cancelled));
  world.answer(200, cancelled);
  CHECK(told.kind() == Answered::yes);  // whoever hears of it reads everything
  watch();
  world.no_answer(created);  // its time was over
  CHECK(told.kind() == Answered::yes);
  watch();
  const std::string lost = created + R"({"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}})";
  CHECK(world.asked().enough(lost));
  world.answer(200, lost);
  CHECK(told.kind() == Answered::unknown);
  watch();
  world.no_answer();
  CHECK(told.kind() == Answered::unknown);
}

TEST_CASE("etcd: the member after one that did not answer is asked") {
  World world("etcd", kEtcd);
  Told<cluster::Nothing> told;
  told.handle = world.store->renew("77", told.done());
  world.no_answer();
  CHECK(told.kind() == Answered::unknown);
  CHECK(told.answer->text == "http://10.0.0.1:2379: no answer in time");
  told.handle = world.store->renew("77", told.done());
  CHECK(world.asked().url == "http://10.0.0.2:2379/v3/lease/keepalive");
  world.answer(404, R"({"code":5, "message":"etcdserver: requested lease not found"})");
  CHECK(told.kind() == Answered::no);
  told.handle = world.store->renew("77", told.done());  // it did answer
  CHECK(world.asked().url == "http://10.0.0.2:2379/v3/lease/keepalive");
}

TEST_CASE("etcd: a user logs in for a token, once more when it is refused, and no more than that") {
  World world("etcd", kEtcd + "\nbasic_auth: {username: fettle, password: s3cret}");
  Told<cluster::Nothing> told;
  told.handle = world.store->renew("77", told.done());
  CHECK(world.asked().url == "http://10.0.0.1:2379/v3/auth/authenticate");
  CHECK(world.asked().body == R"({"name":"fettle","password":"s3cret"})");
  CHECK(header(world.asked(), "Authorization").empty());
  world.answer(200, R"({"header":)" + kHead + R"(,"token":"abc.1"})");
  CHECK(header(world.asked(), "Authorization") == "abc.1");
  world.answer(200, R"({"result":{"header":)" + kHead + R"(,"ID":"77","TTL":"20"}})");
  CHECK(told.kind() == Answered::yes);
  told.handle = world.store->renew("77", told.done());  // with the token that is kept
  CHECK(header(world.asked(), "Authorization") == "abc.1");
  world.answer(401,
               R"({"error":"etcdserver: invalid auth token","message":"etcdserver: invalid auth token","code":16})");
  CHECK(has(world.asked().url, "authenticate"));
  world.answer(200, R"({"header":)" + kHead + R"(,"token":"abc.2"})");
  CHECK(header(world.asked(), "Authorization") == "abc.2");
  world.answer(401,
               R"({"error":"etcdserver: invalid auth token","message":"etcdserver: invalid auth token","code":16})");
  CHECK(told.kind() == Answered::unknown);

  SUBCASE("a password that is wrong is told") {
    Told<cluster::Nothing> again;
    again.handle = world.store->renew("77", again.done());
    world.answer(400,
                 R"({"error":"etcdserver: user name is empty","message":"etcdserver: user name is empty","code":3})");
    CHECK(has(world.asked().url, "authenticate"));
    world.answer(
        400,
        R"({"error":"etcdserver: authentication failed, invalid user ID or password","code":3,"message":"etcdserver: authentication failed, invalid user ID or password"})");
    CHECK(again.kind() == Answered::unknown);
    CHECK(has(again.answer->text, "no login: it answered 400: etcdserver: authentication failed"));
  }
}

TEST_CASE("Consul: sessions") {
  World world("consul", "{server: \"10.0.0.1:8500\", authorization: {credentials: t0ken}}");
  Told<std::string> granted;
  granted.handle = world.store->grant(20s, granted.done());
  CHECK(world.asked().url == "http://10.0.0.1:8500/v1/session/create");
  CHECK(world.asked().method == "PUT");
  CHECK(header(world.asked(), "Authorization") == "Bearer t0ken");
  CHECK(world.asked().body == R"({"Behavior":"delete","LockDelay":"20s","Name":"fettle node1","TTL":"20s"})");
  world.answer(200, R"({"ID":"5a90d76e-04d1-00c7-0019-4b4b95833ab1"})");
  CHECK(granted.kind() == Answered::yes);
  CHECK(granted.answer->value == "5a90d76e-04d1-00c7-0019-4b4b95833ab1");
  granted.handle = world.store->grant(20s, granted.done());
  world.answer(403, "Permission denied");
  CHECK(granted.kind() == Answered::unknown);
  CHECK(has(granted.answer->text, "it answered 403: Permission denied"));

  Told<cluster::Nothing> renewed;
  renewed.handle = world.store->renew("5a90", renewed.done());
  world.answer(200, R"([{"ID":"5a90","Name":"fettle n","Node":"c1","TTL":"20s"}])");
  CHECK(renewed.kind() == Answered::yes);
  renewed.handle = world.store->renew("5a90", renewed.done());
  world.answer(404, "Session id '5a90' not found");
  CHECK(renewed.kind() == Answered::no);
  renewed.handle = world.store->renew("5a90", renewed.done());
  world.answer(500, "No cluster leader");
  CHECK(renewed.kind() == Answered::unknown);
}

TEST_CASE("Consul: an entry is taken by one, and its fence is read right after") {
  World world("consul", "{server: \"10.0.0.1:8500\"}");
  Told<std::uint64_t> taken;
  const auto take = [&](int status, const std::string& body) {
    taken.answer.reset();
    taken.handle = world.store->take("g/slots/0", "{}", "5a90", taken.done());
    CHECK(world.asked().url == "http://10.0.0.1:8500/v1/kv/fettle/fleet/g/slots/0?acquire=5a90");
    world.answer(status, body);
  };
  take(200, "true\n");
  CHECK_FALSE(taken.answer);
  CHECK(world.asked().url == "http://10.0.0.1:8500/v1/kv/fettle/fleet/g/slots/0?consistent");
  world.answer(
      200,
      R"([{"LockIndex":1,"Key":"fettle/fleet/g/slots/0","Flags":0,"Value":"e30=","Session":"5a90","CreateIndex":9,"ModifyIndex":11}])");
  CHECK(taken.kind() == Answered::yes);
  CHECK(taken.answer->value == 11);  // not LockIndex, which begins anew with the key
  take(200, "true");
  world.answer(
      200,
      R"([{"LockIndex":2,"Key":"fettle/fleet/g/slots/0","Flags":0,"Value":"e30=","Session":"other","CreateIndex":9,"ModifyIndex":12}])");
  CHECK(taken.kind() == Answered::no);
  take(200, "true");
  world.no_answer();
  CHECK(taken.kind() == Answered::unknown);
  take(200, "false");
  CHECK(taken.kind() == Answered::no);
  take(500, "invalid session \"5a90\"");
  CHECK(taken.kind() == Answered::no);
  take(500, "rpc error making call: EOF");
  CHECK(taken.kind() == Answered::unknown);
  take(200, "");
  CHECK(taken.kind() == Answered::unknown);

  Told<cluster::Nothing> dropped;
  dropped.handle = world.store->drop("g/slots/0", "5a90", dropped.done());
  CHECK(world.asked().url == "http://10.0.0.1:8500/v1/txn");
  CHECK(has(world.asked().body, R"("Verb":"check-session")"));
  world.answer(200, R"({"Results":[{"KV":{"LockIndex":1,"Key":"fettle/fleet/g/slots/0"}}],"Errors":null})");
  CHECK(dropped.kind() == Answered::yes);
  dropped.handle = world.store->drop("g/slots/0", "5a90", dropped.done());
  world.answer(
      409,
      R"({"Results":null,"Errors":[{"OpIndex":0,"What":"failed to check session, key \"fettle/fleet/g/slots/0\" doesn't exist"}]})");
  CHECK(dropped.kind() == Answered::no);
}

TEST_CASE("Consul: what nobody holds is not read, and nothing is an answer") {
  World world("consul", "{server: \"10.0.0.1:8500\"}");
  Told<cluster::Reading> read;
  read.handle = world.store->read("g/", read.done());
  CHECK(world.asked().url == "http://10.0.0.1:8500/v1/kv/fettle/fleet/g/?recurse&consistent");
  world.answer(200,
               R"([{"LockIndex":1,"Key":"fettle/fleet/g/slots/0","Value":"e30=","Session":"5a90","ModifyIndex":9},
                   {"LockIndex":0,"Key":"fettle/fleet/g/slots/1","Value":"e30=","ModifyIndex":8}])",
               {{"X-Consul-Index", "9"}});
  REQUIRE(read.kind() == Answered::yes);
  CHECK(read.answer->value.index == 9);
  CHECK(read.answer->value.entries.size() == 1);
  read.handle = world.store->read("g/", read.done());
  world.answer(404, "", {{"X-Consul-Index", "1"}});
  CHECK(read.kind() == Answered::yes);
  CHECK(read.answer->value.index == 1);
  read.handle = world.store->read("g/", read.done());
  world.answer(404, "no such page");  // of somebody else
  CHECK(read.kind() == Answered::unknown);
}

TEST_CASE("Consul: a watch waits for an index that is never 0, longer than the server does") {
  World world("consul", "{server: \"10.0.0.1:8500\"}");
  Told<cluster::Nothing> told;
  told.handle = world.store->watch("g/", 0, told.done());
  CHECK(world.asked().url == "http://10.0.0.1:8500/v1/kv/fettle/fleet/g/?keys&index=1&wait=5m");
  CHECK(world.asked().deadline >= world.loop.now() + 5min + 18s + 5s);
  world.answer(404, "", {{"X-Consul-Index", "4"}});
  CHECK(told.kind() == Answered::yes);
  told.handle = world.store->watch("g/", 9, told.done());
  world.answer(500, "rpc error making call: EOF");
  CHECK(told.kind() == Answered::unknown);
}

TEST_CASE("what a store says of a failure is one short line without what it was told") {
  const std::string tail = std::string(20'000, 'x');
  {
    World world("consul", "authorization: {credentials: c0nsul-token}");
    Told<std::string> granted;
    granted.handle = world.store->grant(10s, granted.done());
    world.answer(403, "\x1b[2Jno rights for c0nsul-token" + tail);
    CHECK(granted.kind() == Answered::unknown);
    CHECK(has(granted.answer->text, "http://localhost:8500: it answered 403: \\x1b[2Jno rights for <secret>xxx"));
    CHECK(granted.answer->text.size() < 300);
    // A session that is no word of a path.
    granted.handle = world.store->grant(10s, granted.done());
    world.answer(200, R"({"ID":"../kv/x?recurse"})");
    CHECK(granted.kind() == Answered::unknown);
  }
  World world("etcd", "endpoints: [\"http://10.0.0.1:2379\"]\nbasic_auth: {username: fettle, password: p4ssword}");
  Told<cluster::Nothing> revoked;
  revoked.handle = world.store->revoke("77", revoked.done());
  world.answer(400, R"({"message":"no user fettle p4ssword)" + tail + R"("})");
  CHECK(has(revoked.answer->text, "no user fettle <secret>xxx"));
  CHECK(revoked.answer->text.size() < 700);
  revoked.handle = world.store->revoke("77", revoked.done());
  world.answer(200, R"({"token":"t0ken.17"})");
  CHECK(header(world.asked(), "Authorization") == "t0ken.17");
  world.answer(503, R"({"message":"you said t0ken.17"})");
  CHECK(has(revoked.answer->text, "it answered 503: you said <secret>"));
}
