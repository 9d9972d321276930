#include "app/loaded_config.h"

#include "app/config_lint.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace {

class Folder {
 public:
  Folder() { std::filesystem::create_directories(path_); }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("fettle-loaded-" + std::to_string(::getpid()));
};

std::vector<std::string> services(const app::LoadedConfig& loaded) {
  std::vector<std::string> out;
  for (const auto& [name, service] : loaded.config.services) out.push_back(name);
  return out;
}

}  // namespace

TEST_CASE("a start leaves out the services, receivers and files with mistakes, and nothing else") {
  const Folder folder;
  folder.write("good.yml", "groups: [{name: good, rules: [{alert: A, expr: up == 0}]}]\n");
  folder.write("bad.yml", "groups: [{name: bad, rules: [{alert: B, expr: 'up == '}]}]\n");
  folder.write(
      "modules.yml",
      "modules:\n  works: {prober: tcp}\n  typo: {prober: htpp}\n  late: {prober: http, http: {body_file: none}}\n");
  const std::string file = folder.write("fettle.yml", R"(
rule_files: [good.yml, bad.yml, missing.yml]
blackbox: {config_file: modules.yml}
services:
  order:
    probes: [{name: t, type: tcp, host: 127.0.0.1, port: 1}]
    recovery: {when: {alert: A}, steps: [{do: {systemd: restart}}]}
    unit: order.service
  payment:
    depends_on: [stock]
    probes: [{name: s, type: tls, host: 127.0.0.1, port: 1, tls_config: {ca_file: late.pem}}]
  stock:
    probes: [{name: t, type: tcp, host: 127.0.0.1, prot: 1}]
    recovery: {when: {alert: A}, steps: [{do: {systemd: restart}}]}
  stock2:
    file_sd_configs: [{files: [t.json], probe: {type: tcpp}}]
receivers:
  - {name: ops, webhook_configs: [{url: "http://127.0.0.1:1/"}]}
  - {name: bad, webhook_configs: [{uri: "http://127.0.0.1:1/"}]}
)");
  config::Errors errors;
  app::LoadedConfig loaded = app::load(file, errors);
  CHECK_FALSE(errors.empty());
  const std::string text = errors.text();
  app::leave_out_mistakes(file, loaded, errors);
  CHECK(errors.text() == "");
  CHECK(loaded.left_out == text);
  CHECK(services(loaded) == std::vector<std::string>{"order", "payment"});
  CHECK(loaded.probes.size() == 2);
  CHECK(loaded.plans.size() == 1);
  CHECK(loaded.discoveries.empty());
  REQUIRE(loaded.notifications.receivers.size() == 1);
  CHECK(loaded.notifications.receivers[0].name == "ops");
  REQUIRE(loaded.groups.size() == 1);
  CHECK(rules::file_of(*loaded.groups[0]) == folder / "good.yml");
  const auto ask = [&](const std::string& module) {
    const auto spec = loaded.modules.spec(module, "127.0.0.1:1", "", base::Millis{1000});
    return spec ? "" : spec.error().text;
  };
  CHECK(ask("works") == "");
  CHECK(ask("typo") == "module \"typo\" has mistakes: fettle check config names them");
  CHECK(ask("late") == "cannot read " + (folder / "none") + ": No such file or directory");
}

TEST_CASE("a service with a dot in its name costs itself only") {
  const Folder folder;
  folder.write("rules.yml", "groups: [{name: g, rules: [{alert: A, expr: vector(1)}]}]\n");
  for (const char* broken : {"prot: 1, probes: []", "probes: [{name: t, type: tcp, host: 127.0.0.1, prot: 1}]",
                             "recovery: {when: {alert: A}, steps: [{do: {sytemd: restart}}]}", "traffic: {nginks: {}}",
                             "file_sd_configs: [{files: [t.json], probe: {type: tcpp}}]",
                             "static_configs: [{targets: 7, probe: {type: tcp}}]", "depends_on: [\"not.there\"]",
                             "unit: a.service, recovery: {when: {alert: A}, steps: []}"}) {
    CAPTURE(broken);
    const std::string file =
        folder.write("fettle.yml", "rule_files: [rules.yml]\nservices:\n  \"db.example.org\": {" + std::string(broken) +
                                       "}\n  order: {probes: [{name: t, type: tcp, port: 1}]}\n");
    config::Errors errors;
    app::LoadedConfig loaded = app::load(file, errors);
    REQUIRE_FALSE(errors.empty());
    CHECK(errors.text().find("services[\"db.example.org\"]") != std::string::npos);
    app::leave_out_mistakes(file, loaded, errors);
    CHECK(errors.text() == "");
    CHECK(loaded.left_out != "");
  }
}

