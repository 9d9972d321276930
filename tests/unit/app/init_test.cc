// `fettle init`: from what the kernel shows of a node to a configuration that the agent loads.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "app/init/draft.h"
#include "app/init/first_services.h"
#include "app/init/init.h"
#include "app/loaded_config.h"
#include "app/node/found_services.h"
#include "app/node/node_view.h"
#include "app/node/probe_choice.h"
#include "base/file.h"
#include "fakes/local_server.h"
#include "fakes/temporary_folder.h"
#include "unit/app/nodes.h"

namespace {

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("services are the units that listen, the administrator's own, and ports without a unit") {
  const app::FoundServices found = app::find_services(nodes::shop());
  Names names, units;
  for (const app::FoundService& service : found.services) {
    names.push_back(service.name);
    units.push_back(service.unit);
  }
  CHECK(names == Names{"billing-eu", "nginx", "order", "port-4711", "python3", "redis-server"});
  CHECK(units == Names{"billing@eu.service", "nginx.service", "order.service", "", "", "redis-server.service"});
  const app::FoundService& nginx = found.services[1];
  REQUIRE(nginx.ports.size() == 1);  // one port on two addresses
  CHECK(nginx.ports[0].host == "127.0.0.1");
  CHECK(found.services[4].ports[0].host == "10.0.0.5");
  // A socket for each family, in whichever order the kernel has them: people type the address of IPv4.
  app::NodeView node = nodes::shop();
  node.listening[1].v6_only = true;
  for (int order = 0; order < 2; ++order, std::swap(node.listening[0], node.listening[1]))
    CHECK(app::find_services(node).services[1].ports[0].host == "127.0.0.1");
}

TEST_CASE("who is connected to whom is who depends on whom, and never in a circle") {
  const app::FirstServices first = app::first_services(app::find_services(nodes::shop()));
  CHECK(first.services[1].depends_on == Names{"order"});
  CHECK(first.services[2].depends_on == Names{"redis-server"});
  CHECK(first.left_out ==
        Names{"units that run, listen on no TCP port and came with the system: cron.service",
              "order has connections to nginx too; services must not depend on each other in a circle"});
}

TEST_CASE("probes fit the program, then the port; what is not known is tcp") {
  const auto type = [](const char* program, std::uint16_t port) {
    return app::guess(program, {"127.0.0.1", port}).type;
  };
  CHECK(type("nginx", 8443) == "http");
  CHECK(type("redis-server", 7000) == "redis");
  CHECK(type("", 6379) == "redis");
  CHECK(type("java", 8081) == "tcp");
  CHECK(type("java", 80) == "tcp");
  CHECK(type("postgres", 5432) == "tcp");  // without a login
  const std::vector<app::ChosenProbe> all = app::candidates("postgres", {"::1", 5432});
  REQUIRE(all.size() == 2);
  CHECK(all[0].type == "postgres");
  CHECK(all[1].keys == std::vector<std::pair<std::string, std::string>>{{"host", "::1"}, {"port", "5432"}});
}

TEST_CASE("a port is asked what it speaks") {
  const auto chosen = [](const std::string& answer) {
    const fakes::LocalServer server(answer);
    const app::FoundPort port{"127.0.0.1", static_cast<std::uint16_t>(server.port())};
    app::ChosenProbe probe = app::choose_by_asking({{"java", port}}).at(0);
    for (auto& [key, value] : probe.keys)
      if (const auto at = value.find(std::to_string(port.port)); at != std::string::npos)
        value.replace(at, std::to_string(port.port).size(), "PORT");
    return probe;
  };
  using Keys = std::vector<std::pair<std::string, std::string>>;
  const app::ChosenProbe well = chosen("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  CHECK(well.type == "http");
  CHECK(well.keys == Keys{{"url", "http://127.0.0.1:PORT/healthz"}});
  const app::ChosenProbe closed = chosen("HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  CHECK(closed.keys == Keys{{"url", "http://127.0.0.1:PORT/"}, {"valid_status_codes", "[401]"}});
  const app::ChosenProbe other = chosen("220 mail\r\n");
  CHECK(other.type == "tcp");
  CHECK(other.keys == Keys{{"host", "127.0.0.1"}, {"port", "PORT"}});
}

TEST_CASE("what is written is loaded without a mistake, watches what was found, and acts on nothing") {
  const fakes::TemporaryFolder folder;
  const std::string text = app::draft_text(nodes::draft_of(nodes::shop()));
  CHECK(text.find("\n  order:\n    unit: order.service\n    depends_on: [redis-server]\n    probes:\n"
                  "      - {name: tcp, type: tcp, host: 127.0.0.1, port: 8081}\n"
                  "      - {name: process, type: process}   # its end is seen at once\n    recovery:\n") !=
        std::string::npos);
  CHECK(text.find("# - order has connections to nginx too") != std::string::npos);
  CHECK(text.find("mode: enforce\" lets it act") != std::string::npos);  // the comment, and nothing else
  CHECK(text.find("\n      mode: enforce") == std::string::npos);
  config::Errors errors;
  const app::LoadedConfig loaded = app::load(folder.write("fettle.yml", text), errors);
  CHECK(errors.text() == "");
  CHECK(loaded.config.services.size() == 7);
  REQUIRE(loaded.plans.size() == 4);
  for (const auto& plan : loaded.plans) CHECK(plan->mode == model::RecoveryMode::dry_run);
}

TEST_CASE("a file that is there is not replaced without --force, and kept with it") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder.write("fettle.yml", "services: {}\n");
  CHECK(app::init({file, false, false}) == 1);
  CHECK(base::read_file(file).value() == "services: {}\n");
  CHECK(app::init({file, true, false}) == 0);
  CHECK(base::read_file(file + ".old").value() == "services: {}\n");
  CHECK(base::read_file(file).value().starts_with("# Written by \"fettle init\" on "));
}
