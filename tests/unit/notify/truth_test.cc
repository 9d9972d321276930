// Whatever a receiver answers and whenever the agent dies: in the end the receiver knows what is true. It drops a
// message whose id it knows, as Standard Webhooks tells receivers to.
#include <fmt/format.h>

#include <array>
#include <set>

#include "base/log.h"
#include "desk.h"
#include "notify/outbox.h"

namespace {

// What a receiver was told, alert by alert.
struct Listener {
  struct Seen {
    bool firing = false;
    std::string at;  // when that began
  };
  std::map<std::string, std::string> bodies;  // by id
  std::map<std::string, Seen> alerts;
  std::set<std::string> starts;  // name and startsAt of all that was told as firing
  std::vector<std::string> mistakes;

  void take(const http::HttpRequest& request) {
    std::string id;
    for (const auto& [key, value] : request.headers)
      if (key == "webhook-id") id = value;
    const auto [known, fresh] = bodies.emplace(id, request.body);
    if (!fresh) {
      if (known->second != request.body) mistakes.push_back("one id, two bodies: " + id);
      return;
    }
    const json body = json::parse(request.body);
    for (const json& alert : body["alerts"]) {
      const std::string name =
          alert["labels"]["service"].get<std::string>() + "/" + alert["labels"]["instance"].get<std::string>();
      const bool firing = alert["status"] == "firing";
      std::string at = firing ? alert["startsAt"] : alert["endsAt"];
      at.pop_back();  // the Z: so that texts compare as times do
      const auto before = alerts.find(name);
      const std::string start = alert["startsAt"];
      if (firing) starts.insert(name + start);
      else if (!starts.contains(name + start))
        mistakes.push_back(fmt::format("resolved, never told that it fires: {} since {}", name, start));
      if (before != alerts.end() && at < before->second.at)
        mistakes.push_back(fmt::format("out of order: {} {} {} after {}", name, firing, at, before->second.at));
      alerts[name] = {firing, at};
    }
  }
};

// The world, the rules that see it, the agent's disk and the network.
struct Life {
  explicit Life(std::uint64_t seed) : random(seed), state(std::make_unique<fakes::FakeState>(loop)) { start(); }

  static std::string name(int i) { return "s" + std::to_string(i / 2) + "/i" + std::to_string(i % 2); }

  void start() {
    agent.reset();
    state->dead = true;
    graves.push_back(std::move(state));  // the loop may still call it
    state = std::make_unique<fakes::FakeState>(loop, graves.back()->durable());
    notify::Options options{"node1", "", {}, base::Random(random.next()), nullptr};
    agent = std::make_unique<notify::Notifications>(std::move(options), notify::Context{loop, http, spawner, dialer},
                                                    *state, notify::Callbacks{});
    config::Errors errors;
    agent->replace(fakes::notify_configuration(
        "receivers: [{name: ops, tell: all, webhook_configs: [{url: \"http://h/\"}]}]", errors));
    std::map<model::Labels, model::Alert> known;
    for (int i = 0; i < kAlerts; ++i) {
      rules[i] = std::nullopt;
      const auto& durable = state->read(state::Table::alerts);
      const auto found = durable.find(name(i));
      if (found == durable.end()) continue;
      const json record = json::parse(found->second);
      rules[i] = alert(i, record["firing"], base::wall_from_ms(record["since"]), base::wall_from_ms(record["at"]));
      known.emplace(rules[i]->labels, *rules[i]);
    }
    agent->settle(known);
    evaluate();
  }

  static model::Alert alert(int i, bool firing, base::WallTime since, base::WallTime at) {
    model::Alert out;
    out.labels = model::Labels{
        {"alertname", "Down"}, {"service", "s" + std::to_string(i / 2)}, {"instance", "i" + std::to_string(i % 2)}};
    out.state = firing ? AlertState::firing : AlertState::inactive;
    out.active_at = since;
    out.fired_at = since;
    if (!firing) out.resolved_at = at;
    return out;
  }

