#include "app/series_sources.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <regex>

#include "base/file.h"
#include "fakes/source_file.h"
#include "promql/parser.h"

namespace {

app::LoadedConfig load(const std::string& text) {
  std::string folder = (std::filesystem::temp_directory_path() / "fettle-sources-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const std::string file = folder + "/fettle.yml";
  REQUIRE(base::write_file_atomically(file, text).has_value());
  config::Errors errors;
  app::LoadedConfig loaded = app::load(file, errors);
  std::filesystem::remove_all(folder);
  REQUIRE_MESSAGE(errors.empty(), errors.text());
  return loaded;
}

constexpr char kShop[] = R"(
global: {node: n1}
services:
  order:
    unit: order.service
    depends_on: [redis]
    probes:
      - {name: http, type: http, url: "http://127.0.0.1:8081/"}
      - {name: beat, type: heartbeat, every: 10s}
    traffic: {haproxy: {socket: /run/none/admin.sock, backend: order, server: a}}
    recovery: {when: {alert: ServiceDown}, steps: [{do: {alert: page}}]}
  redis:
    probes: [{name: ping, type: redis, host: 127.0.0.1, port: 6379, labels: {shard: a}}]
)";

// Whose targets nobody knows yet.
constexpr char kEdge[] = R"(
  edge:
    file_sd_configs: [{files: [edge.yml], probe: {type: tcp}}]
)";

constexpr char kFleet[] = R"(
  card:
    fleet: {group: card}
    probes: [{name: ping, type: tcp, host: 127.0.0.1, port: 80}]
fleet: {etcd: {endpoints: ["http://127.0.0.1:2379"]}}
)";

}  // namespace

TEST_CASE("what can exist follows from the probes, the page and their labels") {
  const app::LoadedConfig loaded = load(kShop);
  const rules::SeriesSources sources = app::series_sources(loaded);
  const auto can = [&](const char* selector) { return sources.can_make(*promql::parse_matchers(selector)); };
  for (const char* selector :
       {"probe_success", R"(probe_success{job="fettle",instance="n1:10911",service="order",probe="http"})",
        R"(probe_ssl_earliest_cert_expiry{service="order"})", R"(probe_heartbeat_age_seconds{probe="beat"})",
        R"(probe_redis_loading{shard="a"})", R"(probe_http_duration_seconds{phase="connect"})",
        R"(fettle_service_up{service="redis"})", R"(fettle_traffic_place_usable{service="order"})",
        R"(fettle_service_info{service="order"})", R"(fettle_service_dependency{service="order",depends_on="redis"})",
        R"(fettle_recovery_state{service="order",state="exhausted"})", R"(fettle_alerts{state="firing"})",
        R"(fettle_probe_failures_total{service="order",reason="refused"})", "fettle_loop_stall_seconds",
        "fettle_loop_turn_seconds_bucket", "process_open_fds", R"({__name__=~"probe_heartbeat_.+"})"}) {
    CAPTURE(selector);
    CHECK(can(selector));
  }
  for (const char* selector :
       {R"(probe_success{service="payment"})", R"(probe_success{instance="n2:10911"})",
        R"(probe_heartbeat_age_seconds{probe="http"})", R"(probe_http_status_code{service="redis"})",
        R"(probe_redis_loading{shard="b"})", R"(fettle_recovery_state{service="redis"})",
        R"(fettle_traffic_place_usable{service="redis"})", "fettle_loop_turn_seconds",
        R"(fettle_probe_failures_total{service="payment"})", R"(fettle_alerts{service="order"})",
        "probe_postgres_in_recovery", "up", R"({__name__=~"node_.+"})"}) {
    CAPTURE(selector);
    CHECK_FALSE(can(selector));
  }
}

TEST_CASE("targets that are discovered have the metrics of their template's type, and any label") {
  const rules::SeriesSources sources = app::series_sources(load(std::string(kShop) + kEdge));
  const auto can = [&](const char* selector) { return sources.can_make(*promql::parse_matchers(selector)); };
  CHECK(can(R"(probe_success{service="edge",zone="eu",target="10.0.0.7:80",probe="tcp@10.0.0.7:80"})"));
  CHECK(can(R"(fettle_sd_last_refresh_successful{service="edge"})"));
  CHECK_FALSE(can(R"(probe_http_status_code{service="edge"})"));
  CHECK_FALSE(can(R"(probe_success{service="egde"})"));
}

TEST_CASE("every metric about the agent and its services is one that can exist") {
  const rules::SeriesSources sources = app::series_sources(load(std::string(kShop) + kEdge + kFleet));
  const std::string top = fakes::source_file("agent/");
  const auto check_names = [&](const std::string& file, const char* pattern) {
    const auto text = base::read_file(top + file);
    REQUIRE(text.has_value());
    const std::regex regex(pattern);
    std::size_t found = 0;
    for (std::sregex_iterator at(text->begin(), text->end(), regex), end; at != end; ++at, ++found) {
      const std::string name = (*at)[1];
      // On the page of the web server only, not in the store.
      if (name == "fettle_event_streams" || name == "fettle_queries" || name.starts_with("prometheus_engine_") ||
          name.starts_with("fettle_answer_") || name.starts_with("fettle_http_"))
        continue;
      CAPTURE(name);
      bool known = false;
      for (const char* suffix : {"", "_info", "_total", "_bucket"})
        known = known || sources.can_make({model::Matcher::equal("__name__", name + suffix)});
      CHECK(known);
    }
    CHECK(found > 3);
  };
  check_names("self/names.h", R"re(Metric k\w+\{\s*"(\w+)")re");
  check_names("app/snapshot_builder.cc", R"re(add\("(fettle_\w+)")re");
}
