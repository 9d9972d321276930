// Hot standbys: who is the primary, and why no other one is.
#include "web/api/answer.h"
#include "web/routes.h"

namespace web {
namespace {

void write_standby(const StandbyPage& standby, encoding::Json& json) {
  json.object([&] {
    json.key("service").string(standby.service);
    json.key("mode").string(standby.mode);
    json.key("is").string(standby.is);
    json.key("move").string(standby.move);
    json.key("primary").string(standby.primary);
    json.key("holder").string(standby.holder);
    json.key("fence").integer(static_cast<std::int64_t>(standby.fence));
    if (standby.promoted) json.key("promoted").time(*standby.promoted);
    json.key("mustRejoin").array([&] {
      for (const std::string& node : standby.must_rejoin) json.string(node);
    });
    json.key("members").array([&] {
      for (const StandbyPage::Member& member : standby.members)
        json.object([&] {
          json.key("node").string(member.node);
          json.key("address").string(member.address);
          json.key("state").string(member.state);
          json.key("offset").integer(member.offset);
          json.key("text").string(member.text);
        });
    });
    json.key("gates").array([&] {
      for (const StandbyPage::Gate& gate : standby.gates)
        json.object([&] {
          json.key("name").string(gate.name);
          json.key("open").boolean(gate.open);
          json.key("text").string(gate.text);
        });
    });
  });
}

}  // namespace

Response api_standbys(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  const std::string only = request.param("service");
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("standbys").array([&] {
        for (const StandbyPage& standby : snapshot->standbys)
          if (only.empty() || standby.service == only) write_standby(standby, json);
      });
    });
  });
}

}  // namespace web
