#include "notify/notifications.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/log.h"
#include "base/random.h"
#include "notify/dedup.h"
#include "notify/group.h"
#include "notify/outbox.h"

namespace notify {
namespace {

using state::Change;
using state::Table;

constexpr std::string_view kPage = "FettlePage";  // alertname of messages that come from no rule
constexpr base::Millis kPageLasts{3600 * 1000};   // so long an Alertmanager shows a page
constexpr std::size_t kRecoveriesPerService = 10;

bool matches(const ReceiverSpec& spec, const model::Labels& labels) {
  return std::all_of(spec.match.begin(), spec.match.end(),
                     [&](const auto& want) { return labels.get(want.first) == want.second; });
}

std::string group_prefix(const std::string& receiver) { return "group/" + receiver + "/"; }

// The receiver that a record of Table::notifications belongs to: kind/<name>/<rest>.
std::string receiver_of(const std::string& key) {
  const std::size_t first = key.find('/'), last = key.rfind('/');
  if (first == std::string::npos || last <= first) return "";
  return key.substr(first + 1, last - first - 1);
}

}  // namespace

struct Notifications::Rep {
  struct Watched {
    Group group;
    loop::Handle wait;   // group_wait before the first message
    loop::Handle later;  // resend, or the end of the group
  };
  struct Receiver {
    ReceiverSpec spec;
    std::unique_ptr<Outbox> outbox;
    std::map<std::string, Watched> groups;  // by the group's labels as text
  };

  Rep(Options o, Context c, state::State& s, Listener l)
      : options(std::move(o)), context(c), state(s), listener(std::move(l)), random(options.seed) {}

  Options options;
  Context context;
  state::State& state;
  Listener listener;
  base::Random random;
  std::map<std::string, Receiver> receivers;
  std::map<model::Labels, model::Alert> firing;                         // for receivers that a reload brings
  std::map<std::string, std::deque<model::RecoveryReport>> recoveries;  // by service, newest first

  void result(const std::string& receiver, const std::string& what, const std::string& text) {
    if (listener.on_result) listener.on_result(receiver, what, text);
  }

  static std::string record_key(const Receiver& receiver, const model::Labels& group) {
    return fmt::format("{}{:016x}", group_prefix(receiver.spec.name), group.hash());
  }

  // Reports about the alerts' service since the first of them began; oldest first.
  std::vector<model::RecoveryReport> recoveries_of(const Group& group) const {
    std::vector<model::RecoveryReport> out;
    const auto found = recoveries.find(std::string(group.labels.get("service")));
    if (found == recoveries.end() || group.alerts.empty()) return out;
    base::WallTime since = base::WallTime::max();
    for (const auto& [labels, alert] : group.alerts) since = std::min(since, alert.active_at);
    for (const model::RecoveryReport& report : found->second)
      if (!report.ended || report.started >= since - std::chrono::seconds{1}) out.insert(out.begin(), report);
    return out;
  }

  Envelope envelope(const Receiver& receiver, const model::Labels& group) const {
    Envelope e;
    e.receiver = receiver.spec.name;
    e.node = options.node;
    e.external_url = options.external_url;
    e.group_key = group_key(group);
    e.external_labels = options.external_labels;
    e.group_labels = group;
    e.at = context.scheduler.wall_now();
    e.resend = receiver.spec.notifier->resend();
    return e;
  }

  // ---- groups

  Watched& watched(Receiver& receiver, const model::Alert& alert) {
    const model::Labels labels = group_labels(alert);
    Watched& w = receiver.groups[labels.to_string()];
    w.group.labels = labels;
    return w;
  }

  void change(Receiver& receiver, const model::Alert& alert, std::set<std::string>& touched) {
    if (!matches(receiver.spec, outward(alert))) return;
    Watched& w = watched(receiver, alert);
    w.group.alerts.insert_or_assign(alert.labels, alert);
    touched.insert(w.group.labels.to_string());
  }

  model::Labels outward(const model::Alert& alert) const { return options.external_labels.merged(alert.labels); }

  std::vector<std::string> silenced_by(const model::Alert& alert) const {
    return options.silences ? options.silences->of(outward(alert)) : std::vector<std::string>{};
  }

