#include "cluster/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/number.h"
#include "base/text.h"
#include "cluster/json_answer.h"
#include "config/schema.h"

namespace cluster {
namespace {

bool is_plain(char c) { return base::is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; }

// A part of a key: plain letters as they are, all else as =XX. Neither a path nor a URL sees anything in it.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (is_plain(c)) out += c;
    else out += fmt::format("={:02X}", static_cast<unsigned char>(c));
  return out;
}

void read_share(const config::Node& node, GroupSettings& settings, const std::string& path, config::Errors& errors) {
  std::string_view text = node.scalar();
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  const int value = base::read_number<int>(text).value_or(-1);
  if (!node.is_scalar() || value < 0 || (percent && value > 100))
    return errors.add(node.mark(), path, config::expected("a number of members (2) or a part of them (50%)", node));
  settings.min_healthy = {value, percent};
}

void read_threshold(const config::Node& node, GroupSettings& settings, const std::string& path,
                    config::Errors& errors) {
  GroupSettings read;
  if (!node.is_scalar() || !node.scalar().ends_with('%'))
    return errors.add(node.mark(), path, config::expected("a part of the members (50%)", node));
  read_share(node, read, path, errors);
  settings.panic_threshold = read.min_healthy.value;
}

const config::Schema<GroupSettings>& schema() {
  static const auto s = [] {
    auto all =
        config::Schema<GroupSettings>("fleet")
            .required("group", &GroupSettings::group,
                      "Its group: the services of all nodes that name it share the slots.")
            .optional("max_concurrent", &GroupSettings::max_concurrent,
                      "Services of the group that may be interrupted (drained, restarted) at the same time.")
            .custom("min_healthy",
                    "Others of the group that must be up when one that is up itself is interrupted: a number, or a "
                    "part of the members (50%). One that is down anyway takes nothing away.",
                    "0", read_share)
            .custom("panic_threshold",
                    "When more of the members than this are down, nobody is recovered: the fault is not theirs. "
                    "100%: never.",
                    "50%", read_threshold)
            .check([](const GroupSettings& g, const config::Complain& complain) {
              if (g.group.empty() || !std::all_of(g.group.begin(), g.group.end(), is_plain))
                complain("group", "is letters, digits, '_', '.' and '-'");
              if (g.max_concurrent < 1) complain("max_concurrent", "must be at least 1");
            });
    all.shows({"group", "min_healthy", "panic_threshold"});
    return all;
  }();
  return s;
}

Judgement busy(const GroupSettings& settings, const Group& group, const Identity& self, std::uint64_t before) {
  std::vector<std::string> others;
  for (const Holder& holder : group.holders)
    if (holder.who != self && holder.fence < before) others.push_back(named(holder.who));
  const auto count = static_cast<int>(others.size());
  return {Brake::busy, count < settings.max_concurrent,
          fmt::format("{} of {} slots of {} taken{}{}", count, settings.max_concurrent, settings.group,
                      others.empty() ? "" : ", by ", fmt::join(others, ", "))};
}

bool is_held(const Group& group, const Identity& who, std::uint64_t before) {
  return std::any_of(group.holders.begin(), group.holders.end(),
                     [&](const Holder& holder) { return holder.who == who && holder.fence < before; });
}

// One that is being interrupted is as good as down.
Judgement min_healthy(const GroupSettings& settings, const Group& group, const Identity& self, std::uint64_t before) {
  const int needed = settings.min_healthy.of(static_cast<int>(group.members.size()));
  int healthy = 0;
  bool up = true;  // without an entry of its own it counts as up
  for (const Member& member : group.members) {
    if (member.who == self) up = member.health != model::Health::down;
    else healthy += member.health == model::Health::up && !is_held(group, member.who, before) ? 1 : 0;
  }
  if (!up) return {Brake::min_healthy, true, "it is down already: nothing is taken away"};
  return {Brake::min_healthy, healthy >= needed,
          fmt::format("{} others of {} are up and {} must be", healthy, settings.group, needed)};
}

}  // namespace

std::string named(const Identity& who) {
  constexpr std::size_t kLongest = 128;
  return fmt::format("{} on {}", base::foreign_text(who.service, kLongest), base::foreign_text(who.node, kLongest));
}

