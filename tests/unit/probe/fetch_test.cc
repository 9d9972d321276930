// prometheus, json and nginx: documents over HTTP, what is kept of them, and how they are judged.
#include <doctest/doctest.h>

#include <fstream>

#include "encoding/exposition_reader.h"
#include "fakes/probe_trial.h"
#include "fakes/real_server.h"
#include "fakes/tcp_peer.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

struct FetchTrial : fakes::Trial {
  using Trial::Trial;
  void answer(int status, const std::string& body, http::Headers headers = {}) {
    start();
    http::HttpResponse response;
    response.status = status;
    response.body = body;
    response.headers = std::move(headers);
    world.http.desk.answer(std::move(response));
    REQUIRE(answers == 1);
  }
  // Every measurement that is not about the probe itself, one a line.
  std::string kept() const {
    std::string out;
    for (const auto& m : found.measurements) {
      if (m.name.starts_with("probe_")) continue;
      out += m.labels.with("__name__", m.name).to_string() + " " + std::to_string(static_cast<int>(m.value)) + "\n";
    }
    return out;
  }
};

const std::string kPage =
    "# HELP orders_total Orders.\n# TYPE orders_total counter\n"
    "orders_total{code=\"200\",pod=\"a\"} 1027 1395066363000\n"
    "orders_total{code=\"500\",pod=\"a\"} 3\n"
    "orders_total{code=\"500\",pod=\"b\"} 4\n"
    "queue_depth 17\n"
    "queue_depth_limit 100\n"
    "weird{text=\"a \\\"}\\\" \\\\ \\n\", service=\"mine\",} +Inf\n";

}  // namespace

TEST_CASE("prometheus keeps what is chosen and nothing else") {
  const auto kept = [](const std::vector<std::string>& settings) {
    FetchTrial trial("prometheus", "http://x/metrics", settings);
    trial.answer(200, kPage, {{"Content-Type", "text/plain; version=0.0.4"}});
    CHECK(trial.found.up);
    CHECK(trial.measured("probe_prometheus_samples_scraped") == 6);
    return trial.kept();
  };
  CHECK(kept({"metrics=[queue_depth]"}) == "queue_depth 17\n");
  CHECK(kept({"metrics=['queue_.*']"}) == "queue_depth 17\nqueue_depth_limit 100\n");
  CHECK(kept({"metrics=[orders_total]", "match={code: '5..'}"}) ==
        "orders_total{code=\"500\", pod=\"a\"} 3\norders_total{code=\"500\", pod=\"b\"} 4\n");
  CHECK(kept({"metrics=[orders_total]", "match={code: '5..'}", "drop_labels=[pod]", "prefix=shop_"}) ==
        "shop_orders_total{code=\"500\"} 3\n");
  CHECK(kept({"metrics=[orders_total]", "match={nothing: ''}", "drop_labels=[pod, code]"}) == "orders_total 1027\n");
}

TEST_CASE("prometheus keeps the types that the page declares") {
  const std::string page =
      "# TYPE orders_total counter\norders_total 1\n# TYPE temperature gauge\ntemperature 20\nloose 1\n"
      "# HELP took Took.\n# TYPE took histogram\ntook_bucket{le=\"+Inf\"} 1\ntook_sum 1\ntook_count 1\n"
      "# TYPE size summary\nsize{quantile=\"0.5\"} 1\nsize_sum 1\n# TYPE old counter\nold 1\n";
  FetchTrial trial("prometheus", "http://x/metrics", {"metrics=['.*']"});
  trial.answer(200, page);
  std::string types;
  for (const auto& m : trial.found.measurements)
    if (!m.name.starts_with("probe_")) types += m.name + "=" + std::to_string(static_cast<int>(m.type)) + " ";
  const auto number = [](model::MetricType type) { return std::to_string(static_cast<int>(type)) + " "; };
  using model::MetricType;
  CHECK(types == "orders_total=" + number(MetricType::counter) + "temperature=" + number(MetricType::gauge) +
                     "loose=" + number(MetricType::unknown) + "took_bucket=" + number(MetricType::histogram) +
                     "took_sum=" + number(MetricType::histogram) + "took_count=" + number(MetricType::histogram) +
                     "size=" + number(MetricType::summary) + "size_sum=" + number(MetricType::summary) +
                     "old=" + number(MetricType::counter));
  FetchTrial open("prometheus", "http://x/metrics", {"metrics=[jobs_total, build_info]"});
  open.answer(200, "# TYPE jobs counter\njobs_total 1\n# TYPE build info\nbuild_info{v=\"1\"} 1\n# EOF\n",
              {{"Content-Type", "application/openmetrics-text; version=1.0.0"}});
  REQUIRE(open.found.measurements.size() > 2);
  CHECK(open.found.measurements[0].type == MetricType::counter);
  CHECK(open.found.measurements[1].type == MetricType::info);
}