TEST_CASE("an included file with a mistake costs its services only") {
  const Folder folder;
  std::filesystem::create_directories(folder / "services.d");
  folder.write("services.d/a.yml", "services:\n  stock: {probes: [{name: t, type: tcp, host: 127.0.0.1, prot: 1}]}\n");
  folder.write("services.d/b.yml", "services:\n  broken: {probes: [}\n");
  folder.write("services.d/c.yml",
               "rules: []\nservices:\n  edge: {file_sd_configs: [{files: [t.json], probe: {type: tcp}}]}\n");
  const std::string file = folder.write("fettle.yml", R"(
include: [services.d/*.yml, none.yml]
services:
  order: {probes: [{name: t, type: tcp, host: 127.0.0.1, port: 1}]}
)");
  config::Errors errors;
  app::LoadedConfig loaded = app::load(file, errors);
  CHECK(errors.size() == 5);
  app::leave_out_mistakes(file, loaded, errors);
  CHECK(errors.text() == "");
  CHECK(services(loaded) == std::vector<std::string>{"order", "edge"});
  CHECK(loaded.probes.size() == 1);
  CHECK(loaded.left_out.find("services.d/a.yml:2:58: services.stock.probes[0].prot: ") != std::string::npos);
  CHECK(loaded.left_out.find("services.d/b.yml:2:") != std::string::npos);
  CHECK(loaded.discoveries.size() == 1);
}

TEST_CASE("a rule file that cannot be read costs itself only") {
  const Folder folder;
  folder.write("good.yml", "groups: [{name: good, rules: [{alert: A, expr: up == 0}]}]\n");
  std::filesystem::create_directory(folder / "folder.yml");
  std::filesystem::create_symlink("loop.yml", folder / "loop.yml");
  const std::string file =
      folder.write("fettle.yml", "rule_files: [good.yml, folder.yml, loop.yml, [x]]\nservices: {}\n");
  config::Errors errors;
  app::LoadedConfig loaded = app::load(file, errors);
  const std::string text = errors.text();
  CHECK(text.find((folder / "folder.yml") + ": cannot read ") != std::string::npos);
  CHECK(text.find("rule_files[3]: expected a string, got a list") != std::string::npos);
  app::leave_out_mistakes(file, loaded, errors);
  CHECK(errors.text() == "");
  CHECK(loaded.left_out == text);
  REQUIRE(loaded.groups.size() == 1);
  CHECK(rules::file_of(*loaded.groups[0]) == folder / "good.yml");
}

TEST_CASE("a store of a fleet with a mistake costs the recovery of those who share it, and no probes") {
  const Folder folder;
  folder.write("rules.yml", "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n");
  const std::string file = folder.write("fettle.yml", R"(
rule_files: [rules.yml]
fleet: {consul: {server: "a b"}}
services:
  alone:
    unit: alone.service
    probes: [{name: t, type: tcp, host: 127.0.0.1, port: 1}]
    recovery: {when: {alert: A}, steps: [{do: {systemd: restart}}]}
  shared:
    unit: shared.service
    fleet: {group: shop}
    probes: [{name: t, type: tcp, host: 127.0.0.1, port: 1}]
    recovery: {when: {alert: A}, steps: [{do: {systemd: restart}}]}
)");
  config::Errors errors;
  app::LoadedConfig loaded = app::load(file, errors);
  const std::string text = errors.text();
  CHECK(text.find("fleet.consul.server: 'a b' ") != std::string::npos);
  app::leave_out_mistakes(file, loaded, errors);
  CHECK(errors.text() == "");
  CHECK(loaded.left_out == text);
  CHECK(loaded.probes.size() == 2);
  REQUIRE(loaded.plans.size() == 1);
  CHECK(loaded.plans[0]->service == "alone");
  CHECK(loaded.fleet_services.empty());
  CHECK(loaded.fleet.store == nullptr);
}

TEST_CASE("servers of two standbys, a standby's login and its programs") {
  const Folder folder;
  const std::string file = folder.write("fettle.yml", R"(
global: {node: a}
fleet: {etcd: {endpoints: ["http://127.0.0.1:2379"]}}
services:
  cart:
    probes: [{name: r, type: redis}]
    standby: {kind: redis, members: {a: "h:1", b: "h:2"}, fence: [/none/fence]}
  order:
    probes: [{name: r, type: redis}]
    standby: {kind: redis, members: {a: "h:3", b: "h:2"}}
  stock:
    probes: [{name: r, type: redis, role: master}, {name: s, type: redis, port: 6380}]
    standby: {kind: redis, members: {a: "h:4", b: "h:5"}}
)");
  config::Errors errors;
  app::load(file, errors);
  const std::string text = errors.text();
  CAPTURE(text);
  CHECK(text.find(":10:37: services.order.standby.members: h:2 is a server of the standby of cart, too; one service "
                  "elects its primary") != std::string::npos);
  CHECK(text.find(":12:43: services.stock.standby: the probe of a standby may not ask for a role") !=
        std::string::npos);
  CHECK(text.find("services.stock.standby: the service has several probes of type redis") != std::string::npos);
  REQUIRE(errors.warnings().size() >= 1);
  CHECK(
      errors.warnings()[0].find(":7:66: services.cart.standby.fence: /none/fence: No such file or directory; it fails "
                                "until that is mended") != std::string::npos);
}

TEST_CASE("files that are not there yet are warnings") {
  const Folder folder;
  folder.write("modules.yml", "modules: {late: {prober: http, http: {body_file: none}}}\n");
  const std::string file = folder.write("fettle.yml", R"(
blackbox: {config_file: modules.yml}
services:
  payment:
    probes: [{name: s, type: tls, host: 127.0.0.1, port: 1, tls_config: {ca_file: /none/late.pem}}]
heartbeat: {token_file: keys/late.token}
)");
  config::Errors errors;
  const app::LoadedConfig loaded = app::load(file, errors);
  CHECK(errors.text() == "");
  CHECK(loaded.probes.size() == 1);
  CHECK(errors.warnings() ==
        std::vector<std::string>{
            file + ":5:73: services.payment.probes[0].tls_config: cannot load the certificate authorities of "
                   "/none/late.pem: No such file or directory; runs fail until that is mended",
            file + ":6:25: heartbeat.token_file: cannot read " + (folder / "keys/late.token") +
                ": No such file or directory; heartbeats with a token are refused until that is mended",
            (folder / "modules.yml") + ":1:17: modules.late: cannot read " + (folder / "none") +
                ": No such file or directory; its runs fail until that is mended"});
}

TEST_CASE("a plan for an alert that no rule makes is a warning") {
  const Folder folder;
  folder.write("rules.yml", "groups: [{name: g, rules: [{alert: ServiceDown, expr: fettle_service_up == 0}]}]\n");
  const std::string file = folder.write("fettle.yml", R"(
rule_files: [rules.yml]
services:
  cart: {unit: cart.service, recovery: {when: {alert: ServiceDown}, steps: [{do: {systemd: restart}}]}}
  order: {unit: order.service, recovery: {when: {alert: ServceDown}, steps: [{do: {systemd: restart}}]}}
  payment: {unit: payment.service, recovery: {when: {alert: DiskFull}, steps: [{do: {systemd: restart}}]}}
)");
  config::Errors errors;
  CHECK(app::load(file, errors).plans.size() == 3);
  CHECK(errors.text() == "");
  CHECK(
      errors.warnings() ==
      std::vector<std::string>{file + ":5:57: services.order.recovery.when.alert: the plan can never start: no rule of "
                                      "rule_files makes the alert ServceDown; did you mean ServiceDown?",
                               file + ":6:61: services.payment.recovery.when.alert: the plan can never start: no rule "
                                      "of rule_files makes the alert DiskFull"});
}

TEST_CASE("names that match nothing are warned of at their place, and those that can match are not") {
  const Folder folder;
  folder.write("rules.yml", R"(groups:
  - name: g
    rules:
      - {alert: Down, expr: fettle_service_up == 0, labels: {severity: page}}
      - {alert: AnyDown, expr: count(fettle_service_up == 0) > 0}
      - {alert: ByService, expr: max by (service) (probe_success) == 0, labels: {severity: "{{ $value }}"}}
)");
  struct Row {
    const char* when;
    std::string want;
  };
  const Row rows[] = {
      {"{alert: Down}", ""},
      {"{alert: Down, severity: page}", ""},
      {"{alert: ByService, severity: 0}", ""},
      {"{severity: page}", ""},
      {"{alert: down}", "no rule of rule_files makes the alert down; did you mean Down?"},
      {"{alert: \"Do.*\"}", "no rule of rule_files makes the alert Do.*; did you mean Down?"},
      {"{alert: AnyDown}", "rule AnyDown makes alerts without the label service"},
      {"{alert: Down, severity: critical}", "rule Down gives its alerts severity=\"page\""},
      {"{alert: ByService, zone: eu}", "rule ByService makes alerts without the label zone"},
      {"{state: down, for: 1s}", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.when));
    const std::string file = folder.write(
        "fettle.yml", std::string("rule_files: [rules.yml]\nservices:\n  order: {unit: order.service, probes: [{type: "
                                  "tcp, host: a, port: 1}], recovery: {when: ") +
                          row.when + ", steps: [{do: {systemd: restart}}]}}\n");
    config::Errors errors;
    (void)app::load(file, errors);
    CHECK(errors.text() == "");
    const auto warnings = errors.warnings();
    if (row.want.empty()) CHECK(warnings.empty());
    else REQUIRE(warnings.size() == 1);
    if (!row.want.empty()) CHECK(warnings[0].ends_with(": the plan can never start: " + row.want));
  }
}

TEST_CASE("routes that no alert can take, patterns without files and unknown units are warned of") {
  const Folder folder;
  folder.write("rules.yml", "groups: [{name: g, rules: [{alert: Down, expr: up == 0, labels: {severity: page}}]}]\n");
  const std::string file = folder.write("fettle.yml", R"(
global: {external_labels: {cluster: eu}}
rule_files: [rules.yml, "rules/**/*.yml", "*.yaml"]
route:
  receiver: a
  routes:
    - {receiver: a, matchers: ['severity="page"', 'cluster="eu"']}
    - {receiver: a, matchers: ['alertname="FettlePage"']}
    - {receiver: a, matchers: ['severity="pgae"']}
receivers: [{name: a, webhook_configs: [{url: "http://h/"}]}]
services:
  order: {unit: order.service}
  shop: {unit: shop@eu.service}
)");
  config::Errors errors;
  const app::LoadedConfig loaded = app::load(file, errors);
  std::filesystem::create_directories(folder / "units");
  folder.write("units/shop@.service", "");
  app::warn_of_units(loaded, {folder / "units"}, errors);
  CHECK(errors.text() == "");
  CHECK(errors.warnings() ==
        std::vector<std::string>{
            file + ":3:25: rule_files[1]: no file fits the pattern " + (folder / "rules/**/*.yml") +
                "; ** is the same as *, and looks into one folder only",
            file + ":3:43: rule_files[2]: no file fits the pattern " + (folder / "*.yaml") +
                "; the files there end in .yml",
            file + ":9:7: route.routes[2]: no alert can ever take this route: rule Down gives its alerts "
                   "severity=\"page\"",
            file + ":12:17: services.order.unit: systemd has no unit order.service: see `systemctl list-unit-files`"});
}

TEST_CASE("a load balancer's file that a drain could not use is a mistake, and costs the service nothing at a start") {
  const Folder folder;
  const std::string lines = folder.write("order.conf", "server 10.0.0.1:8081;\nserver 10.0.0.2:8081;\n");
  const std::string file = folder.write("fettle.yml",
                                        "services:\n  order: {probes: [{type: tcp, host: a, port: 1}], traffic: "
                                        "{nginx: {upstream: order, file: " +
                                            lines + ", self: '10.0.0.1:8018'}}}\n");
  config::Errors errors;
  app::LoadedConfig loaded = app::load(file, errors);
  CHECK(errors.text() == file + ":2:61: services.order.traffic: nginx upstream order: no server line of " + lines +
                             " has the address of self, 10.0.0.1:8018; there are: 10.0.0.1:8081, 10.0.0.2:8081; it was "
                             "left as it is; did you mean 10.0.0.1:8081?\n");
  app::leave_out_mistakes(file, loaded, errors);
  CHECK(errors.text() == "");
  CHECK(loaded.config.services.size() == 1);
  CHECK(loaded.traffic.size() == 1);
  CHECK(loaded.left_out != "");
}

TEST_CASE("what holds for all services cannot be left out") {
  const Folder folder;
  for (const char* text : {"global: {interval: fast}\n", "services: {a: {}\n", "globl: {}\n",
                           "global: {recovery: {plans_at_once: many}}\n"}) {
    CAPTURE(text);
    const std::string file = folder.write("fettle.yml", text);
    config::Errors errors;
    app::LoadedConfig loaded = app::load(file, errors);
    app::leave_out_mistakes(file, loaded, errors);
    CHECK_FALSE(errors.empty());
    CHECK(loaded.left_out == "");
  }
}
