// Receivers that hear of incidents.
#include <algorithm>

#include "desk.h"
#include "incident_samples.h"
#include "notify/incident/news.h"

using notify::Heard;
using notify::News;
using notify::Resolved;
using notify::Tell;

namespace {

struct Desk : Fixture {
  explicit Desk(const std::string& receivers, const std::string& rest_of_configuration = "") {
    hears = Hears::as_configured;
    rest = rest_of_configuration;
    start(receivers);
  }
  void now(const model::Incident& incident) {
    notifications->on_incident(incident);
    loop.run_due();
  }
  // Answers all that wait; "page ops", "note chat" … in order.
  std::vector<std::string> all_taken() {
    while (http.desk.waiting() > 0) {
      answer(200);
      loop.run_due();
    }
    std::vector<std::string> out;
    for (const http::HttpRequest& request : http.desk.asked()) {
      const json body = json::parse(request.body);
      out.push_back((body.contains("incident") ? body["incident"]["news"].get<std::string>() : "alerts") + " " +
                    body["receiver"].get<std::string>());
    }
    return out;
  }
};

using Said = std::vector<std::string>;
const char* const kThree =
    "{name: ops, webhook_configs: [{url: \"http://h/\"}]}, {name: chat, tell: healed, webhook_configs: [{url: "
    "\"http://h/\"}]}, "
    "{name: all, tell: all, webhook_configs: [{url: \"http://h/\"}]}";

}  // namespace

TEST_CASE("what is new of an incident for a receiver") {
  model::Incident two_runs = told();
  two_runs.recoveries.push_back(failed("r2"));
  model::Incident calm = two_runs;
  calm.calm_since = kStart + seconds{20};
  model::Incident relapse = told();
  relapse.relapses = 1;
  model::Incident demand = told();
  demand.demands = {"order: recovery waits for a person"};
  const Heard page{"msg_1", false, 1, 0}, over{"msg_1", true, 1, 0};
  struct Row {
    std::string name;
    model::Incident incident;
    Heard heard;
    Tell tell;
    Resolved resolved;
    News want;
  };
  const std::vector<Row> rows{
      {"held", held(), {}, Tell::unhealed, Resolved::wanted, News::nothing},
      {"held, who wants notes", held(), {}, Tell::healed, Resolved::wanted, News::nothing},
      {"healed", ended(held()), {}, Tell::unhealed, Resolved::wanted, News::nothing},
      {"healed, who wants notes", ended(held()), {}, Tell::healed, Resolved::wanted, News::note},
      {"healed, noted already", ended(held()), {"", true, 0, 0}, Tell::healed, Resolved::wanted, News::nothing},
      {"not healed", told(), {}, Tell::unhealed, Resolved::wanted, News::page},
      {"not healed, who wants notes", told(), {}, Tell::healed, Resolved::wanted, News::nothing},
      {"known", told(), page, Tell::unhealed, Resolved::wanted, News::nothing},
      {"a second run in vain", two_runs, page, Tell::unhealed, Resolved::wanted, News::update},
      {"it is down again", relapse, page, Tell::unhealed, Resolved::wanted, News::update},
      {"a plan asks", demand, page, Tell::unhealed, Resolved::wanted, News::update},
      {"it may be over: the end says the rest", calm, page, Tell::unhealed, Resolved::wanted, News::nothing},
      {"over at last", ended(told()), page, Tell::unhealed, Resolved::wanted, News::resolved},
      {"over, told", ended(told()), over, Tell::unhealed, Resolved::wanted, News::nothing},
      {"over, unwanted", ended(told()), page, Tell::unhealed, Resolved::unwanted, News::nothing},
      {"over, never heard of", ended(told()), {}, Tell::unhealed, Resolved::wanted, News::nothing},
      {"over after a page is no note", ended(told()), {}, Tell::healed, Resolved::wanted, News::nothing},
      {"hears alerts", told(), {}, Tell::all, Resolved::wanted, News::nothing},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(notify::to_string(notify::news_of(row.incident, row.heard, row.tell, row.resolved)) ==
          notify::to_string(row.want));
  }
}

