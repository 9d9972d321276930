// A recovery action and everything that it may use, without a kernel: configure it as a person would, run it, answer.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/node.h"
#include "fakes/fake_loop.h"
#include "fakes/probe_world.h"
#include "os/systemd/logind.h"
#include "recover/registry.h"

namespace fakes {

struct FakeLogind final : os::Logind {
  explicit FakeLogind(FakeLoop& l) : desk(l) {}
  loop::Handle reboot(base::Instant deadline, std::function<void(base::Result<>)> done) override {
    return desk.ask(deadline, std::move(done));
  }
  Desk<base::Instant, base::Result<>> desk;
};

struct ActionTrial {
  FakeLoop loop;
  FakeSystemd systemd{loop};
  FakeSpawner spawner{loop};
  FakeHttp http{loop};
  FakePids pids{loop};
  FakeLogind logind{loop};
  std::vector<std::string> pages;
  recover::Context context{
      loop,    systemd,
      spawner, [this](const std::string& service, const std::string& text) {
                             pages.push_back(service + ": " + text); },
      nullptr, &http,
      &pids,   &logind};
  recover::ActionOwner owner{"order", "order.service"};
  recover::Trigger trigger{"0123abcd", "order", "order.service", "node1", 2, "{\"service\":\"order\"}\n"};
  std::vector<recover::ActionResult> results;
  loop::Handle handle;

  // `yaml` is the value of the action's key under `do`.
  std::unique_ptr<const recover::Action> parse(const std::string& type, const std::string& yaml,
                                               config::Errors& errors) const {
    const config::Node whole = config::Node::parse("{value: " + yaml + "}", "fettle.yml", errors);
    return recover::action_types().find(type)->parse(whole.find("value"), "do", owner, errors);
  }
  std::unique_ptr<const recover::Action> parse(const std::string& type, const std::string& yaml) const {
    config::Errors errors;
    auto action = parse(type, yaml, errors);
    CHECK(errors.text() == "");
    REQUIRE(action != nullptr);
    return action;
  }
  std::string mistakes(const std::string& type, const std::string& yaml) const {
    config::Errors errors;
    const auto action = parse(type, yaml, errors);
    CHECK((action == nullptr) == !errors.empty());
    return errors.text();
  }
  // Nothing is told from inside run().
  void run(const recover::Action& action) {
    handle = action.run(context, trigger, loop.now() + std::chrono::seconds{10},
                        [this](recover::ActionResult r) { results.push_back(std::move(r)); });
    CHECK(results.empty());
  }
  // "result: text" of the only end.
  std::string end() {
    loop.run_due();
    REQUIRE(results.size() == 1);
    return std::string(to_string(results[0].result)) + ": " + results[0].text;
  }
};

}  // namespace fakes
