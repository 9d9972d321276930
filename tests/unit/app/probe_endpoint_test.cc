#include "app/probe_endpoint.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/probe_world.h"
#include "fakes/temporary_folder.h"
#include "net/stream.h"

namespace {

using namespace std::chrono_literals;

struct Endpoint {
  Endpoint() { endpoint->replace(probe::BlackboxModules(), anything(), {}); }
  static config::Blackbox anything() {
    config::Blackbox settings;
    settings.targets = {"*"};
    return settings;
  }
  void ask(base::Millis timeout = 1s) {
    endpoint->run({"tcp_connect", "127.0.0.1:6379", "", timeout},
                  [this](base::Result<web::ProbeAnswer> answer) { answers.push_back(std::move(answer)); });
  }
  static net::Connected refused() {
    net::Connected connected;
    connected.failure = {model::Reason::refused, "connect to 127.0.0.1:6379: Connection refused"};
    return connected;
  }
  fakes::ProbeWorld world;
  std::unique_ptr<app::ProbeEndpoint> endpoint = std::make_unique<app::ProbeEndpoint>(world.context);
  std::vector<base::Result<web::ProbeAnswer>> answers;
};

}  // namespace

TEST_CASE("a run answers once, leaves its place at once, and goes in a later turn") {
  Endpoint e;
  for (std::size_t i = 0; i < app::ProbeEndpoint::kMostRuns; ++i) e.ask();
  CHECK(e.answers.empty());
  e.ask();
  REQUIRE(e.answers.size() == 1);
  CHECK(e.answers[0].error().kind == base::Kind::limit);
  e.answers.clear();
  while (e.world.dialer.desk.waiting() > 0) e.world.dialer.desk.answer(Endpoint::refused());
  REQUIRE(e.answers.size() == app::ProbeEndpoint::kMostRuns);
  for (const auto& answer : e.answers) CHECK(answer->reason == "refused");
  e.answers.clear();
  e.ask();
  CHECK(e.answers.empty());
  CHECK(e.world.dialer.desk.waiting() == 1);
}

TEST_CASE("a target that is none is down, and a module that is none is a mistake of whoever asks") {
  Endpoint e;
  const auto ask = [&](const std::string& module, const std::string& target) {
    e.answers.clear();
    e.endpoint->run({module, target, "", 1s},
                    [&](base::Result<web::ProbeAnswer> a) { e.answers.push_back(std::move(a)); });
    REQUIRE(e.answers.size() == 1);
    return e.answers[0];
  };
  for (const auto& row : std::vector<std::pair<const char*, const char*>>{{"tcp_connect", "mail"},
                                                                          {"tcp_connect", "mail:no-such-service"},
                                                                          {"tcp_connect", "mail:99999"},
                                                                          {"http_2xx", "http://sh op/"},
                                                                          {"http_2xx", "http://shop:port/"},
                                                                          {"http_2xx", "http://[::1/"}}) {
    const auto& [module, target] = row;
    CAPTURE(row.second);
    const auto answer = ask(module, target);
    REQUIRE(answer);
    CHECK_FALSE(answer->up);
    CHECK(answer->text != "");
    bool told = false;
    for (const auto& family : answer->families)
      if (family.name == "probe_success") told = family.points.at(0).value == 0;
    CHECK(told);
  }
  CHECK(ask("no_such", "mail:25").error().kind == base::Kind::not_found);
}

TEST_CASE("a hostname beside another Host header of the module is a mistake of whoever asks") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder.write(
      "m.yml", "modules: {named: {prober: http, http: {headers: {host: shop.test}}}, open: {prober: http}}\n");
  fakes::ProbeWorld world;
  app::ProbeEndpoint endpoint(world.context);
  config::Errors errors;
  endpoint.replace(probe::BlackboxModules::load(file, errors), Endpoint::anything(), {});
  std::string told;
  for (const auto& [module, hostname] : std::vector<std::pair<const char*, const char*>>{
           {"named", "other.test"}, {"named", "shop.test"}, {"named", ""}, {"open", "other.test"}})
    endpoint.run({module, "http://10.0.0.7/", hostname, 1s}, [&](const base::Result<web::ProbeAnswer>& answer) {
      told +=
          answer ? "answered\n" : std::string(base::to_string(answer.error().kind)) + ": " + answer.error().text + "\n";
    });
  CHECK(told ==
        "invalid: module \"named\" has a Host header of its own, which is not the hostname \"other.test\" that was "
        "given\n");
}

TEST_CASE("a target that a list names gets no credentials of a module") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder.write("m.yml",
                                        "modules: {open: {prober: http}, auth: {prober: http, http: {basic_auth: "
                                        "{username: a, password: b}}}}\n");
  for (const bool discovered : {false, true}) {
    fakes::ProbeWorld world;
    app::ProbeEndpoint endpoint(world.context);
    config::Errors errors;
    auto modules = probe::BlackboxModules::load(file, errors);
    std::vector<probe::Spec> probes;
    probes.push_back(*probe::spec_from_arguments("tcp", "10.0.0.7:80", {}));
    probes.back().discovered = discovered;
    endpoint.replace(std::move(modules), {}, probes);
    std::string refused;
    for (const char* module : {"open", "auth"})
      endpoint.run({module, "10.0.0.7:80", "", 1s}, [&](const base::Result<web::ProbeAnswer>& answer) {
        refused += answer ? "" : std::string(module) + ": " + answer.error().text;
      });
    CHECK(refused == (discovered ? "auth: target \"10.0.0.7:80\" is not allowed: only a list of targets names it, and "
                                   "the module sets basic_auth; give blackbox.targets a pattern for it, if the module "
                                   "may be used there"
                                 : ""));
  }
}

TEST_CASE("a new configuration in the turn of an answer leaves the run as it is, and its answer comes") {
  Endpoint e;
  const loop::Handle reload =
      e.world.loop.after(1s - 5ms, [&] { e.endpoint->replace(probe::BlackboxModules(), Endpoint::anything(), {}); });
  e.ask(1500ms);  // with the exporter's offset of half a second
  e.world.loop.advance(2s);
  REQUIRE(e.answers.size() == 1);
  CHECK(e.answers[0]->reason == "read_timeout");
}

TEST_CASE("an endpoint that goes cancels its runs") {
  Endpoint e;
  e.ask();
  e.ask();
  CHECK(e.world.dialer.desk.waiting() == 2);
  e.endpoint.reset();
  CHECK(e.world.dialer.desk.waiting() == 0);
  e.world.loop.advance(1min);
  CHECK(e.answers.empty());
}