TEST_CASE("prometheus renames labels that are ours, and leaves out names that are") {
  FetchTrial trial("prometheus", "http://x/metrics", {"metrics=['weird|probe_.*']"});
  trial.answer(200, kPage + "probe_success 1\n");
  REQUIRE(trial.found.up);
  CHECK(trial.found.text == "1 of 7 samples kept");
  CHECK(trial.measured("weird", "exported_service", "mine") == std::numeric_limits<double>::infinity());
  CHECK(trial.measured("weird", "text", "a \"}\" \\ \n") == std::numeric_limits<double>::infinity());
  CHECK(trial.measured("probe_prometheus_samples_left_out", "why", "reserved") == 1);
}

TEST_CASE("prometheus fails as a scrape does") {
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    int status;
    std::string body;
    const char* type;
    Reason reason;
    const char* text;
  };
  for (const Row& row : {
           Row{"too many",
               {"sample_limit=2"},
               200,
               "a 1\nb 2\nc 3\n",
               "",
               Reason::too_large,
               "3 samples are chosen, sample_limit is 2"},
           Row{"no metrics",
               {},
               200,
               "<html>",
               "",
               Reason::protocol_error,
               "line 1 begins with no metric name: '<html>'"},
           Row{"no value",
               {},
               200,
               "# x\na{b=\"c\"}\n",
               "",
               Reason::protocol_error,
               "line 2 has no value: 'a{b=\"c\"}'"},
           Row{"broken labels",
               {},
               200,
               "a{b=\"c} 1\n",
               "",
               Reason::protocol_error,
               "line 1 has broken labels: 'a{b=\"c} 1'"},
           Row{"cut off",
               {},
               200,
               "a 1\n",
               "application/openmetrics-text; version=1.0.0",
               Reason::protocol_error,
               "the metrics were cut off: there is no # EOF at their end"},
           Row{"OpenMetrics",
               {},
               200,
               "a 1 # {id=\"x\"} 0.5\n# EOF\n",
               "application/openmetrics-text; version=1.0.0",
               Reason::none,
               "1 of 1 samples kept"},
           Row{"not there", {}, 404, "a 1\n", "", Reason::status_mismatch, "status 404, expected 2xx"},
           Row{"no rights",
               {"basic_auth={username: u, password: p}"},
               401,
               "",
               "",
               Reason::auth_failed,
               "status 401: the credentials were refused"},
       }) {
    CAPTURE(row.name);
    auto settings = row.settings;
    settings.push_back("metrics=['.*']");
    FetchTrial trial("prometheus", "http://x/metrics", settings);
    trial.answer(row.status, row.body, {{"content-type", row.type}});
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == row.text);
    CHECK((row.reason == Reason::none || trial.kept().empty()));
  }
}

TEST_CASE("prometheus offers OpenMetrics and gzip, and sends its credentials") {
  FetchTrial trial("prometheus", "http://x/metrics", {"metrics=[a]", "basic_auth={username: u, password: p}"});
  trial.answer(200, "a 1\n");
  const http::HttpRequest& asked = trial.world.http.desk.last();
  CHECK(asked.accept_encoding == "gzip");
  CHECK(asked.headers[0].second.starts_with("application/openmetrics-text;version=1.0.0,text/plain"));
  CHECK(asked.headers[1].second == "Basic dTpw");
}

TEST_CASE("json measures values by their paths and holds assertions against them") {
  const std::string document =
      R"({"queue": {"depth": 12, "open": true}, "status": "green", "nodes": [{"load": 0.5}], "none": null})";
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    std::string body;
    Reason reason;
    const char* text;
  };
  for (const Row& row : {
           Row{"values", {"values={depth: queue.depth, load: 'nodes[0].load'}"}, document, Reason::none, "2 values"},
           Row{"only assertions",
               {"json=[{path: status, equals: green}]"},
               document,
               Reason::none,
               "the document is as it must be"},
           Row{"missing", {"values={depth: queue.length}"}, document, Reason::json_mismatch, "queue.length is missing"},
           Row{"no number",
               {"values={all: queue}"},
               document,
               Reason::json_mismatch,
               "queue is neither a number nor a word"},
           Row{"assertion",
               {"values={depth: queue.depth}", "json=[{path: queue.depth, less_than: 10}]"},
               document,
               Reason::json_mismatch,
               "queue.depth is 12, not less than 10.0"},
           Row{"no JSON", {"values={depth: queue.depth}"}, "<html>", Reason::json_mismatch, "the body is no JSON"},
       }) {
    CAPTURE(row.name);
    FetchTrial trial("json", "http://x/", row.settings);
    trial.answer(200, row.body);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == row.text);
  }
  FetchTrial trial("json", "http://x/", {"values={depth: queue.depth, open: queue.open, status: status}"});
  trial.answer(200, document);
  CHECK(trial.measured("probe_json_value", "name", "depth") == 12);
  CHECK(trial.measured("probe_json_value", "name", "open") == 1);
  CHECK(trial.measured("probe_json_state", "state", "green") == 1);
}

