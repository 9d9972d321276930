#include "notify/notifications.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/log.h"
#include "loop/scheduler.h"
#include "notify/outbox.h"
#include "notify/receiver.h"
#include "state/state.h"

namespace notify {
namespace {

using state::Change;
using state::Table;

constexpr std::size_t kRecoveriesPerService = 10;

// The receiver that a record of Table::notifications belongs to: kind/<name>/<rest>.
std::string receiver_of(const std::string& key) {
  const std::size_t first = key.find('/'), last = key.rfind('/');
  if (first == std::string::npos || last <= first) return "";
  return key.substr(first + 1, last - first - 1);
}

}  // namespace

struct Notifications::Rep {
  Rep(Options o, Context c, state::State& s, Listener l) : common{std::move(o), c, s, std::move(l)} {}

  Common common;
  std::map<std::string, std::unique_ptr<Receiver>> receivers;
  std::map<model::Labels, model::Alert> firing;      // for receivers that a reload brings, and what it routes otherwise
  std::map<std::string, model::Incident> incidents;  // open ones, by id: a silence may end before they do
  bool settled = false;

  // What a plan wants of people goes to all of them if it matches nobody: it is too important for a routing mistake.
  void tell(const model::Incident& incident) {
    const bool any =
        incident.demands.empty() || std::any_of(receivers.begin(), receivers.end(),
                                                [&](const auto& entry) { return entry.second->wants(incident); });
    for (auto& [name, receiver] : receivers)
      receiver->on_incident(incident, any ? Receiver::Wanted::by_its_labels : Receiver::Wanted::anyway);
  }

  void use(ReceiverSpec spec) {
    const std::string name = spec.name;
    const auto found = receivers.find(name);
    if (found != receivers.end() && found->second->notifier().type() == spec.notifier->type()) {
      found->second->use(std::move(spec));
    } else {
      if (found != receivers.end()) remove(name);
      const auto fresh = receivers.emplace(name, std::make_unique<Receiver>(std::move(spec), common)).first;
      fresh->second->open();
    }
    if (settled) receivers.at(name)->on_alerts(all_firing());
  }

  std::vector<const model::Alert*> all_firing() const {
    std::vector<const model::Alert*> out;
    for (const auto& [labels, alert] : firing) out.push_back(&alert);
    return out;
  }

  void remove(const std::string& name) {
    receivers.at(name)->discard(DropReason::receiver_removed);
    receivers.erase(name);
    sweep();
  }

  // Records of receivers that are gone.
  void sweep() {
    std::vector<Change> changes;
    std::map<std::string, std::size_t> lost;
    for (const auto& [key, record] : common.state.read(Table::notifications)) {
      const std::string name = receiver_of(key);
      if (receivers.contains(name)) continue;
      changes.push_back(Change::remove(Table::notifications, key));
      if (key.starts_with("queue/")) ++lost[name];
    }
    for (const auto& [name, messages] : lost) {
      base::log::warn("notifications were dropped: their receiver is not configured any more",
                      {{"receiver", name}, {"messages", std::to_string(messages)}});
      if (common.listener.on_dropped) common.listener.on_dropped(name, DropReason::receiver_removed, messages);
    }
    if (!changes.empty()) common.state.commit(std::move(changes), [](base::Result<>) {});
  }
};

Notifications::Notifications(Options options, Context context, state::State& state, Listener listener)
    : rep_(std::make_unique<Rep>(std::move(options), context, state, std::move(listener))) {}

Notifications::~Notifications() = default;

void Notifications::replace(std::vector<ReceiverSpec> specs) {
  std::set<std::string> kept;
  for (const ReceiverSpec& spec : specs) kept.insert(spec.name);
  std::vector<std::string> gone;
  for (const auto& [name, receiver] : rep_->receivers)
    if (!kept.contains(name)) gone.push_back(name);
  for (const std::string& name : gone) rep_->remove(name);
  for (ReceiverSpec& spec : specs) rep_->use(std::move(spec));
  rep_->sweep();
}

void Notifications::settle(const std::map<model::Labels, model::Alert>& known) {
  rep_->settled = true;
  rep_->firing.clear();
  for (const auto& [labels, alert] : known)
    if (alert.state == model::AlertState::firing) rep_->firing.emplace(labels, alert);
  for (auto& [name, receiver] : rep_->receivers) receiver->settle(known);
}

void Notifications::on_transitions(const std::vector<model::AlertTransition>& transitions) {
  std::vector<const model::Alert*> told;
  for (const model::AlertTransition& t : transitions) {
    if (t.alert.state == model::AlertState::firing) rep_->firing.insert_or_assign(t.alert.labels, t.alert);
    else if (t.from == model::AlertState::firing) rep_->firing.erase(t.alert.labels);
    else continue;  // pending is nobody's business yet
    told.push_back(&t.alert);
  }
  for (auto& [name, receiver] : rep_->receivers) receiver->on_alerts(told);
}

void Notifications::on_recovery(const model::RecoveryReport& report) {
  auto& list = rep_->common.recoveries[report.service];
  const auto known = std::find_if(list.begin(), list.end(), [&](const auto& r) { return r.id == report.id; });
  if (known != list.end()) *known = report;
  else list.push_front(report);
  if (list.size() > kRecoveriesPerService) list.pop_back();
  if (!report.ended || report.state == model::RecoveryState::aborted) return;
  for (auto& [name, receiver] : rep_->receivers) receiver->on_recovery(report);
}

void Notifications::on_incident(const model::Incident& incident) {
  if (incident.is_open()) rep_->incidents.insert_or_assign(incident.id, incident);
  else rep_->incidents.erase(incident.id);
  rep_->tell(incident);
}

void Notifications::page(const std::string& service, const std::string& text, Place place) {
  model::Alert alert;
  alert.labels = model::Labels{{"alertname", kPage}, {"service", service}, {"severity", "page"}};
  alert.annotations = model::Labels{{"summary", text}};
  alert.state = model::AlertState::firing;
  alert.value = 1;
  alert.active_at = rep_->common.context.scheduler.wall_now();
  alert.fired_at = alert.active_at;
  const model::Labels labels = rep_->common.outward(alert);
  const auto wanted = [&](const auto& entry) { return entry.second->wants(labels); };
  // A page that matches nobody goes to everybody: it is too important for a routing mistake.
  const bool any = std::any_of(rep_->receivers.begin(), rep_->receivers.end(), wanted);
  for (auto& entry : rep_->receivers)
    if ((!any || wanted(entry)) && !(place == Place::in_incident && entry.second->by_incident()))
      entry.second->page(alert);
  if (rep_->receivers.empty())
    base::log::error("a page reaches nobody: no receiver is configured", {{"service", service}, {"text", text}});
}

void Notifications::on_silences() {
  for (auto& [name, receiver] : rep_->receivers) receiver->on_silences();
  for (const auto& [id, incident] : rep_->incidents) rep_->tell(incident);
}

std::vector<ReceiverStatus> Notifications::statuses() const {
  std::vector<ReceiverStatus> out;
  for (const auto& [name, receiver] : rep_->receivers) out.push_back(receiver->status());
  return out;
}

}  // namespace notify
