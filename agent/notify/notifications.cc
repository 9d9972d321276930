#include "notify/notifications.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/log.h"
#include "loop/scheduler.h"
#include "notify/fallback.h"
#include "notify/outbox.h"
#include "notify/receiver.h"
#include "notify/recovery_running.h"
#include "state/state.h"

namespace notify {
namespace {

using state::Change;
using state::Table;

constexpr std::size_t kRecoveriesPerService = 10;

constexpr base::Millis kMinute{60'000};

// "ops webhook[0]" is an integration of ops.
std::string receiver_of(const std::string& id) { return id.ends_with(']') ? id.substr(0, id.rfind(' ')) : id; }

}  // namespace

struct Notifications::Rep {
  Rep(Options o, Context c, state::State& s, Callbacks b) : common{std::move(o), c, s, std::move(b)} {
    common.callbacks.on_result = [this, told = std::move(common.callbacks.on_result)](
                                     const std::string& receiver, const std::string& target, SendResult result) {
      if (told) told(receiver, target, result);
      fallbacks.soon();
    };
  }

  Common common;
  std::map<std::string, std::unique_ptr<Receiver>> receivers;  // by id
  std::map<model::Labels, model::Alert> firing;      // for receivers that a reload brings, and what it routes otherwise
  std::map<std::string, model::Incident> incidents;  // open ones, by id: a silence may end before they do
  Fallbacks fallbacks{common, receivers, firing, incidents};
  bool settled = false;
  bool any_running = true;  // receivers may know of some: an agent before this one told them
  loop::Handle minute;      // while a time interval may keep an incident back

  // What a plan wants of people goes to all of them if it matches nobody: it is too important for a routing mistake.
  void tell(const model::Incident& incident) {
    const bool any = incident.demands.empty() ||
                     std::any_of(receivers.begin(), receivers.end(),
                                 [&](const auto& entry) { return entry.second->wants(incident); }) ||
                     unwanted(page_labels(incident.service));
    for (auto& [name, receiver] : receivers)
      receiver->on_incident(incident, any ? Receiver::Wanted::by_its_labels : Receiver::Wanted::anyway);
  }

  void tell_recoveries_running() {
    auto running = recoveries_running(incidents, common.options.own, common.context.scheduler.wall_now());
    if (running.empty() && !any_running) return;
    any_running = !running.empty();
    for (auto& [id, receiver] : receivers) receiver->on_recoveries_running(running);
  }

  void tell_all_incidents() {
    for (const auto& [id, incident] : incidents) tell(incident);
    look_each_minute();
  }

  // Time intervals begin and end with a minute.
  void look_each_minute() {
    if (minute || incidents.empty() || !common.routing->has_time_intervals()) return;
    const base::Millis gone{base::to_ms(common.context.scheduler.wall_now()) % kMinute.count()};
    minute = common.context.scheduler.after(kMinute - gone, [this] {
      const loop::Handle own = std::move(minute);
      tell_all_incidents();
    });
  }

  static model::Labels page_labels(const std::string& service) {
    return model::Labels{{"alertname", kPage}, {"service", service}, {"severity", "page"}};
  }
  // The routes lead to receivers without an integration only, as configured.
  bool unwanted(const model::Labels& labels) const { return common.routing->has_no_receiver(common.outward(labels)); }

  void route_by(std::shared_ptr<const Routing> routing) {
    common.routing = std::move(routing);
    inhibit_again();
  }
  void inhibit_again() {
    common.inhibitor = Inhibitor(common.routing->inhibit_rules());
    for (const auto& [labels, alert] : firing) common.inhibitor.fires(common.outward(labels));
  }
  void inhibitors_changed() {
    if (!common.inhibitor.has_rules()) return;
    for (auto& [id, receiver] : receivers) receiver->on_kept_back();
    tell_all_incidents();
  }

  void use(ReceiverSpec spec) {
    const std::string id = spec.id;
    const auto found = receivers.find(id);
    if (found != receivers.end()) {
      found->second->use(std::move(spec));
    } else {
      const auto fresh = receivers.emplace(id, std::make_unique<Receiver>(std::move(spec), common)).first;
      fresh->second->open();
    }
    if (settled) receivers.at(id)->on_alerts(all_firing());
  }

