// The audit trail and the availability over the API, and who a change is by.
#include <doctest/doctest.h>

#include "unit/web/handlers.h"
#include "web/pages/parts.h"
#include "web/standby_findings.h"

namespace {

model::AuditEntry entry(std::uint64_t number, const std::string& service) {
  return {number,
          base::wall_from_ms(1'795'416'645'250),
          model::AuditKind::change,
          "alice (uid 1000)",
          service,
          "maintenance/order on=true",
          "aa",
          "bb"};
}

}  // namespace

TEST_CASE("entries of the audit trail have all that their hash is over") {
  Handlers handlers;
  handlers.backend.trail = {entry(1, "order")};
  CHECK(handlers.get("/api/v1/audit").body ==
        R"({"status":"success","data":{"entries":[{"number":1,"at":"2026-11-23T06:50:45.250Z","atMs":1795416645250,)"
        R"x("kind":"change","by":"alice (uid 1000)","service":"order","text":"maintenance/order on=true",)x"
        R"("previous":"aa","hash":"bb"}]}})");
}

TEST_CASE("a part of the audit trail is asked for by limit, before and service") {
  Handlers handlers;
  for (std::uint64_t i = 1; i <= 250; ++i) handlers.backend.trail.push_back(entry(i, i % 2 == 0 ? "order" : "stock"));
  const auto count = [&](const std::string& url) {
    const std::string body = handlers.get(url).body;
    std::size_t entries = 0;
    for (std::size_t at = 0; (at = body.find("\"number\":", at)) != std::string::npos; ++at) ++entries;
    return entries;
  };
  CHECK(count("/api/v1/audit") == 100);
  CHECK(count("/api/v1/audit?limit=7") == 7);
  CHECK(count("/api/v1/audit?limit=0") == 250);
  CHECK(count("/api/v1/audit?limit=1000&before=11") == 10);
  CHECK(count("/api/v1/audit?limit=1000&service=order") == 125);
  CHECK(handlers.get("/api/v1/audit?before=x").status == 400);
  CHECK(handlers.get("/api/v1/audit?limit=x").status == 400);
}

TEST_CASE("a change is asked for by name, with what was sent") {
  const Handlers handlers;
  web::Request request;
  request.method = "PUT";
  request.admin = true;
  request.by = "alice (uid 1000)";
  request.path = "/api/v1/maintenance/order";
  request.params = {{"on", "true"}, {"for", "2h"}, {"comment", "new disks"}};
  CHECK(handlers.answer(request).status == 200);
  request.method = "DELETE";
  request.path = "/api/v1/silence/a-b";
  request.params.clear();
  CHECK(handlers.answer(request).status == 200);
  REQUIRE(handlers.backend.asked.size() == 2);
  CHECK(handlers.backend.asked[0].by == "alice (uid 1000)");
  CHECK(handlers.backend.asked[0].service == "order");
  CHECK(handlers.backend.asked[0].what == "maintenance/order on=true for=2h comment=new disks");
  CHECK(handlers.backend.asked[1].service == "");
  CHECK(handlers.backend.asked[1].what == "delete silence/a-b");
}