TEST_CASE("a fault that is healed: no page and one note; who hears all hears its alerts") {
  Desk desk(kThree);
  desk.tell("ServiceDown");
  desk.now(held());
  desk.tell("ServiceDown", AlertState::inactive);
  desk.now(ended(held()));
  Said said = desk.all_taken();
  std::sort(said.begin(), said.end());
  CHECK(said == Said{"alerts all", "alerts all", "note chat"});
  CHECK(std::count(desk.queued_and_left.begin(), desk.queued_and_left.end(), "inc_1 chat note queued") == 1);
}

TEST_CASE("a fault that is not healed: one page with reason, address and what was tried; then its end, once") {
  Desk desk("{name: ops, webhook_configs: [{url: \"http://h/\"}]}");
  desk.now(held());
  CHECK(desk.sent() == 0);
  desk.now(told());
  desk.now(told());
  REQUIRE(desk.sent() == 1);
  const json body = desk.body();
  CHECK(body["status"] == "firing");
  CHECK(body["incident"]["news"] == "page");
  CHECK(body["incident"]["text"] ==
        "order is down: refused: connect: refused (probe http at http://127.0.0.1:8081/healthz)\n"
        "Tried: attempt 1: systemd restart order.service failed (it did not start), failed\n"
        "Now: not mended: its last recovery ended as failed");
  CHECK(body["groupKey"] == "{}:{incident=\"inc_1\"}");
  desk.now(ended(told()));
  CHECK(desk.all_taken() == Said{"page ops", "resolved ops"});
  model::Incident announced = ended(told());
  announced.announced = true;
  desk.now(announced);
  CHECK(desk.sent() == 2);
  CHECK(desk.state.durable().at(state::Table::notifications).empty());
}

TEST_CASE("an agent that dies after the page was queued sends the same bytes again, and no second page") {
  Desk desk("{name: ops, webhook_configs: [{url: \"http://h/\"}]}");
  desk.now(told());
  const std::string id = desk.header("webhook-id"), body = desk.http.desk.last().body;
  desk.start("{name: ops, webhook_configs: [{url: \"http://h/\"}]}", 2);
  desk.now(told());
  REQUIRE(desk.sent() == 2);
  CHECK(desk.header("webhook-id") == id);
  CHECK(desk.http.desk.last().body == body);
}

TEST_CASE("an agent that dies before the page was durable tells it after its start") {
  Desk desk("{name: ops, webhook_configs: [{url: \"http://h/\"}]}");
  desk.state.held = true;
  desk.notifications->on_incident(told());
  desk.state.dead = true;
  desk.loop.run_due();
  CHECK(desk.sent() == 0);
  const auto left = desk.state.durable();
  CHECK((!left.contains(state::Table::notifications) || left.at(state::Table::notifications).empty()));
  Desk next("{name: ops, webhook_configs: [{url: \"http://h/\"}]}");
  next.now(told());
  CHECK(next.all_taken() == Said{"page ops"});
}

TEST_CASE("a silence keeps the page back, and its end brings it") {
  Desk desk("{name: ops, webhook_configs: [{url: \"http://h/\"}]}");
  const std::string id = desk.silence("service=order");
  desk.now(told());
  CHECK(desk.sent() == 0);
  desk.expire(id);
  CHECK(desk.all_taken() == Said{"page ops"});
}

TEST_CASE("a silence that ends while its fault may be over brings no page, unless the fault comes back") {
  Desk desk("{name: ops, webhook_configs: [{url: \"http://h/\"}]}");
  const std::string id = desk.silence("service=order");
  desk.now(told());
  model::Incident calm = told();
  calm.down = false;
  calm.alerts = {down(AlertState::inactive)};
  calm.calm_since = kStart + seconds{9};
  desk.now(calm);
  desk.expire(id);
  CHECK(desk.sent() == 0);
  SUBCASE("over") {
    desk.now(ended(told()));
    CHECK(desk.sent() == 0);
  }
  SUBCASE("back") {
    desk.now(told());
    CHECK(desk.all_taken() == Said{"page ops"});
  }
}