  std::set<std::uint64_t> silenced_in(const Group& group) const {
    std::set<std::uint64_t> out;
    for (const auto& [labels, alert] : group.alerts)
      if (!silenced_by(alert).empty()) out.insert(labels.hash());
    return out;
  }

  void flush_or_wait(Receiver& receiver, const std::string& key) {
    const auto found = receiver.groups.find(key);
    if (found == receiver.groups.end() || found->second.wait) return;
    Watched& w = found->second;
    if (w.group.told() || receiver.spec.group_wait.count() == 0) return flush(receiver, key, Cause::change);
    w.wait = context.scheduler.after(receiver.spec.group_wait, [this, name = receiver.spec.name, key] {
      const auto there = receivers.find(name);
      if (there == receivers.end()) return;
      const loop::Handle own = std::move(there->second.groups.at(key).wait);
      flush(there->second, key, Cause::change);
    });
  }

  void flush(Receiver& receiver, const std::string& key, Cause cause) {
    Watched& w = receiver.groups.at(key);
    Group& group = w.group;
    const base::WallTime now = context.scheduler.wall_now();
    end_pages(group, now);
    group.prune(now);
    const auto send_resolved = receiver.spec.send_resolved ? SendResolved::yes : SendResolved::no;
    const std::set<std::uint64_t> silenced_before = group.silenced;
    group.silence(silenced_in(group));
    Verdict verdict = decide(group.audible(), group.audible_last(), cause, send_resolved);
    if (!sends(verdict) && sends(decide(group.list(), group.last, cause, send_resolved))) {
      verdict = Verdict::silenced;
      result(receiver.spec.name, "silenced", group_key(group.labels));
    }
    const std::vector<model::Alert> told = worth_telling(receiver, group);
    if (sends(verdict) && !told.empty()) {
      group.told_audible();
      send(receiver, group, told, cause);
    } else if (verdict == Verdict::resolved_unwanted || group.silenced != silenced_before) {
      if (verdict == Verdict::resolved_unwanted) group.told_audible();
      write({Change::put(Table::notifications, record_key(receiver, group.labels), to_json(group))});
    }
    base::log::debug("notification decided", {{"receiver", receiver.spec.name},
                                              {"group", group_key(group.labels)},
                                              {"verdict", std::string(to_string(verdict))}});
    arm(receiver, key);
  }

  // An Alertmanager hears the whole group each time. People hear what fires and what resolved since the last message;
  // when only a recovery ended after that, the alerts that it was about.
  static std::vector<model::Alert> worth_telling(const Receiver& receiver, const Group& group) {
    const auto resolved = [](const model::Alert& a) { return a.state != model::AlertState::firing; };
    std::vector<model::Alert> out = group.audible();
    if (!receiver.spec.send_resolved) std::erase_if(out, resolved);
    if (receiver.spec.notifier->resend().count() > 0) return out;
    std::vector<model::Alert> news = out;
    std::erase_if(
        news, [&](const model::Alert& a) { return resolved(a) && group.last.resolved.count(a.labels.hash()) != 0; });
    return news.empty() ? out : news;
  }

  void send(Receiver& receiver, const Group& group, const std::vector<model::Alert>& told, Cause cause) {
    const Envelope e = envelope(receiver, group.labels);
    Message message{"msg_" + random.identifier(), receiver.spec.notifier->render(told, recoveries_of(group), e), e.at};
    // What is sent again anyway need not be kept as it was: its group is, and is rendered again after a crash.
    const Keep keep = e.resend.count() > 0 ? Keep::until_replaced : Keep::durable;
    std::vector<Change> with;
    if (cause != Cause::resend_due)
      with.push_back(Change::put(Table::notifications, record_key(receiver, group.labels), to_json(group)));
    receiver.outbox->push(std::move(message), group_key(group.labels), keep, std::move(with));
  }

