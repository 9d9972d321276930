#include "cluster/fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "loop/scheduler.h"

namespace cluster {

using namespace std::chrono_literals;

struct Fleet::Own {
  std::string service;
  GroupSettings group;
  Member member;
  std::string said;  // as the store has it
  std::string said_lease;
  bool refused = false;  // the entry of this service belongs to another lease
  bool told = false;     // people have heard of its fault
  loop::Handle pending;
};

struct Fleet::Slot {
  std::uint64_t number = 0;
  std::string key;  // "": nothing is known to be taken
  bool held = false;
  bool alone = false;  // by the local budget
  bool reboots = false;
  bool of_rollout = false;
  bool asks_once = false;  // who is refused does not wait
  std::unique_ptr<Acquisition> acquisition;
  std::function<void(SlotReply)> done;
  std::function<void(Judgement)> lost;
};

// While it lives, who asked hears of the slot.
class Fleet::Asked final : public loop::Registration {
 public:
  Asked(Fleet& fleet, std::string service, std::uint64_t number)
      : fleet_(fleet), alive_(fleet.alive_), service_(std::move(service)), number_(number) {}
  ~Asked() override {
    if (alive_.expired()) return;
    const auto found = fleet_.slots_.find(service_);
    if (found == fleet_.slots_.end() || found->second->number != number_) return;
    found->second->done = nullptr;
    found->second->lost = nullptr;
  }