TEST_CASE("an alert of the incident that has ended is no reason to tell of one that is silenced") {
  Desk desk("{name: ops, webhook_configs: [{url: \"http://h/\"}]}");
  (void)desk.silence("alertname=ServiceDown");
  model::Incident incident = told();
  model::Alert slow = down(AlertState::inactive);
  slow.labels = model::Labels{{"alertname", "ServiceSlow"}, {"service", "order"}};
  incident.alerts.push_back(slow);
  desk.now(incident);
  CHECK(desk.sent() == 0);
}

TEST_CASE("the labels of its alerts decide which receivers hear of an incident, if any") {
  const std::string two =
      "{name: ops, webhook_configs: [{url: \"http://h/\"}]}, {name: other, webhook_configs: [{url: \"http://h/\"}]}";
  Desk desk(two, "route: {receiver: other, routes: [{receiver: ops, matchers: ['severity=\"page\"']}]}\n");
  desk.now(told());
  CHECK(desk.all_taken() == Said{"page ops"});
  model::Incident asks = told();
  asks.demands = {"order: recovery waits for a person"};
  Desk quiet(two + ", {name: none}", "route: {receiver: none, routes: [{receiver: ops, matchers: ['team=\"a\"']}]}\n");
  quiet.now(told());
  quiet.now(asks);
  CHECK(quiet.sent() == 0);  // a receiver without an integration is told nothing, as it is written
}

TEST_CASE("an incident without an alert goes where its service leads") {
  model::Incident incident = told();
  incident.alerts.clear();
  Desk desk(
      "{name: ops, webhook_configs: [{url: \"http://h/\"}]}, {name: shop, webhook_configs: [{url: \"http://h/\"}]}",
      "route: {receiver: ops, routes: [{receiver: shop, matchers: ['service=\"order\"']}]}\n");
  desk.now(incident);
  CHECK(desk.all_taken() == Said{"page shop"});
}

TEST_CASE("an incident that another alert inhibits, or that the time mutes, is told when that is over") {
  const std::string ops = "{name: ops, webhook_configs: [{url: \"http://h/\"}]}";
  Desk inhibited(ops,
                 "inhibit_rules: [{source_matchers: ['alertname=\"NodeDown\"'], target_matchers: "
                 "['severity=\"page\"']}]\n");
  inhibited.tell("NodeDown", AlertState::firing, "i1", "");
  inhibited.now(told());
  CHECK(inhibited.all_taken() == Said{"alerts ops"});
  inhibited.tell("NodeDown", AlertState::inactive, "i1", "");
  CHECK(inhibited.all_taken() == Said{"alerts ops", "alerts ops", "page ops"});

  // The test begins at 22:13:20 UTC.
  Desk muted(ops,
             "route: {receiver: ops, routes: [{receiver: ops, matchers: ['service=~\".+\"'], mute_time_intervals: "
             "[evening]}]}\n"
             "time_intervals: [{name: evening, time_intervals: [{times: [{start_time: \"22:00\", end_time: "
             "\"22:15\"}]}]}]\n");
  muted.now(told());
  muted.loop.advance(seconds{99});
  CHECK(muted.sent() == 0);
  muted.loop.advance(seconds{1});
  CHECK(muted.all_taken() == Said{"page ops"});
}

TEST_CASE("an alert of no service is told as an alert") {
  Desk desk("{name: ops, webhook_configs: [{url: \"http://h/\"}]}");
  desk.tell("DiskFull", AlertState::firing, "i1", "");
  CHECK(desk.all_taken() == Said{"alerts ops"});
}

TEST_CASE("tell is one of three words, and an Alertmanager hears all") {
  config::Errors errors;
  (void)fakes::notify_configuration(
      "receivers: [{name: a, tell: sometimes, webhook_configs: [{url: \"http://h/\"}]}, "
      "{name: b, tell: unhealed, alertmanager_configs: [{urls: [\"http://h/\"]}]}]",
      errors);
  CHECK(errors.text().find("receivers[0].tell: ") != std::string::npos);
  CHECK(errors.text().find("receivers[1].tell: must be all, or left out: alerts are never held from an Alertmanager") !=
        std::string::npos);
}