  // As rules do it: first their record, then the news.
  void evaluate() {
    for (int i = 0; i < kAlerts; ++i) {
      const bool firing = rules[i] && rules[i]->state == AlertState::firing;
      if (firing == down[i]) continue;
      loop.advance(std::chrono::milliseconds{1});
      model::AlertTransition t;
      t.alert = alert(i, down[i], firing ? *rules[i]->fired_at : loop.wall_now(), loop.wall_now());
      t.from = firing ? AlertState::firing : AlertState::pending;
      rules[i] = t.alert;
      state->commit(
          {state::Change::put(
              state::Table::alerts, name(i),
              json{{"firing", down[i]}, {"since", base::to_ms(*t.alert.fired_at)}, {"at", base::to_ms(loop.wall_now())}}
                  .dump())},
          [](base::Result<>) {});
      agent->on_transitions({t});
    }
    loop.run_due();
  }

  void answer(int kind) {
    if (http.desk.waiting() == 0) return;
    http::HttpResponse response;
    const http::HttpRequest request = http.desk.oldest();
    const int statuses[] = {200, 200, 400, 401, 404, 413, 429, 500, 503};
    if (kind < 9) {
      response.status = statuses[kind];
      if (response.status == 200) listener.take(request);
    } else {
      const model::Reason reasons[] = {model::Reason::reset, model::Reason::read_timeout, model::Reason::refused,
                                       model::Reason::closed_early};
      response.reason = reasons[kind - 9];
      // Taken, and then the answer was lost.
      if (response.reason != model::Reason::refused && random.below(2) == 0) listener.take(request);
    }
    http.desk.answer(std::move(response));
  }

  // The disk is slow, and not dead: what is told without it is forgotten by a crash, and told again in another order.
  void pass(base::Duration time) {
    if (state->held && loop.now() + time >= held_since + notify::Outbox::kDiskPatience) {
      state->held = false;
      state->sync();
    }
    loop.advance(time);
  }

  void step() {
    switch (random.below(8)) {
      case 0:
      case 1:
        down[random.below(kAlerts)] ^= true;
        evaluate();
        break;
      case 2: pass(std::chrono::milliseconds{random.below(20'000)}); break;
      case 3:
        if (random.below(4) == 0) {
          state->held = !state->held;
          held_since = loop.now();
        }
        if (!state->held) state->sync();
        loop.run_due();
        break;
      case 4:
        if (random.below(4) == 0) {
          while (http.desk.waiting() != 0 && random.below(2) == 0) listener.take(http.desk.oldest()), answer(9);
          start();
        }
        break;
      default: answer(static_cast<int>(random.below(13)));
    }
  }

  void settle() {
    state->held = false;
    state->sync();
    for (int i = 0; i < 300; ++i) {
      loop.advance(seconds{10});
      while (http.desk.waiting() != 0) answer(0);
    }
  }

  static constexpr int kAlerts = 8;
  base::Random random;
  fakes::FakeLoop loop;
  fakes::FakeHttp http{loop};
  fakes::FakeSpawner spawner{loop};
  fakes::FakeDialer dialer{loop};
  base::Instant held_since{};  // meaningful while it is held
  std::unique_ptr<fakes::FakeState> state;
  std::vector<std::unique_ptr<fakes::FakeState>> graves;
  std::unique_ptr<notify::Notifications> agent;
  std::array<std::optional<model::Alert>, kAlerts> rules;
  std::array<bool, kAlerts> down{};
  Listener listener;
};

}  // namespace

TEST_CASE("in the end the receiver knows what is true, whatever it answers and whenever the agent is killed") {
  base::log::configure(base::log::Level::error, base::log::Format::logfmt);
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    Life life(seed);
    for (int i = 0; i < 400; ++i) life.step();
    life.settle();
    for (int i = 0; i < Life::kAlerts; ++i) {
      CAPTURE(i);
      const auto seen = life.listener.alerts.find(Life::name(i));
      CHECK((seen != life.listener.alerts.end() && seen->second.firing) == life.down[i]);
    }
    CHECK(fmt::format("{}", fmt::join(life.listener.mistakes, "\n")) == "");
    CHECK(life.agent->statuses()[0].waiting == 0);
  }
  base::log::configure(base::log::Level::info, base::log::Format::logfmt);
}