 private:
  Fleet& fleet_;
  std::weak_ptr<bool> alive_;
  std::string service_;
  std::uint64_t number_;
};

Fleet::Fleet(loop::Scheduler& scheduler, BootClock clock, base::Random random, std::unique_ptr<Store> store,
             FleetOptions options, FleetCallbacks callbacks)
    : scheduler_(scheduler),
      clock_(std::move(clock)),
      random_(random),
      store_(std::move(store)),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      lease_since_(scheduler.wall_now()),
      held_lease_(options_.lease) {
  lease_ = std::make_unique<Lease>(
      scheduler_, clock_, *store_, options_.ttl,
      Lease::Callbacks{[this] { lease_held(); }, [this](const std::string& why) { lease_lost(why); },
                       [this] { lease_troubled(); }});
  lease_->begin(options_.lease);
}

Fleet::~Fleet() = default;

// ---- who we are

void Fleet::replace(const std::vector<FleetService>& services) {
  std::set<std::string> kept, groups;
  for (const FleetService& each : services) {
    if (each.group.group.empty()) continue;
    kept.insert(each.service);
    groups.insert(each.group.group);
    std::unique_ptr<Own>& own = own_[each.service];
    if (own && own->group.group != each.group.group) {
      give_back(each.service, member_key(own->group.group, own->member.who), clock_());
      own->said.clear();
    }
    if (!own) {
      own = std::make_unique<Own>();
      own->service = each.service;
      own->member.who = {options_.node, each.service};
      own->member.since = scheduler_.wall_now();
    }
    own->group = each.group;
  }
  std::erase_if(own_, [&](const auto& entry) {
    if (kept.contains(entry.first)) return false;
    give_back(entry.first, member_key(entry.second->group.group, entry.second->member.who), clock_());
    return true;
  });
  std::erase_if(groups_, [&](const auto& entry) { return !groups.contains(entry.first); });
  std::erase_if(pagers_, [&](const auto& entry) {
    if (groups.contains(entry.first)) return false;
    give_back("", pager_key(entry.first), clock_());  // the store refuses it if it is not ours
    return true;
  });
  for (const std::string& name : groups)
    if (!groups_.contains(name)) {
      to_give_back_.erase(pager_key(name));
      pagers_[name] = std::make_unique<PanicPager>(scheduler_, random_, *store_, *lease_, name);
      groups_[name] = std::make_unique<WatchedGroup>(scheduler_, random_, *store_, name,
                                                     [this, name] { group_read(*groups_.at(name)); });
    }
  for (auto& [service, own] : own_) publish(*own);
}

void Fleet::on_health(const std::string& service, model::Health health, base::WallTime since) {
  const auto found = own_.find(service);
  if (found == own_.end() || found->second->member.health == health) return;
  found->second->member.health = health;
  found->second->member.since = since;
  if (health == model::Health::up) found->second->member.waits_since = {};
  publish(*found->second);
  look_at_panic(found->second->group.group);
}

// Says how the service is, if that is not what the store has.
void Fleet::publish(Own& own) {
  if (own.pending || !lease_->holds()) return;  // what is under way looks once more
  own.member.lease = lease_->id();
  const std::string value = member_value(own.member);
  if (own.said == value && own.said_lease == lease_->id()) return;
  to_give_back_.erase(member_key(own.group.group, own.member.who));
  own.pending = store_->take(member_key(own.group.group, own.member.who), value, lease_->id(),
                             [this, &own, value, lease = lease_->id()](const Answer<std::uint64_t>& answer) {
                               const bool good = answer.kind == Answered::yes;
                               if (good) own.said = value, own.said_lease = lease;
                               const bool refused = answer.kind == Answered::no;
                               if (refused && !std::exchange(own.refused, refused))
                                 base::log::warn(
                                     "the fleet does not hear of a service: another lease speaks for it; "
                                     "it may be that of this agent before its start, or another agent of "
                                     "this name",
                                     {{"service", own.service}, {"node", options_.node}});
                               own.refused = refused;
                               const base::Duration pause = good ? 0ms : 2s + base::Millis(random_.below(2000));
                               own.pending = scheduler_.after(pause, [this, &own] {
                                 own.pending.reset();
                                 publish(own);
                               });
                             });
}

// Slots of our lease without a request here are released: the answer of their request was not awaited, or they are of
// the agent before this one, whose run may still ask for them.
void Fleet::group_read(const WatchedGroup& group) {
  for (const Holder& holder : group.group().holders) {
    const std::string key = slot_key(group.name(), holder.slot);
    if (holder.lease != lease_->id() || to_give_back_.contains(key)) continue;
    const auto slot = slots_.find(holder.who.service);
    if (slot == slots_.end() || (!slot->second->acquisition && slot->second->key != key))
      give_back(holder.who.service, key, clock_() + options_.ttl);
  }
  look_at_panic(group.name());
  callbacks_.changed();
}

// ---- who tells people of a panic

void Fleet::look_at_panic(const std::string& group) {
  const auto watched = groups_.find(group);
  if (watched == groups_.end() || !watched->second->known() || !lease_->holds()) return;
  const Own* any = nullptr;
  const Own* down = nullptr;  // the first one, or the one that people have heard of
  for (const auto& [service, own] : own_) {
    if (own->group.group != group) continue;
    any = own.get();
    if (own->member.health == model::Health::down && (down == nullptr || (own->told && !down->told))) down = own.get();
  }
  if (any == nullptr) return;
  const Group& known = watched->second->group();
  // The one that tells already goes on.
  if (known.pager && known.pager->who.node == options_.node)
    if (const auto own = own_.find(known.pager->who.service);
        own != own_.end() && own->second->member.health == model::Health::down)
      down = own->second.get();
  pagers_.at(group)->look(judge_panic(any->group, known), known,
                          down == nullptr ? std::nullopt : std::optional(down->member.who),
                          down != nullptr && down->told);
}

void Fleet::told(const std::string& service, bool told) {
  const auto found = own_.find(service);
  if (found == own_.end() || std::exchange(found->second->told, told) == told) return;
  look_at_panic(found->second->group.group);
}

std::optional<GroupFault> Fleet::fault(const std::string& service) const {
  const auto found = own_.find(service);
  if (found == own_.end() || !lease_->holds() || found->second->member.health != model::Health::down)
    return std::nullopt;
  const auto pager = pagers_.find(found->second->group.group);
  return pager == pagers_.end() ? std::nullopt : pager->second->fault(found->second->member.who);
}

const WatchedGroup* Fleet::group_of(const Own& own) const {
  const auto found = groups_.find(own.group.group);
  return found == groups_.end() ? nullptr : found->second.get();
}

// ---- the lease

void Fleet::lease_held() {
  lease_since_ = scheduler_.wall_now();
  if (std::exchange(troubled_, false)) joined_surely_ = scheduler_.now() + kRejoin;
  if (std::exchange(held_lease_, lease_->id()) != lease_->id()) to_give_back_.clear();  // all went with the old one
  callbacks_.keep_lease(lease_->id());
  base::log::info("the agent is in its fleet", {{"store", store_->name()}});
  for (auto& [service, own] : own_) publish(*own);
  try_give_back();
  callbacks_.changed();
}

void Fleet::lease_troubled() {
  if (lease_->trouble().empty()) {
    for (auto& [name, group] : groups_) group->hurry();
  } else if (!lease_->holds()) troubled_ = true;
  callbacks_.changed();
}

// A store that was away has forgotten who is in the fleet: all join again, and who is first sees a group of one.
std::optional<std::string> Fleet::bar_after_trouble() const {
  if (scheduler_.now() >= joined_surely_) return std::nullopt;
  const auto left = std::chrono::ceil<std::chrono::seconds>(joined_surely_ - scheduler_.now());
  return fmt::format("{} was away, and the other agents have {} more to join", store_->name(),
                     base::format_duration(left));
}

// What was ours may still be so in the store; it is given back when what we have begun must be over.
void Fleet::lease_lost(const std::string& why) {
  lease_since_ = scheduler_.wall_now();
  troubled_ = true;
  base::log::warn("the agent is out of its fleet", {{"store", store_->name()}, {"why", why}});
  std::vector<std::function<void()>> told;
  for (auto& [service, slot] : slots_) {
    if (!slot->held || slot->alone) continue;
    give_back(service, slot->key, clock_() + options_.ttl / 3);
    slot->held = false;
    slot->key.clear();
    if (slot->lost) told.push_back([lost = slot->lost, why] { lost({Brake::unknown, false, why}); });
  }
  for (const auto& tell : told) tell();
  callbacks_.changed();
}

void Fleet::leave(const std::string& why) { lease_lost(why); }

// A timer sleeps when the machine does.
void Fleet::watch_lease() {
  const bool any = std::any_of(slots_.begin(), slots_.end(), [](const auto& entry) { return entry.second->held; });
  if (!any) return second_.reset();
  second_ = scheduler_.after(1s, [this] {
    lease_->look();
    watch_lease();
  });
}

// ---- slots

loop::Handle Fleet::acquire(const SlotWish& wish, std::function<void(SlotReply)> done,
                            std::function<void(Judgement)> lost) {
  // What was not begun to be given back is found again.
  std::erase_if(to_give_back_, [&](const auto& entry) {
    return entry.second.service == wish.service && entry.second.from > clock_();
  });
  std::unique_ptr<Slot>& slot = slots_[wish.service];
  slot = std::make_unique<Slot>();
  slot->number = ++last_;
  slot->reboots = wish.reboots;
  slot->of_rollout = wish.of_rollout;
  slot->asks_once = wish.by_person || wish.of_rollout;
  slot->done = std::move(done);
  slot->lost = std::move(lost);
  Own& own = *own_.at(wish.service);
  if (own.member.waits_since == base::WallTime{}) own.member.waits_since = scheduler_.wall_now();
  publish(own);
  slot->acquisition = std::make_unique<Acquisition>(
      scheduler_, random_, *store_, *lease_,
      Wish{own.member.who, own.group, wish.recovery, wish.by_person, wish.deadline},
      [this, service = wish.service] { return !gives_back(service) && !bar_after_trouble(); },
      [this, group = own.group.group](const Reading& reading) {
        if (const auto found = groups_.find(group); found != groups_.end()) found->second->know(reading);
      },
      [this, service = wish.service](Acquired acquired) { on_acquired(service, std::move(acquired)); });
  return loop::Handle(std::make_unique<Asked>(*this, wish.service, slot->number));
}

void Fleet::on_acquired(const std::string& service, Acquired acquired) {
  Slot& slot = *slots_.at(service);
  const auto over = std::move(slot.acquisition);  // which calls this
  SlotReply reply{acquired.kind, std::move(acquired.why), acquired.fence};
  slot.key = std::move(acquired.key);
  slot.held = acquired.kind == Answered::yes;
  if (acquired.kind == Answered::unknown) {
    if (const auto bar = bar_to_acting_alone(service, &slot)) reply.why.text += "; " + *bar;
    else {
      acted_alone_ = scheduler_.now();
      slot.held = slot.alone = true;
      reply = {Answered::yes, {Brake::unknown, true, reply.why.text + "; by the local budget"}, 0};
      base::log::warn("a recovery begins without the fleet: the store does not answer, and all was well when it did",
                      {{"service", service}, {"store", store_->name()}});
    }
  }
  if (acquired.kind != Answered::yes) give_back(service, std::exchange(slot.key, ""), clock_());
  if (slot.held || slot.asks_once) stop_waiting(service);
  watch_lease();
  if (const auto done = slot.done) done(std::move(reply));
}

void Fleet::release(const std::string& service) {
  const auto found = slots_.find(service);
  if (found == slots_.end()) return;
  const std::unique_ptr<Slot> slot = std::move(found->second);
  slots_.erase(found);
  if (slot->held || slot->asks_once) stop_waiting(service);
  give_back(service, slot->acquisition ? slot->acquisition->asked() : slot->key, clock_());
}

void Fleet::stop_waiting(const std::string& service) {
  const auto own = own_.find(service);
  if (own == own_.end()) return;
  own->second->member.waits_since = {};
  publish(*own->second);
}

void Fleet::give_back(const std::string& service, const std::string& key, BootTime from) {
  if (key.empty()) return;
  to_give_back_[key] = {service, from};
  if (!giving_back_) next_give_back_ = scheduler_.after(0s, [this] { try_give_back(); });
}

bool Fleet::gives_back(const std::string& service) const {
  return std::any_of(to_give_back_.begin(), to_give_back_.end(),
                     [&](const auto& entry) { return entry.second.service == service; });
}

void Fleet::try_give_back() {
  if (giving_back_ || to_give_back_.empty() || lease_->id().empty()) return;
  const auto due = std::find_if(to_give_back_.begin(), to_give_back_.end(),
                                [now = clock_()](const auto& entry) { return entry.second.from <= now; });
  if (due == to_give_back_.end()) {
    next_give_back_ = scheduler_.after(500ms, [this] { try_give_back(); });
    return;
  }
  giving_back_ = store_->drop(due->first, lease_->id(), [this, key = due->first](const Answer<Nothing>& answer) {
    giving_back_.reset();
    if (answer.kind != Answered::unknown) to_give_back_.erase(key);
    next_give_back_ = scheduler_.after(answer.kind == Answered::unknown ? 1s : 0s, [this] { try_give_back(); });
  });
}

// ---- what is known without asking

std::optional<std::string> Fleet::bar_to_acting_alone(const std::string& service, const Slot* wanted) const {
  const auto own = own_.find(service);
  const WatchedGroup* group = own == own_.end() ? nullptr : group_of(*own->second);
  if (!store_->locks()) return "without a majority of the agents nothing is done";
  if (auto bar = bar_after_trouble()) return bar;
  if (wanted != nullptr && wanted->reboots) return "a node is not rebooted without the fleet";
  if (wanted != nullptr && wanted->of_rollout) return "a rollout does not go on without the fleet";
  if (group == nullptr || !group->known()) return "this agent has never seen the group";
  if (!is_whole(group->group(), own->second->member.who)) return "when it last did, others were not up, or were acting";
  for (const Judgement& each : judge(own->second->group, group->group(), own->second->member.who))
    if (!each.open) return "when it last did: " + each.text;
  if (acted_alone_ && scheduler_.now() - *acted_alone_ < kAloneEvery)
    return fmt::format("a recovery was begun without it within the last {} minutes", kAloneEvery.count());
  return std::nullopt;
}

std::vector<Judgement> Fleet::seen(const std::string& service) const {
  const Own& own = *own_.at(service);
  const WatchedGroup* group = group_of(own);
  if (const auto bar = bar_after_trouble(); bar && lease_->holds()) return {{Brake::unknown, false, *bar}};
  if (lease_->holds() && group != nullptr && group->known()) {
    std::vector<Judgement> all{{Brake::unknown, true, store_->name() + " answers"}};
    for (Judgement& each : judge(own.group, group->group(), own.member.who)) all.push_back(std::move(each));
    return all;
  }
  std::string why = lease_->holds() ? "the group was not read yet" : lease_->trouble();
  if (why.empty()) why = fmt::format("{} has not answered yet", store_->name());
  const auto bar = bar_to_acting_alone(service, nullptr);
  return {{Brake::unknown, !bar, why + "; " + bar.value_or("one recovery may begin by the local budget")}};
}

// ---- rollouts

const Group* Fleet::group(const std::string& name) const {
  const auto found = groups_.find(name);
  return found == groups_.end() || !found->second->known() ? nullptr : &found->second->group();
}

std::vector<std::string> Fleet::groups() const {
  std::vector<std::string> out;
  for (const auto& [name, group] : groups_) out.push_back(name);
  return out;
}

std::vector<Identity> Fleet::own_members(const std::string& group) const {
  std::vector<Identity> out;
  for (const auto& [service, own] : own_)
    if (own->group.group == group) out.push_back(own->member.who);
  return out;
}

const GroupSettings* Fleet::settings(const std::string& service) const {
  const auto found = own_.find(service);
  return found == own_.end() ? nullptr : &found->second->group;
}

void Fleet::write(const std::string& group, const Rollout& rollout, std::function<void(Answer<Nothing>)> done) {
  const WatchedGroup& watched = *groups_.at(group);
  writing_[group] = store_->write(rollout_key(group), rollout_value(rollout), watched.group().rollout_revision,
                                  [this, group, done = std::move(done)](const Answer<Nothing>& answer) {
                                    if (const auto found = groups_.find(group); found != groups_.end())
                                      found->second->refresh();
                                    done(answer);
                                  });
}

FleetView Fleet::view() const {
  FleetView out{store_->name(), lease_->trouble(), lease_->holds(), lease_since_, {}};
  for (const auto& [name, group] : groups_) out.groups.push_back({name, group->known(), group->group()});
  for (FleetGroupView& group : out.groups)
    for (const auto& [service, own] : own_) {
      if (own->group.group != group.name) continue;
      if (const Judgement panic = judge_panic(own->group, group.group); !panic.open) group.panic = panic.text;
    }
  if (!store_->locks())
    for (FleetGroupView& group : out.groups)
      for (Holder& holder : group.group.holders) holder.fence = 0;
  return out;
}

}  // namespace cluster
