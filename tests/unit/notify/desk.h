// Notifications with a fake network, disk and clock, and what a test says to them.
#pragma once

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "fakes/fake_loop.h"
#include "fakes/fake_state.h"
#include "fakes/notify_configuration.h"
#include "fakes/probe_world.h"
#include "model/matcher_text.h"
#include "notify/notifications.h"

using model::AlertState;
using nlohmann::json;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Fixture {
  fakes::FakeLoop loop;
  fakes::FakeHttp http{loop};
  fakes::FakeSpawner spawner{loop};
  fakes::FakeDialer dialer{loop};
  fakes::FakeState state{loop};
  std::vector<std::string> results, drops;
  enum class Hears { alerts, as_configured } hears = Hears::alerts;
  std::vector<std::string> queued_and_left;     // "inc_1 ops page queued", and what became of it: "msg_… sent"
  std::map<model::Labels, model::Alert> known;  // to the rules
  std::string rest;                             // of the configuration: "route: {...}\n"
  std::unique_ptr<notify::Silences> silences;
  std::unique_ptr<notify::Notifications> notifications;

  explicit Fixture(const std::string& receiver = "{name: ops, webhook_configs: [{url: \"http://h/\"}]}") {
    start(receiver);
  }

  Fixture(std::string rest_of_configuration, const std::string& receivers) : rest(std::move(rest_of_configuration)) {
    start(receivers);
  }

  void start(const std::string& receivers, std::uint64_t seed = 1) {
    notifications.reset();
    silences = std::make_unique<notify::Silences>(state, loop, seed);
    silences->on_change([this] {
      notifications->on_silences();
      loop.run_due();
    });
    notify::Callbacks callbacks;
    callbacks.on_result = [this](const std::string& receiver, const std::string&, notify::SendResult result) {
      results.push_back(receiver + " " + std::string(to_string(result)));
    };
    callbacks.on_dropped = [this](const std::string& receiver, notify::DropReason reason, std::size_t messages) {
      drops.push_back(receiver + " " + std::string(to_string(reason)) + " " + std::to_string(messages));
    };
    callbacks.on_message = [this](const std::string& incident, const model::IncidentMessage& m) {
      queued_and_left.push_back(incident + " " + m.receiver + " " + m.kind + " " + m.fate);
    };
    callbacks.on_fate = [this](const std::string&, std::string_view fate) { queued_and_left.emplace_back(fate); };
    notifications = std::make_unique<notify::Notifications>(
        notify::Options{"node1", "http://node1:10911", {}, base::Random(seed), silences.get()},
        notify::Context{loop, http, spawner, dialer}, state, callbacks);
    replace(receivers);
    notifications->settle(known);
    loop.run_due();
  }
  void use(const std::string& receivers) {
    replace(receivers);
    loop.run_due();
  }
  void replace(const std::string& receivers) {
    config::Errors errors;
    auto configuration = fakes::notify_configuration("receivers: [" + receivers + "]\n" + rest, errors);
    // What is about alerts and groups is shown by those who hear all of them.
    if (hears == Hears::alerts)
      for (notify::ReceiverSpec& spec : configuration.receivers) spec.tell = notify::Tell::all;
    REQUIRE(errors.text() == "");
    notifications->replace(std::move(configuration));
  }
  void tell(const std::string& name, AlertState to = AlertState::firing, const std::string& instance = "i1",
            const std::string& service = "order") {
    model::AlertTransition t = transition(name, to, instance, service);
    known.insert_or_assign(t.alert.labels, t.alert);
    notifications->on_transitions({t});
    loop.run_due();
  }
  model::AlertTransition transition(const std::string& name, AlertState to, const std::string& instance = "i1",
                                    const std::string& service = "order") const {
    model::AlertTransition t;
    t.alert.labels =
        model::Labels{{"alertname", name}, {"service", service}, {"instance", instance}, {"severity", "page"}};
    t.alert.state = to;
    t.at = loop.wall_now();
    t.alert.active_at = to == AlertState::firing ? t.at : base::wall_from_ms(1'700'000'000'000);
    t.alert.fired_at = t.alert.active_at;
    if (to == AlertState::inactive) t.alert.resolved_at = t.at;
    t.from = to == AlertState::firing ? AlertState::pending : AlertState::firing;
    return t;
  }
  // The id of the new silence.
  std::string silence(const std::string& matchers, base::Millis length = std::chrono::hours{1}) {
    model::SilenceRequest request;
    request.matchers = *model::parse_matchers(matchers);
    request.comment = "INC-7";
    request.length = length;
    std::string out;
    silences->add(request, [&](base::Result<std::string> id) { out = id ? *id : id.error().text; });
    loop.run_due();
    return out;
  }
  void expire(const std::string& id) {
    silences->expire(id, [](const base::Result<>& done) { CHECK(done); });
    loop.run_due();
  }
  void answer(int status) {
    http::HttpResponse response;
    response.status = status;
    http.desk.answer(std::move(response));
  }
  std::size_t sent() const { return http.desk.asked().size(); }
  std::string header(const std::string& name, std::size_t request) const {
    const http::HttpRequest& asked = http.desk.asked().at(request);
    for (const http::Headers* headers : {&asked.headers, &asked.private_headers})
      for (const auto& [key, value] : *headers)
        if (key == name) return value;
    return "";
  }
  std::string header(const std::string& name) const { return header(name, sent() - 1); }
  json body() const { return json::parse(http.desk.last().body); }
  std::size_t queued() const {
    std::size_t n = 0;
    const auto found = state.durable().find(state::Table::notifications);
    if (found == state.durable().end()) return 0;
    for (const auto& [key, record] : found->second) n += key.starts_with("queue/") ? 1 : 0;
    return n;
  }
};

const char* const kAlertmanagers = "{name: am, alertmanager_configs: [{urls: [\"http://a/\", \"http://b\"]}]}";

}  // namespace