TEST_CASE("json knows the documents of Mesos, Elasticsearch and RabbitMQ") {
  const auto ask = [](const char* preset, const std::string& body, std::string& url) {
    FetchTrial trial("json", "http://x:1", {"preset=" + std::string(preset)});
    trial.answer(200, body);
    url = trial.world.http.desk.last().url;
    return trial.found;
  };
  std::string url;
  const auto mesos = ask("mesos_master", R"({"master/elected": 1.0, "master/tasks_running": 7.0, "x": 1})", url);
  CHECK(mesos.text == "2 values");
  CHECK(url == "http://x:1/metrics/snapshot");
  CHECK(fakes::measurement(mesos, "probe_json_value", "name", "master/tasks_running") == 7);
  CHECK(ask("mesos_agent", R"({"slave/registered": 0.0})", url).text == "slave/registered is 0.0, not 1");
  CHECK(ask("elasticsearch", R"({"status": "yellow", "unassigned_shards": 3})", url).up);
  CHECK(url == "http://x:1/_cluster/health");
  CHECK(ask("elasticsearch", R"({"status": "red"})", url).text == "status is \"red\"");
  CHECK(ask("rabbitmq", R"({"object_totals": {"queues": 4}, "queue_totals": {"messages": 9}})", url).text ==
        "2 values");
  CHECK(url == "http://x:1/api/overview");
  CHECK(ask("rabbitmq", R"({"error": "no"})", url).text == "object_totals.queues is missing");
}

TEST_CASE("nginx' stub_status becomes measurements") {
  const std::string page =
      "Active connections: 291 \nserver accepts handled requests\n 16630948 16630900 31070465 \n"
      "Reading: 6 Writing: 179 Waiting: 106 \n";
  FetchTrial trial("nginx", "http://x/stub_status", {"max_active=291"});
  trial.answer(200, page);
  CHECK(trial.found.text == "291 active connections");
  CHECK(trial.measured("probe_nginx_connections", "state", "writing") == 179);
  CHECK(trial.measured("probe_nginx_handled_connections") == 16'630'900);
  CHECK(trial.measured("probe_nginx_handled_requests") == 31'070'465);
  FetchTrial full("nginx", "http://x/stub_status", {"max_active=290"});
  full.answer(200, page);
  CHECK(full.found.reason == Reason::queue_saturated);
  CHECK(full.found.text == "291 connections are active, max_active is 290");
  FetchTrial other("nginx", "http://x/stub_status");
  other.answer(200, "Welcome");
  CHECK(other.found.reason == Reason::body_mismatch);
}

TEST_CASE("nginx and prometheus understand a real nginx, with gzip") {
  const std::string program = fakes::find_program("nginx");
  if (program.empty()) {
    MESSAGE("skipped: nginx is not installed (apt-get install nginx)");
    return;
  }
  const fakes::TemporaryFolder folder;
  std::string metrics = "# HELP x X.\n";
  for (int i = 0; i < 2000; ++i) metrics += "requests_total{path=\"/" + std::to_string(i) + "\"} 1\n";
  std::ofstream(folder.path() + "/metrics") << metrics << "queue_depth 5\n";
  std::string url;
  fakes::RealServer server([&](fakes::RealServer& s) {
    const std::string address = "127.0.0.1:" + std::to_string(fakes::TcpPeer::dead_port());
    url = "http://" + address;
    fakes::run_nginx(s, program, folder.path(),
                     "gzip on; gzip_types *; default_type text/plain; server { listen " + address +
                         "; location /stub_status { stub_status; } location / { root " + folder.path() + "; } } ");
  });
  fakes::RealProbes probes;
  const auto status = server.until_up([&] { return probes.run("nginx", url + "/stub_status", {}); });
  CHECK(status.text == "1 active connections");
  CHECK(fakes::measurement(status, "probe_nginx_handled_requests") >= 1);
  const auto scraped = probes.run("prometheus", url + "/metrics", {"metrics=[queue_depth]"});
  CHECK(scraped.text == "1 of 2001 samples kept");
  CHECK(fakes::measurement(scraped, "queue_depth") == 5);
  // The limit is of what was unpacked: nobody fills the memory with a few packed bytes.
  CHECK(probes.run("prometheus", url + "/metrics", {"metrics=[queue_depth]", "body_limit=20000"}).reason ==
        Reason::too_large);
}
