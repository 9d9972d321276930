#include <doctest/doctest.h>

#include "base/file.h"
#include "fakes/action_trial.h"
#include "os/systemd/logind.h"

namespace {

// Seconds since boot; a node that has just booted cannot show a reboot that is allowed.
double uptime() { return std::stod(base::read_file("/proc/uptime").value_or("0")); }

std::unique_ptr<fakes::ActionTrial> allowed() {
  auto t = std::make_unique<fakes::ActionTrial>();
  t->owner.may_reboot = true;
  return t;
}

}  // namespace

TEST_CASE("reboot is a mistake unless the service allows it") {
  CHECK(
      fakes::ActionTrial().mistakes("reboot", "reboot") ==
      "fettle.yml:1:9: do: reboot is off: it takes every service of this node down; services.order.allow_reboot: true "
      "allows it to this plan\n");
  CHECK(allowed()->mistakes("reboot", "now") ==
        "fettle.yml:1:9: do: expected reboot alone, or {reboot: {min_uptime: 1h}}\n");
  CHECK(
      allowed()->mistakes("reboot", "{min_uptime: 1m}") ==
      "fettle.yml:1:22: do.min_uptime: must be at least 10m: a person must have time to log in between two reboots\n");
}

TEST_CASE("a node that has just booted is not rebooted again") {
  const auto t = allowed();
  const auto action = t->parse("reboot", "{min_uptime: 3650d}");
  t->run(*action);
  const std::string end = t->end();
  CHECK(end.starts_with("refused: reboot: the node booted "));
  CHECK(end.ends_with(" ago and must run 10y before it is rebooted"));
  CHECK(t->logind.desk.asked().empty());
}

TEST_CASE("what logind's answer means") {
  if (uptime() < 601) {
    MESSAGE("skipped: this machine has been up for less than ten minutes, and reboot does not act then");
    return;
  }
  struct Row {
    base::Result<> answer;
    const char* end;
  };
  const Row rows[] = {
      {{}, "ok: reboot: logind has begun it"},
      {base::fail(base::Kind::permission, "Interactive authentication required"),
       "refused: reboot: not allowed (Interactive authentication required); polkit must grant "
       "org.freedesktop.login1.reboot: install the rule that `fettle check config --print-polkit` prints; an inhibitor "
       "also forbids it, see: systemd-inhibit --list"},
      {base::fail(base::Kind::timeout, "no answer"), "timeout: reboot: no answer"},
      {base::fail(base::Kind::unavailable, "no bus"), "failed: reboot: no bus"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.end);
    const auto t = allowed();
    const auto action = t->parse("reboot", "{min_uptime: 10m}");
    CHECK(action->systemd_job()->verb == "reboot");
    t->run(*action);
    t->logind.desk.answer(row.answer);
    CHECK(t->end() == row.end);
  }
}
