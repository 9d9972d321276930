#include "recover/polkit.h"

#include <doctest/doctest.h>

#include "fakes/action_trial.h"

TEST_CASE("the polkit rule grants exactly the units and verbs of the plans") {
  CHECK(recover::polkit_rule({{"restart", "order.service"},
                              {"reload", "nginx.service"},
                              {"restart", "order.service"},
                              {"reset-failed", "order.service"},
                              {"start", "fettle-hook-a\\x2db.service"}},
                             "/etc/fettle/fettle.yml", "fettle") ==
        R"(// Lets the user fettle do what the recovery plans of /etc/fettle/fettle.yml name, and nothing else.
// Put it into /etc/polkit-1/rules.d/60-fettle.rules; polkit reads the folder again by itself.
polkit.addRule(function(action, subject) {
  if (subject.user != "fettle") return polkit.Result.NOT_HANDLED;
  if (action.id != "org.freedesktop.systemd1.manage-units") return polkit.Result.NOT_HANDLED;
  var allowed = {
    "fettle-hook-a\\x2db.service": ["start"],
    "nginx.service": ["reload"],
    "order.service": ["reset-failed", "restart"]
  };
  var verbs = allowed[action.lookup("unit")] || [];
  return verbs.indexOf(action.lookup("verb")) >= 0 ? polkit.Result.YES : polkit.Result.NO;
});
)");
}

TEST_CASE("what starts a unit may also reset it when it was started too often; a hook may not") {
  const auto words = [](const char* type, const char* text) {
    fakes::ActionTrial trial;
    std::string out;
    for (const recover::SystemdJob& job : recover::jobs_of(*trial.parse(type, text)))
      out += job.verb + " " + job.unit + "; ";
    return out;
  };
  CHECK(words("systemd", "restart") == "restart order.service; reset-failed order.service; ");
  CHECK(words("systemd", "start") == "start order.service; reset-failed order.service; ");
  CHECK(words("systemd", "reload") == "reload order.service; ");
  CHECK(words("unit_hook", "clear-cache") == "start fettle-hook-clear-cache.service; ");
  CHECK(words("signal", "TERM") == "");
}

TEST_CASE("the polkit rule grants the reboot only where a plan may reboot") {
  const std::string without = recover::polkit_rule({{"restart", "order.service"}}, "fettle.yml", "fettle");
  CHECK(without.find("login1") == std::string::npos);
  const std::string with = recover::polkit_rule({{"reboot", ""}}, "fettle.yml", "fettle");
  CHECK(with.find(
            "  if (action.id == \"org.freedesktop.login1.reboot\" ||\n"
            "      action.id == \"org.freedesktop.login1.reboot-multiple-sessions\") return polkit.Result.YES;\n") !=
        std::string::npos);
  CHECK(with.find("var allowed = {\n  };\n") != std::string::npos);
}