  // The next time the group needs a look: to be sent again, or to be forgotten.
  void arm(Receiver& receiver, const std::string& key) {
    Watched& w = receiver.groups.at(key);
    const base::Millis resend = receiver.spec.notifier->resend();
    if (w.group.alerts.empty() || (!w.group.told() && !w.group.fires())) {
      write({Change::remove(Table::notifications, record_key(receiver, w.group.labels))});
      receiver.groups.erase(key);
      return;
    }
    const bool again = resend.count() > 0;
    if (!again && w.group.fires()) return w.later.reset();
    w.later =
        context.scheduler.after(again ? resend : Group::kKeepResolved, [this, again, name = receiver.spec.name, key] {
          const auto there = receivers.find(name);
          if (there == receivers.end()) return;
          const loop::Handle own = std::move(there->second.groups.at(key).later);
          flush(there->second, key, again ? Cause::resend_due : Cause::change);
        });
  }

  void write(std::vector<Change> changes) {
    state.commit(std::move(changes), [](base::Result<> result) {
      if (!result) base::log::error("could not write down a notification group", {{"error", result.error().text}});
    });
  }

  // ---- pages

  static void end_pages(Group& group, base::WallTime now) {
    for (auto& [labels, alert] : group.alerts)
      if (alert.name() == kPage && alert.state == model::AlertState::firing &&
          alert.fired_at.value_or(alert.active_at) + kPageLasts <= now) {
        alert.state = model::AlertState::inactive;
        alert.resolved_at = now;
      }
  }

  void page(Receiver& receiver, const model::Alert& alert) {
    if (receiver.spec.notifier->resend().count() > 0) {
      Watched& w = watched(receiver, alert);
      w.group.alerts.insert_or_assign(alert.labels, alert);
      w.group.last = {};  // a second page about the same service is said, too
      flush(receiver, w.group.labels.to_string(), Cause::change);
      return;
    }
    if (!silenced_by(alert).empty())
      return result(receiver.spec.name, "silenced", std::string(alert.annotations.get("summary")));
    Group once;
    once.labels = group_labels(alert);
    once.alerts.emplace(alert.labels, alert);
    const Envelope e = envelope(receiver, once.labels);
    receiver.outbox->push(
        {"msg_" + random.identifier(), receiver.spec.notifier->render({alert}, recoveries_of(once), e), e.at},
        e.group_key, Keep::durable, {});
  }

  // ---- receivers

  void add(ReceiverSpec spec) {
    const std::string name = spec.name;
    Receiver& r = receivers[name];
    r.spec = std::move(spec);
    r.outbox = std::make_unique<Outbox>(
        name, context, state, random,
        [this, name](const std::string& what, const std::string& text) { result(name, what, text); });
    std::vector<std::string> restored;
    const std::map<std::string, std::string> left = state.read(Table::notifications);
    for (const auto& [key, record] : left) {
      if (receiver_of(key) != name) continue;
      if (key.starts_with(Outbox::prefix(name))) r.outbox->restore(key, record);
      if (!key.starts_with(group_prefix(name))) continue;
      if (auto group = parse_group(record)) {
        const std::string text = group->labels.to_string();
        r.groups[text].group = std::move(*group);
        restored.push_back(text);
      }
    }
    r.outbox->use(r.spec.notifier.get(), r.spec.timeout);
    const Cause cause = r.spec.notifier->resend().count() > 0 ? Cause::resend_due : Cause::change;
    for (const std::string& key : restored) flush(r, key, cause);
    std::set<std::string> touched;
    for (const auto& [labels, alert] : firing) change(r, alert, touched);
    for (const std::string& key : touched) flush_or_wait(r, key);
  }

  void remove(const std::string& name) {
    if (const auto found = receivers.find(name); found != receivers.end()) {
      found->second.outbox->use(nullptr, base::Millis{0});
      found->second.outbox->discard("its receiver is not configured any more");
      receivers.erase(found);
    }
  }

