// Whether a plan may act by itself, over the API and on the page of its service.
#include "web/trust.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "unit/web/handlers.h"
#include "web/pages/parts.h"

namespace {

// payment is in dry run, and was killed three times within nine days.
web::Snapshot payment_in_dry_run() {
  web::Snapshot shop = fakes::shop_snapshot();
  shop.incidents.clear();
  shop.recoveries.clear();
  web::ServicePage& payment = shop.services[2];
  payment.recovery_cure = "systemd restart payment.service";
  payment.recovery_verifies = payment.recovery_drains = payment.recovery_undrains = payment.has_traffic = true;
  model::ServiceAvailability known;
  known.service = "payment";
  known.before = std::make_shared<const std::vector<model::AvailabilitySpan>>(
      std::vector<model::AvailabilitySpan>(9, {0, 86'400'000, 0, 0}));
  shop.availability = {known};
  shop.receivers = {{"oncall", "webhook", "", fakes::before(1'000)}};
  for (int day = 1; day <= 3; ++day) {
    auto incident = std::make_shared<model::Incident>();
    incident->id = "inc_" + std::to_string(day);
    incident->service = "payment";
    incident->started = fakes::before(86'400'000 * day);
    incident->ended = incident->started + std::chrono::seconds{90};
    incident->end = model::IncidentEnd::itself;
    incident->notes = {{incident->started + std::chrono::seconds{2}, "payment is down: <refused>"},
                       {*incident->ended, "payment is up"}};
    model::RecoveryReport& run = incident->recoveries.emplace_back();
    run.id = "run_" + std::to_string(day);
    run.service = "payment";
    run.trigger = "alert ServiceDown";
    run.state = model::RecoveryState::would_run;
    run.started = incident->started + std::chrono::seconds{3};
    run.ended = run.started;
    run.actions = {{payment.recovery_cure, model::ActionStatus::would_run, "", run.started, {}, true}};
    shop.incidents.push_back(std::move(incident));
  }
  return shop;
}

std::string trust_in(web::Snapshot shop) {
  Handlers handlers;
  handlers.slot.store(std::make_shared<web::Snapshot>(std::move(shop)));
  return handlers.get("/api/v1/trust/payment").body;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a verdict, its reasons and the ledger of the plan") {
  const std::string body = trust_in(payment_in_dry_run());
  CAPTURE(body);
  CHECK(has(body, R"("service":"payment","mode":"dry_run","verdict":"switch_on")"));
  CHECK(has(body,
            R"("faults":3,"open":0,"flaps":0,"dryRun":{"itself":0,"person":0,"dependency":0,"held":0,"heldBy":{},)"
            R"("wouldAct":3,"wouldActTimes":3,"needless":0,"wrongOne":0,"laterSecondsMedian":87,)"));
  CHECK(has(body, R"("attempts":0,"successes":0,"refused":0,"healthySecondsMedian":null)"));
  CHECK(has(body, R"((inc_1): would have been restarted (systemd restart payment.service) once, first after 3s; )"
                  R"(without that it came back 1m27s later)"));
}

TEST_CASE("what is missing is found in the snapshot") {
  struct Row {
    const char* what;
    void (*change)(web::Snapshot&);
    const char* why;  // stands in it
  };
  const std::vector<Row> rows = {
      {"traffic without a drain", [](web::Snapshot& s) { s.services[2].recovery_drains = false; }, "no step drains it"},
      {"a place", [](web::Snapshot& s) { s.traffic_troubles = {"payment: nginx: no right"}; },
       "payment: nginx: no right"},
      {"no receiver", [](web::Snapshot& s) { s.receivers.clear(); }, "no receiver is configured"},
      {"never told", [](web::Snapshot& s) { s.receivers[0].last_sent.reset(); }, "has taken a message yet"},
      {"a receiver that fails", [](web::Snapshot& s) { s.receivers[0].last_error = "503"; }, "oncall (webhook): 503"},
      {"watched for a day",
       [](web::Snapshot& s) {
         s.availability[0].before = std::make_shared<const std::vector<model::AvailabilitySpan>>();
         s.availability[0].today = {0, 80'000'000, 6'400'000, 0};
       },
       "it was watched for 1d; 7 days are wanted"},
      {"exhausted",
       [](web::Snapshot& s) {
         s.services[2].recovery_guards = {{"exhausted", false, "gave up", {}}};
       },
       "now closed: exhausted: gave up"},
      {"a probe without a verdict", [](web::Snapshot& s) { s.services[2].probes[0].health = model::Health::unknown; },
       "1 probe without a verdict, of 1"},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    web::Snapshot shop = payment_in_dry_run();
    row.change(shop);
    const std::string body = trust_in(std::move(shop));
    CAPTURE(body);
    CHECK(has(body, R"("verdict":"wait")"));
    CHECK(has(body, row.why));
  }
  // A message of an earlier life of the agent counts.
  web::Snapshot shop = payment_in_dry_run();
  shop.receivers[0].last_sent.reset();
  auto told = std::make_shared<model::Incident>(*shop.incidents.front());
  told->messages = {{"m", "oncall", "page", "sent", told->started}};
  shop.incidents.front() = told;
  CHECK(has(trust_in(std::move(shop)), R"("verdict":"switch_on")"));
}

TEST_CASE("the page of a service says it, and nothing for one without a plan") {
  web::Snapshot shop = payment_in_dry_run();
  shop.receivers.clear();
  const std::string part = web::trust_part(shop.services[2], shop);
  CHECK(has(part, "wait: 1 thing is to be done or seen first."));
  CHECK(has(part, "<li>no receiver is configured"));
  CHECK(has(part, "../api/v1/trust/payment"));
  Handlers handlers;
  handlers.slot.store(std::make_shared<web::Snapshot>(std::move(shop)));
  CHECK(has(handlers.get("/services/payment").body, "May its recovery act by itself?"));
  CHECK_FALSE(has(handlers.get("/services/redis").body, "May its recovery act by itself?"));
  CHECK(has(handlers.get("/api/v1/trust/redis").body, "redis has no recovery plan: there is nothing to switch on"));
  CHECK(handlers.get("/api/v1/trust/paymant").status == 404);
  CHECK(has(handlers.get("/api/v1/trust/paymant").body, "did you mean \\\"payment\\\"?"));
}
