// A receiver of messages that hears of incidents: what it is told of each, and when.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "loop/scheduler.h"
#include "notify/receiver.h"
#include "state/state.h"

namespace notify {

using state::Change;
using state::Table;

namespace {

// What a plan wants of people has no alert of its own.
model::Alert demand_of(const model::Incident& incident) {
  model::Alert alert;
  alert.labels = model::Labels{{"alertname", kPage}, {"service", incident.service}, {"severity", "page"}};
  if (!incident.demands.empty()) alert.annotations = model::Labels{{"summary", incident.demands.back()}};
  alert.state = incident.is_open() ? model::AlertState::firing : model::AlertState::inactive;
  alert.value = 1;
  alert.active_at = incident.told.value_or(incident.started);
  alert.fired_at = alert.active_at;
  alert.resolved_at = incident.ended;
  return alert;
}

}  // namespace

std::string Receiver::heard_key(const std::string& incident) const {
  return fmt::format("incident/{}/{}", spec_.id, incident);
}

// The service's alert goes by this receiver, or would.
bool Receiver::wants(const model::Incident& incident) const {
  const auto& alerts = incident.alerts;
  if (!incident.demands.empty() && wants(common_.outward(demand_of(incident)))) return true;
  if (alerts.empty())
    return incident.demands.empty() && wants(common_.outward(model::Labels{{"service", incident.service}}));
  return std::any_of(alerts.begin(), alerts.end(), [&](const model::Alert& a) { return wants(common_.outward(a)); });
}

// All alerts of it that this receiver would get are muted: by a silence, by another alert or by a time interval. Where
// no receiver matches, this one gets all.
bool Receiver::kept_back(const model::Incident& incident) const {
  std::vector<model::Alert> all = incident.alerts;
  // What has ended is no reason to tell of what fires and is muted.
  if (incident.fires()) std::erase_if(all, [](const model::Alert& a) { return a.state != model::AlertState::firing; });
  if (all.empty() || !incident.demands.empty()) all.push_back(demand_of(incident));
  const auto others =
      std::stable_partition(all.begin(), all.end(), [&](const model::Alert& a) { return wants(common_.outward(a)); });
  if (others != all.begin()) all.erase(others, all.end());
  const auto muted_on = [&](const Route* route) { return muted(route); };
  return std::all_of(all.begin(), all.end(), [&](const model::Alert& a) {
    const std::vector<const Route*> ways = routes(common_.outward(a));
    return common_.silenced(a) || common_.inhibited(a) ||
           (!ways.empty() && std::all_of(ways.begin(), ways.end(), muted_on));
  });
}

void Receiver::on_incident(const model::Incident& incident, Wanted wanted) {
  if (!by_incident()) return;
  if (incident.announced) {
    muted_pages_.erase(incident.id);
    if (heard_.erase(incident.id) != 0) write({Change::remove(Table::notifications, heard_key(incident.id))});
    return;
  }
  if (wanted == Wanted::by_its_labels && !wants(incident) && !heard_.contains(incident.id)) return;
  const std::string key = incident_lane(incident.id);
  const auto news = [&] {
    const auto found = heard_.find(incident.id);
    const Heard heard = found == heard_.end() ? Heard{} : found->second;
    return news_of(incident, heard, spec_.tell, spec_.send_resolved ? Resolved::wanted : Resolved::unwanted);
  };
  News what = news();
  if (what == News::nothing) return;
  if (what != News::resolved && kept_back(incident)) {
    if (what == News::page) muted_pages_.insert(incident.id);
    return;
  }
  // A silence that ends because its service is healthy sends no page: a muted fault that may be over is told if it
  // comes back.
  if (what == News::page && incident.calm_since && muted_pages_.contains(incident.id)) return;
  // What nobody has is replaced by what is true now.
  if (outbox_->refused(key) || !outbox_->room(key)) {
    if (const std::size_t gone = outbox_->withdraw(key); gone > 0) dropped(DropReason::superseded, gone);
    what = news();
  }
  if (what == News::nothing) return;
  if (!outbox_->room(key)) {
    owed_incidents_.insert_or_assign(incident.id, incident);
    return;
  }
  owed_incidents_.erase(incident.id);
  muted_pages_.erase(incident.id);
  const std::string id = "msg_" + common_.options.random.identifier();
  Heard& heard = heard_[incident.id];
  heard = after(what, incident, heard, id);
  outbox_->push(key, {id, render(incident, what), common_.context.scheduler.wall_now()}, std::nullopt,
                {Change::put(Table::notifications, heard_key(incident.id), to_json(heard))});
  said(incident.id, {id, spec_.name, std::string(to_string(what)), "queued", common_.context.scheduler.wall_now()});
}

std::string Receiver::render(const model::Incident& incident, News what) const {
  Envelope e = envelope("{}", model::Labels{{"service", incident.service}});
  e.group_key = fmt::format("{{}}:{{incident=\"{}\"}}", incident.id);
  e.incident = &incident;
  e.news = to_string(what);
  std::vector<model::Alert> alerts;
  for (const model::Alert& alert : incident.alerts)
    if (alert.state == model::AlertState::firing || !incident.is_open()) alerts.push_back(alert);
  if (alerts.empty()) alerts.push_back(demand_of(incident));
  return spec_.notifier->render(alerts, incident.recoveries, e);
}

void Receiver::said(const std::string& incident, model::IncidentMessage message) const {
  if (common_.callbacks.on_message) common_.callbacks.on_message(incident, message);
}

// A message left the queue. One that nobody has got is no page: it is told anew with the next change.
void Receiver::message_left(const std::string& id, Left how) {
  if (common_.callbacks.on_fate) common_.callbacks.on_fate(id, how == Left::sent ? "sent" : "dropped");
  if (how == Left::sent) return;
  for (auto& [incident, heard] : heard_)
    if (heard.page == id) {
      heard = {};
      write({Change::put(Table::notifications, heard_key(incident), to_json(heard))});
    }
}

void Receiver::look_at_owed_incidents() {
  const auto owed = std::exchange(owed_incidents_, {});
  for (const auto& [id, incident] : owed) on_incident(incident, Wanted::anyway);
}

void Receiver::restore_heard(const std::string& key, const std::string& record) {
  const std::string prefix = heard_key("");
  if (!key.starts_with(prefix)) return;
  if (auto heard = parse_heard(record)) heard_[key.substr(prefix.size())] = *std::move(heard);
  else
    base::log::error("what a receiver heard of an incident is lost",
                     {{"receiver", spec_.name}, {"error", heard.error().text}});
}

}  // namespace notify