  // Records of receivers that are gone.
  void sweep() {
    std::vector<Change> changes;
    for (const auto& [key, record] : state.read(Table::notifications)) {
      const std::string name = receiver_of(key);
      if (receivers.count(name) != 0) continue;
      changes.push_back(Change::remove(Table::notifications, key));
      if (!key.starts_with("queue/")) continue;
      base::log::warn("a notification is dropped: its receiver is not configured any more", {{"receiver", name}});
      result(name, "dropped", "its receiver is not configured any more");
    }
    if (!changes.empty()) write(std::move(changes));
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
    if (kept.count(name) == 0) gone.push_back(name);
  for (const std::string& name : gone) rep_->remove(name);
  for (ReceiverSpec& spec : specs) {
    const auto found = rep_->receivers.find(spec.name);
    if (found == rep_->receivers.end()) {
      rep_->add(std::move(spec));
      continue;
    }
    Rep::Receiver& r = found->second;
    r.outbox->use(spec.notifier.get(), spec.timeout);
    r.spec = std::move(spec);
    std::vector<std::string> keys;
    for (const auto& [key, w] : r.groups) keys.push_back(key);
    for (const std::string& key : keys) rep_->arm(r, key);
  }
  rep_->sweep();
}

void Notifications::on_transitions(const std::vector<model::AlertTransition>& transitions) {
  std::vector<const model::Alert*> told;
  for (const model::AlertTransition& t : transitions) {
    if (t.alert.state == model::AlertState::firing) rep_->firing.insert_or_assign(t.alert.labels, t.alert);
    else if (t.from == model::AlertState::firing) rep_->firing.erase(t.alert.labels);
    else continue;  // pending is nobody's business yet
    told.push_back(&t.alert);
  }
  for (auto& [name, receiver] : rep_->receivers) {
    std::set<std::string> touched;
    for (const model::Alert* alert : told) rep_->change(receiver, *alert, touched);
    for (const std::string& key : touched) rep_->flush_or_wait(receiver, key);
  }
}

void Notifications::on_recovery(const model::RecoveryReport& report) {
  auto& list = rep_->recoveries[report.service];
  const auto known = std::find_if(list.begin(), list.end(), [&](const auto& r) { return r.id == report.id; });
  if (known != list.end()) *known = report;
  else list.push_front(report);
  if (list.size() > kRecoveriesPerService) list.pop_back();
  if (!report.ended || report.state == "aborted") return;
  for (auto& [name, receiver] : rep_->receivers) {
    if (!receiver.spec.notifier->tells_recoveries()) continue;
    std::vector<std::string> keys;
    for (const auto& [key, w] : receiver.groups) {
      const auto& alerts = w.group.alerts;
      const bool concerned = std::any_of(alerts.begin(), alerts.end(), [&](const auto& entry) {
        const model::Alert& a = entry.second;
        return a.state == model::AlertState::firing || a.resolved_at.value_or(a.active_at) >= report.started;
      });
      if (w.group.labels.get("service") == report.service && w.group.told() && concerned) keys.push_back(key);
    }
    for (const std::string& key : keys) rep_->flush(receiver, key, Cause::recovery_ended);
  }
}

void Notifications::page(const std::string& service, const std::string& text) {
  model::Alert alert;
  alert.labels = model::Labels{{"alertname", kPage}, {"service", service}, {"severity", "page"}};
  alert.annotations = model::Labels{{"summary", text}};
  alert.state = model::AlertState::firing;
  alert.value = 1;
  alert.active_at = rep_->context.scheduler.wall_now();
  alert.fired_at = alert.active_at;
  const model::Labels labels = rep_->outward(alert);
  const auto wanted = [&](const auto& entry) { return matches(entry.second.spec, labels); };
  // A page that matches nobody goes to everybody: it is too important for a routing mistake.
  const bool any = std::any_of(rep_->receivers.begin(), rep_->receivers.end(), wanted);
  for (auto& entry : rep_->receivers)
    if (!any || wanted(entry)) rep_->page(entry.second, alert);
  if (rep_->receivers.empty())
    base::log::error("a page reaches nobody: no receiver is configured", {{"service", service}, {"text", text}});
}

void Notifications::on_silences() {
  for (auto& [name, receiver] : rep_->receivers) {
    std::vector<std::string> concerned;
    for (const auto& [key, w] : receiver.groups)
      if (w.group.silenced != rep_->silenced_in(w.group)) concerned.push_back(key);
    for (const std::string& key : concerned) rep_->flush_or_wait(receiver, key);
  }
}

std::vector<ReceiverStatus> Notifications::statuses() const {
  std::vector<ReceiverStatus> out;
  for (const auto& [name, receiver] : rep_->receivers)
    out.push_back({name, receiver.spec.notifier->type(), receiver.outbox->size(), receiver.outbox->last_error(),
                   receiver.outbox->last_sent()});
  return out;
}

}  // namespace notify