Judgement judge_panic(const GroupSettings& settings, const Group& group) {
  const auto all = static_cast<int>(group.members.size());
  const auto down = static_cast<int>(std::count_if(group.members.begin(), group.members.end(),
                                                   [](const Member& m) { return m.health == model::Health::down; }));
  // A group of one has no others to compare with.
  const bool open = all < 2 || down * 100 <= settings.panic_threshold * all;
  return {Brake::panic, open,
          fmt::format("{} of {} members of {} are down, the panic threshold is {}%{}", down, all, settings.group,
                      settings.panic_threshold, open ? "" : ": a restart would not help")};
}

GroupSettings parse_group(const config::Node& node, const std::string& path, config::Errors& errors) {
  return node.is_null() ? GroupSettings{} : schema().parse(node, path, errors);
}
const std::vector<config::KeyReference>& group_reference() { return schema().reference(); }

std::string group_prefix(const std::string& group) { return group + "/"; }
std::string member_key(const std::string& group, const Identity& who) {
  return fmt::format("{}/members/{}/{}", group, escaped(who.node), escaped(who.service));
}
std::string slot_key(const std::string& group, int slot) { return fmt::format("{}/slots/{}", group, slot); }
bool is_slot_key(const std::string& key) {
  return key.substr(std::min(key.find('/'), key.size())).starts_with("/slots/");
}

std::string member_value(const Member& member) {
  return json{{"node", member.who.node},
              {"service", member.who.service},
              {"health", to_string(member.health)},
              {"since", base::to_ms(member.since)},
              {"waits_since", base::to_ms(member.waits_since)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string holder_value(const Holder& holder) {
  return json{{"node", holder.who.node},
              {"service", holder.who.service},
              {"recovery", holder.recovery},
              {"since", base::to_ms(holder.since)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string pager_key(const std::string& group) { return group + "/pager"; }
std::string pager_value(const Pager& pager) {
  return json{{"node", pager.who.node}, {"service", pager.who.service}, {"since", base::to_ms(pager.since)}}.dump(
      -1, ' ', false, json::error_handler_t::replace);
}

Group read_group(const std::string& group, const Reading& reading) {
  Group out;
  const std::string members = group + "/members/", slots = group + "/slots/";
  std::uint64_t first = kAll;  // where a store is no lock, several may have the entry
  for (const Entry& entry : reading.entries) {
    const json value = read_json(entry.value);
    const Identity who{text_of(member(value, "node")), text_of(member(value, "service"))};
    const base::WallTime since = time_of(member(value, "since"));
    if (entry.key.starts_with(members)) {
      const auto health = model::parse_health(text_of(member(value, "health"))).value_or(model::Health::unknown);
      Member read{who, health, since, time_of(member(value, "waits_since")), entry.lease};
      out.members.push_back(std::move(read));
    } else if (entry.key.starts_with(slots)) {
      const int slot = base::leading_number<int>(entry.key.substr(slots.size())).value_or(-1);
      if (slot < 0) continue;
      out.holders.push_back(
          {slot, who, text_of(member(value, "recovery")), since, entry.lease, entry.fence, entry.announced});
    } else if (entry.key == pager_key(group) && entry.fence < first) {
      first = entry.fence;
      out.pager = Pager{who, since, entry.lease};
    }
  }
  for (const Record& record : reading.records) {
    if (record.key != rollout_key(group)) continue;
    out.rollout = read_rollout(record.value);
    out.rollout_revision = record.revision;
  }
  return out;
}

std::vector<Judgement> judge(const GroupSettings& settings, const Group& group, const Identity& self,
                             std::uint64_t before) {
  return {judge_panic(settings, group), busy(settings, group, self, before),
          min_healthy(settings, group, self, before)};
}

bool is_whole(const Group& group, const Identity& self) {
  const bool quiet = std::none_of(group.holders.begin(), group.holders.end(),
                                  [&](const Holder& holder) { return holder.who != self; });
  return quiet && std::all_of(group.members.begin(), group.members.end(), [&](const Member& member) {
           return member.who == self || member.health == model::Health::up;
         });
}

}  // namespace cluster
