// A history of alerts through our routes on a fake clock: which messages come when, and what stands in them. On
// standard input a JSON object: config (as in fettle.yml), base_ms (the wall clock at the beginning), end_ms, and
// events with at_ms, labels, annotations and firing. On standard output a line for each message: at_ms and the body.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "fakes/fake_loop.h"
#include "fakes/fake_state.h"
#include "fakes/notify_configuration.h"
#include "fakes/probe_world.h"
#include "model/json.h"
#include "notify/notifications.h"

namespace {

using nlohmann::json;

// Everything is taken at once.
class Desk final : public http::HttpClient {
 public:
  Desk(fakes::FakeLoop& loop, base::WallTime begin) : loop_(loop), begin_(begin) {}

  loop::Handle request(http::HttpRequest request, std::function<void(http::HttpResponse)> done) override {
    const auto at = std::chrono::duration_cast<base::Millis>(loop_.wall_now() - begin_).count();
    std::cout << fmt::format(R"({{"at_ms":{},"body":{}}})", at, request.body) << '\n';
    return loop_.after({}, [done = std::move(done)] {
      http::HttpResponse response;
      response.status = 200;
      done(std::move(response));
    });
  }

 private:
  fakes::FakeLoop& loop_;
  base::WallTime begin_;
};

model::Labels labels_of(const json& in) {
  std::vector<model::Label> out;
  for (const auto& [name, value] : in.items()) out.push_back({name, value.get_ref<const std::string&>()});
  return model::Labels(std::move(out));
}

int run(const json& in) {
  const base::WallTime begin = base::wall_from_ms(in.at("base_ms").get<std::int64_t>());
  fakes::FakeLoop loop(begin);
  Desk http(loop, begin);
  fakes::FakeSpawner spawner(loop);
  fakes::FakeDialer dialer(loop);
  fakes::FakeState state(loop);
  config::Errors errors;
  auto configuration = fakes::notify_configuration(in.at("config").get<std::string>(), errors);
  if (!errors.empty()) {
    std::cerr << errors.text();
    return 1;
  }
  notify::Notifications notifications({"node", in.at("external_url").get<std::string>(), {}, base::Random(1), nullptr},
                                      notify::Context{loop, http, spawner, dialer}, state, {});
  notifications.replace(std::move(configuration));
  notifications.settle({});
  loop.run_due();
  std::map<model::Labels, model::Alert> known;
  for (const json& event : in.at("events")) {
    const base::WallTime at = begin + base::Millis{event.at("at_ms").get<std::int64_t>()};
    loop.advance(std::max<base::Duration>(at - loop.wall_now(), base::Duration{}));
    model::Alert& alert = known[labels_of(event.at("labels"))];
    const model::AlertState from = alert.state;
    if (event.at("firing").get<bool>()) {
      alert.labels = labels_of(event.at("labels"));
      alert.annotations = labels_of(event.at("annotations"));
      alert.state = model::AlertState::firing;
      alert.active_at = at;
      alert.fired_at = at;
    } else {
      alert.state = model::AlertState::inactive;
      alert.resolved_at = at;
    }
    notifications.on_transitions({{alert, from, at}});
  }
  const base::WallTime end = begin + base::Millis{in.at("end_ms").get<std::int64_t>()};
  loop.advance(std::max<base::Duration>(end - loop.wall_now(), base::Duration{}));
  return 0;
}

}  // namespace

int main() {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  try {
    return run(json::parse(text));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