  // Records of versions in which a receiver had one integration are named by the receiver.
  void adopt(const std::vector<ReceiverSpec>& specs) {
    std::map<std::string, std::string> first;  // integration of each receiver
    for (const ReceiverSpec& spec : specs) first.emplace(spec.name, spec.id);
    std::vector<Change> changes;
    for (const auto& [key, record] : common.state.read(Table::notifications)) {
      const auto found = first.find(Receiver::id_of(key));
      if (found == first.end()) continue;
      const std::string kind = key.substr(0, key.find('/') + 1), rest = key.substr(key.rfind('/'));
      changes.push_back(Change::put(Table::notifications, kind + found->second + rest, record));
      changes.push_back(Change::remove(Table::notifications, key));
    }
    if (!changes.empty()) common.state.commit(std::move(changes), [](base::Result<>) {});
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
      const std::string id = Receiver::id_of(key);
      if (receivers.contains(id)) continue;
      changes.push_back(Change::remove(Table::notifications, key));
      if (key.starts_with("queue/")) ++lost[receiver_of(id)];
    }
    for (const auto& [name, messages] : lost) {
      base::log::warn("notifications were dropped: their receiver is not configured any more",
                      {{"receiver", name}, {"messages", std::to_string(messages)}});
      if (common.callbacks.on_dropped) common.callbacks.on_dropped(name, DropReason::receiver_removed, messages);
    }
    if (!changes.empty()) common.state.commit(std::move(changes), [](base::Result<>) {});
  }
};

Notifications::Notifications(Options options, Context context, state::State& state, Callbacks callbacks)
    : rep_(std::make_unique<Rep>(std::move(options), context, state, std::move(callbacks))) {}

Notifications::~Notifications() = default;

void Notifications::replace(Configuration configuration) {
  std::vector<ReceiverSpec>& specs = configuration.receivers;
  rep_->route_by(std::move(configuration.routing));
  rep_->adopt(specs);
  rep_->fallbacks.use(specs);
  std::set<std::string> kept;
  for (const ReceiverSpec& spec : specs) kept.insert(spec.id);
  std::vector<std::string> gone;
  for (const auto& [name, receiver] : rep_->receivers)
    if (!kept.contains(name)) gone.push_back(name);
  for (const std::string& name : gone) rep_->remove(name);
  for (ReceiverSpec& spec : specs) rep_->use(std::move(spec));
  rep_->sweep();
  rep_->look_each_minute();
}

void Notifications::settle(const std::map<model::Labels, model::Alert>& known) {
  rep_->settled = true;
  rep_->firing.clear();
  for (const auto& [labels, alert] : known)
    if (alert.state == model::AlertState::firing) rep_->firing.emplace(labels, alert);
  rep_->inhibit_again();
  for (auto& [name, receiver] : rep_->receivers) receiver->settle(known);
}

void Notifications::on_transitions(const std::vector<model::AlertTransition>& transitions) {
  std::vector<const model::Alert*> told;
  for (const model::AlertTransition& t : transitions) {
    if (t.alert.state == model::AlertState::firing) {
      rep_->firing.insert_or_assign(t.alert.labels, t.alert);
      rep_->common.inhibitor.fires(rep_->common.outward(t.alert));
    } else if (t.from == model::AlertState::firing) {
      rep_->firing.erase(t.alert.labels);
      rep_->common.inhibitor.ended(rep_->common.outward(t.alert));
    } else {
      continue;  // pending alerts are not sent
    }
    told.push_back(&t.alert);
  }
  for (auto& [name, receiver] : rep_->receivers) receiver->on_alerts(told);
  rep_->inhibitors_changed();
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
  rep_->tell_recoveries_running();
  rep_->look_each_minute();
}

std::vector<std::string> Notifications::page(const std::string& service, const std::string& text, Grouping grouping) {
  model::Alert alert;
  alert.labels = Rep::page_labels(service);
  alert.annotations = model::Labels{{"summary", text}};
  alert.state = model::AlertState::firing;
  alert.value = 1;
  alert.active_at = rep_->common.context.scheduler.wall_now();
  alert.fired_at = alert.active_at;
  const model::Labels labels = rep_->common.outward(alert);
  const auto wanted = [&](const auto& entry) { return entry.second->wants(labels); };
  // A page that matches nobody goes to everybody: it is too important for a routing mistake.
  const bool any = std::any_of(rep_->receivers.begin(), rep_->receivers.end(), wanted) || rep_->unwanted(alert.labels);
  std::vector<std::string> told;
  for (auto& entry : rep_->receivers)
    if ((!any || wanted(entry)) && !(grouping == Grouping::in_incident && entry.second->by_incident())) {
      entry.second->page(alert);
      told.push_back(entry.first);
    }
  if (rep_->receivers.empty())
    base::log::error("a page reaches nobody: no receiver is configured", {{"service", service}, {"text", text}});
  return told;
}

std::map<std::string, std::string> Notifications::untaken(const std::vector<std::string>& ids) const {
  std::map<std::string, std::string> out;
  for (const std::string& id : ids) {
    const auto found = rep_->receivers.find(id);
    if (found == rep_->receivers.end()) continue;
    const ReceiverStatus status = found->second->status();
    if (status.waiting > 0 || !status.last_error.empty()) out[id] = status.last_error;
  }
  return out;
}

void Notifications::on_silences() {
  for (auto& [id, receiver] : rep_->receivers) receiver->on_kept_back();
  rep_->tell_all_incidents();
}

std::vector<ReceiverStatus> Notifications::statuses() const {
  std::vector<ReceiverStatus> out;
  for (const auto& [name, receiver] : rep_->receivers) out.push_back(receiver->status());
  for (ReceiverStatus& status : out)
    if (const std::string second = rep_->fallbacks.stands_in_for(status.name); !second.empty())
      status.last_error += "; its fallback " + second + " is told in its place";
  return out;
}

}  // namespace notify