TEST_CASE("availability by days, of all services or of one") {
  Handlers handlers;
  web::Snapshot snapshot = fakes::shop_snapshot();
  const auto before = std::make_shared<const std::vector<model::AvailabilitySpan>>(
      std::vector<model::AvailabilitySpan>{{20'779, 86'000'000, 400'000, 0}});
  snapshot.availability = {
      {"order", before, {20'780, 1'500, 0, 500}},
      {"stock", std::make_shared<const std::vector<model::AvailabilitySpan>>(), {20'780, 0, 0, 0}}};
  handlers.slot.store(std::make_shared<web::Snapshot>(std::move(snapshot)));
  const std::string order =
      R"("name":"order","days":[{"date":"2026-11-22","upSeconds":86000,"downSeconds":400,"plannedSeconds":0,)"
      R"("availability":0.9953703703703703},{"date":"2026-11-23","upSeconds":1.5,"downSeconds":0,"plannedSeconds":0.5,)"
      R"("availability":1}],"availability":0.99537)";
  const std::string body = handlers.get("/api/v1/availability?service=order").body;
  CHECK(body.find(order) != std::string::npos);
  CHECK(body.find("stock") == std::string::npos);
  CHECK(handlers.get("/api/v1/availability").body.find(R"("name":"stock")") != std::string::npos);
}

TEST_CASE("hot standbys: on the page, and in what a disaster would cost") {
  Handlers handlers;
  web::Snapshot snapshot = fakes::shop_snapshot();
  web::StandbyPage& standby = snapshot.standbys.emplace_back();
  standby.service = snapshot.services[0].name;
  standby.mode = "ask";
  standby.is = "replica; a is the primary";
  standby.primary = standby.holder = "a";
  standby.promoted = fakes::before(7'200'000);
  standby.members = {{"a", "10.0.0.1:3306", "primary", "GTID 0-1-<2>", 12}, {"b", "10.0.0.2:3306", "replica", "", 12}};
  standby.gates = {{"primary_lease_alive", false, "a has the right"}};
  const std::string calm = web::standbys_part(snapshot);
  CHECK(calm.find("GTID 0-1-&lt;2&gt;") != std::string::npos);
  CHECK(calm.find("<td>a</td>") != std::string::npos);
  CHECK(web::standby_findings(standby).empty());
  CHECK(web::standby_summary(standby) == "a, 1 replica");
  web::StandbyPage bad = standby;
  bad.holder.clear();
  bad.members[1].state = "no answer";
  bad.must_rejoin = {"b"};
  bad.gates.push_back({"candidate_lag", false, "it lacks <much>"});
  CHECK(web::standby_findings(bad) ==
        std::vector<std::string>{"no_primary", "no_standby", "must_rejoin", "refused: candidate_lag"});
  snapshot.standbys[0] = bad;
  const std::string page = web::standbys_part(snapshot);
  CHECK(page.find("must rejoin") != std::string::npos);
  CHECK(page.find("it lacks &lt;much&gt;") != std::string::npos);
  handlers.slot.store(std::make_shared<web::Snapshot>(std::move(snapshot)));
  const std::string all = handlers.get("/api/v1/dr").body;
  CHECK(all.find(R"("standby":{"primary":"a","summary":"a, 0 replicas","promoted":)") != std::string::npos);
  CHECK(all.find(R"("findings":["no_primary","no_standby","must_rejoin","refused: candidate_lag"])") !=
        std::string::npos);
}

TEST_CASE("what a disaster would cost: over the API and on the page, for services with a drill and without") {
  Handlers handlers;
  web::Snapshot snapshot = fakes::shop_snapshot();
  snapshot.services[0].rpo = std::chrono::minutes{5};
  snapshot.services[0].rto = std::chrono::hours{1};
  snapshot.services[1].rpo = std::chrono::minutes{5};
  web::DrillPage& drill = snapshot.drills.emplace_back();
  drill.name = "db";
  drill.service = snapshot.services[0].name;
  drill.backup = "restic /srv/<r>";
  drill.result = "verified";
  drill.must_be_proven_by = snapshot.at + std::chrono::hours{1};
  drill.proof = web::DrillPage::Proof{fakes::before(7'200'000), "4f3c", 61.5, 600, 3, 9};
  const std::string second = snapshot.services[1].name;
  snapshot.drills.push_back(drill);
  snapshot.drills[1].name = "files";
  snapshot.drills[1].result = "empty";
  snapshot.drills[1].text = "restored no file";
  snapshot.drills[1].must_be_proven_by = snapshot.at - std::chrono::hours{1};
  snapshot.drills[1].proof.reset();
  web::FaultDrillPage& fault = snapshot.fault_drills.emplace_back();
  fault.service = snapshot.services[0].name;
  fault.fault = "hang";
  fault.result = "not_delivered";
  fault.text = "ops <webhook>: refused";
  fault.stage_seconds = {{"detect", 2}};
  const std::string faults = web::fault_drills_part(snapshot);
  CHECK(faults.find("ops &lt;webhook&gt;: refused") != std::string::npos);
  CHECK(faults.find("detect 2.00 s") != std::string::npos);
  const std::string page = web::drills_part(snapshot);
  handlers.slot.store(std::make_shared<web::Snapshot>(std::move(snapshot)));
  const std::string all = handlers.get("/api/v1/dr").body;
  CHECK(all.find(R"("rpoWanted":300,"rtoWanted":3600,"drill":"db","backup":"restic /srv/)") != std::string::npos);
  CHECK(all.find(R"("findings":["rpo_missed"])") != std::string::npos);
  CHECK(all.find(R"("findings":["last_drill_failed","overdue","never_proven"])") != std::string::npos);
  CHECK(all.find("{\"service\":\"" + second + R"(","rpoWanted":300,"findings":["no_drill"]})") != std::string::npos);
  CHECK(handlers.get("/api/v1/drills?service=none").body ==
        R"({"status":"success","data":{"drills":[],"faultDrills":[]}})");
  CHECK(handlers.get("/api/v1/drills").body.find(R"("result":"empty","text":"restored no file")") != std::string::npos);
  CHECK(page.find("restic /srv/&lt;r&gt;") != std::string::npos);
  CHECK(page.find("rpo_missed") != std::string::npos);
  CHECK(page.find(R"(<span class="mut">of 5m</span>)") != std::string::npos);
  CHECK(page.find("restored no file") != std::string::npos);
}
