// Maintenance with an end, windows of the week and pause files hold a plan back, each with its name, and let it act
// when they are over, after a new probe.
#include "recover/plan/maintenance.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "fakes/recovery_site.h"
#include "fakes/temporary_folder.h"

using recover::GuardName;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Site : fakes::RecoverySite {
  // An hour in which the service stays down and its probes say so.
  void pass(base::Duration d) {
    for (const auto end = loop.now() + d; loop.now() < end;) {
      loop.advance(seconds{10});
      dispatcher->on_run("order", "http", false);
    }
    loop.run_due();
  }
};

}  // namespace

TEST_CASE("maintenance for two hours ends by itself, also over a restart of the agent") {
  Site f;
  f.use(f.plan());
  f.dispatcher->begin_maintenance("order", {hours{2}}, "alice: upgrade", nullptr);
  f.loop.run_due();
  f.alert("ServiceDown");
  CHECK(f.status().reason == GuardName::maintenance);
  CHECK(f.status().not_before == f.loop.wall_now() + hours{2});
  CHECK(f.dispatcher->maintenance("order") == "alice: upgrade, until 2023-11-15T00:13:20Z");
  f.pass(hours{1});
  f.dispatcher.reset();
  f.start();
  f.use(f.plan());
  f.pass(minutes{59});
  CHECK(f.restart.started.empty());
  f.pass(minutes{2});
  CHECK(f.restart.started.size() >= 1);
  CHECK_FALSE(f.dispatcher->maintenance("order").has_value());
}

TEST_CASE("a record of an older version is the comment alone, and has no end") {
  Site f;
  f.state.commit({state::Change::put(state::Table::maintenance, "order", "new disk")}, [](base::Result<>) {});
  f.loop.run_due();
  CHECK(f.dispatcher->maintenance("order") == "new disk");
}

TEST_CASE("a window of the week holds the plan and the page says which one and until when") {
  Site f;  // it is Tuesday, 22:13:20 UTC
  auto spec = f.plan();
  spec->maintenance.zone = *base::TimeZone::named("UTC");
  spec->maintenance.windows = {*recover::MaintenanceWindow::parse("Tue 22:00-23:00")};
  f.use(std::move(spec));
  f.alert("ServiceDown");
  CHECK(f.status().reason == GuardName::maintenance);
  CHECK(f.dispatcher->maintenance("order") == "window Tue 22:00-23:00 until 23:00 UTC");
  f.pass(minutes{46});
  CHECK(f.restart.started.empty());
  f.pass(minutes{1});
  CHECK(f.restart.started.size() >= 1);
}

TEST_CASE("a link that leads nowhere is a pause file too") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder / "pause";
  std::filesystem::create_symlink("/nonexistent/pause", file);
  Site f;
  f.limits.pause_file = file;
  f.start();
  f.use(f.plan());
  f.alert("ServiceDown");
  CHECK(f.status().reason == GuardName::paused);
  std::filesystem::remove(file);
  f.pass(seconds{20});
  CHECK(f.restart.started.size() == 1);
}

TEST_CASE("a pause file holds one service, or all of the node, for as long as it is there") {
  const std::string file = "/tmp/fettle-pause-test." + std::to_string(::getpid());
  for (const bool of_node : {false, true}) {
    CAPTURE(of_node);
    Site f;
    if (of_node) f.limits.pause_file = file;
    f.start();
    auto spec = f.plan();
    if (!of_node) spec->maintenance.pause_file = file;
    f.use(std::move(spec));
    std::ofstream(file) << "";
    f.alert("ServiceDown");
    CHECK(f.status().reason == GuardName::paused);
    CHECK(f.status().guards.at(1).text == "on: " + file + " exists: remove it to go on");
    f.pass(hours{1});
    CHECK(f.restart.started.empty());
    std::remove(file.c_str());
    f.pass(seconds{20});
    CHECK(f.restart.started.size() == 1);
  }
}

TEST_CASE("a pause file is known of services without a plan, too, and of the node alone") {
  const fakes::TemporaryFolder folder;
  const std::string of_node = folder.path() + "/pause", own = folder.path() + "/order";
  Site f;
  f.limits.pause_file = of_node;
  f.start();
  auto spec = f.plan();
  spec->maintenance.pause_file = own;
  f.use(std::move(spec));
  const auto paused = [&f](const std::string& service) { return f.dispatcher->paused(service).value_or("no"); };
  for (const char* service : {"", "order", "cache"}) CHECK(paused(service) == "no");
  std::ofstream{own};
  CHECK(paused("order") == own + " exists: remove it to go on");
  for (const char* service : {"", "cache"}) CHECK(paused(service) == "no");
  std::ofstream{of_node};
  for (const char* service : {"", "order", "cache"}) CHECK(paused(service) == of_node + " exists: remove it to go on");
}
