// The fleet as this agent sees it: who is up, who acts, who waits.
#include "web/api/answer.h"
#include "web/routes.h"

namespace web {
namespace {

void write_member(const FleetMemberPage& member, encoding::Json& json) {
  json.object([&] {
    json.key("node").string(member.node);
    json.key("service").string(member.service);
    json.key("health").string(to_string(member.health));
    json.key("since").time(member.since);
    if (member.waits_since) json.key("waitsSince").time(*member.waits_since);
    if (!member.acts_since) return;
    json.key("actsSince").time(*member.acts_since);
    json.key("recovery").string(member.recovery);
    if (member.fence > 0) json.key("fence").integer(static_cast<std::int64_t>(member.fence));
  });
}

void write_rollout(const RolloutPage& rollout, encoding::Json& json) {
  json.object([&] {
    json.key("id").string(rollout.id);
    json.key("state").string(rollout.state);
    if (!rollout.why.empty()) json.key("why").string(rollout.why);
    json.key("since").time(rollout.since);
    json.key("started").time(rollout.started);
    json.key("by").string(rollout.by);
    json.key("action").string(rollout.action);
    json.key("batch").integer(rollout.batch);
    json.key("round").integer(rollout.round);
    json.key("parts").array([&] {
      for (const RolloutPartPage& part : rollout.parts)
        json.object([&] {
          json.key("node").string(part.node);
          json.key("service").string(part.service);
          json.key("state").string(part.state);
          json.key("since").time(part.since);
          if (!part.text.empty()) json.key("text").string(part.text);
        });
    });
  });
}

}  // namespace

Response api_fleet(const Request&, const Context& context) {
  const auto snapshot = context.slot.load();
  const FleetPage& fleet = snapshot->fleet;
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("node").string(snapshot->node);
      json.key("store").string(fleet.store);
      json.key("joined").boolean(fleet.joined);
      json.key("since").time(fleet.since);
      json.key("trouble").string(fleet.trouble);
      json.key("groups").array([&] {
        for (const FleetGroupPage& group : fleet.groups)
          json.object([&] {
            json.key("name").string(group.name);
            json.key("known").boolean(group.known);
            if (!group.panic.empty()) json.key("panic").string(group.panic);
            if (!group.pager.empty()) json.key("toldBy").string(group.pager);
            if (group.rollout) {
              json.key("rollout");
              write_rollout(*group.rollout, json);
            }
            json.key("members").array([&] {
              for (const FleetMemberPage& member : group.members) write_member(member, json);
            });
          });
      });
    });
  });
}

Response api_fleet_entries(const Request&, const Context& context) {
  const auto entries = context.backend.fleet_entries();
  if (!entries) return api_error(entries.error());
  return api_success([&](encoding::Json& json) { json.raw(*entries); });
}

}  // namespace web
