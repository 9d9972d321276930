// What people have scaled down to nothing was stopped by them, whatever runs it.
#include <doctest/doctest.h>

#include <string>

#include "fakes/action_trial.h"

namespace {

const char* const kUrl = "url: 'http://m.test:8080'";
const char* const kApi = "api_server: 'https://k.test:6443'";
const char* const kSocket = "socket: /run/proxy.sock";

std::string asked(const recover::Action& action, fakes::ActionTrial& t, http::HttpResponse response) {
  std::string text = "not asked";
  const auto handle = action.ask_stopped(t.context, {}, t.loop.now() + std::chrono::seconds{1},
                                         [&](std::string said) { text = std::move(said); });
  t.http.desk.answer(std::move(response));
  t.loop.run_due();
  return text;
}

}  // namespace

TEST_CASE("which actions know that people have stopped what they work on, and which stop it themselves") {
  struct Row {
    const char *type, *address, *change;
    bool knows, leaves_stopped;
  };
  for (const Row& row : {
           Row{"kubernetes", kApi, "scale: shop/deployment/order, replicas: 2", true, false},
           {"kubernetes", kApi, "scale: shop/deployment/order, replicas: 0", true, true},
           {"kubernetes", kApi, "rollout_restart: shop/statefulset/order", true, false},
           {"kubernetes", kApi, "rollout_restart: shop/daemonset/order", false, false},
           {"kubernetes", kApi, "evict: shop/order-0", false, false},
           {"marathon", kUrl, "restart: /shop/order", true, false},
           {"marathon", kUrl, "scale: /shop/order, instances: 0", true, true},
           {"swarm", kSocket, "update: order, force: true", true, false},
           {"swarm", kSocket, "rollback: order", true, false},
           {"swarm", kSocket, "scale: order, replicas: 0", true, true},
       }) {
    CAPTURE(row.change);
    const fakes::ActionTrial t;
    const auto action = t.parse(row.type, std::string("{") + row.address + ", " + row.change + "}");
    CHECK(action->knows_stops() == row.knows);
    CHECK(action->leaves_stopped() == row.leaves_stopped);
  }
}

TEST_CASE("what was scaled to 0 is told, and only that") {
  struct Case {
    const char *type, *yaml, *none, *some, *url, *text;
  };
  for (const Case& row : {
           Case{"kubernetes", "{api_server: 'https://k.test:6443', scale: shop/deployment/order, replicas: 2}",
                R"({"spec":{"replicas":0}})", R"({"spec":{"replicas":2}})",
                "https://k.test:6443/apis/apps/v1/namespaces/shop/deployments/order",
                "deployment/order of shop was scaled to 0, not by fettle; to have it back: kubectl scale -n shop "
                "deployment/order --replicas=N"},
           Case{"marathon", "{url: 'http://m.test:8080', scale: shop/order, instances: 2}",
                R"({"app":{"instances":0}})", R"({"app":{"instances":1}})", "http://m.test:8080/v2/apps/shop/order",
                "app shop/order was suspended (0 instances), not by fettle; to have it back, scale it in Marathon"},
           Case{"swarm", "{rollback: order, socket: /run/proxy.sock}",
                R"({"ID":"s1","Version":{"Index":7},"Spec":{"Mode":{"Replicated":{"Replicas":0}}}})",
                R"({"ID":"s1","Version":{"Index":7},"Spec":{"Mode":{"Global":{}}}})", "http://docker/services/order",
                "Swarm service order was scaled to 0, not by fettle; to have it back: docker service scale order=N"},
       }) {
    CAPTURE(row.type);
    fakes::ActionTrial t;
    const auto action = t.parse(row.type, row.yaml);
    CHECK(asked(*action, t, fakes::answered(200, row.none)) == row.text);
    CHECK(t.http.desk.last().url == row.url);
    CHECK(asked(*action, t, fakes::answered(200, row.some)).empty());
    CHECK(asked(*action, t, fakes::answered(200, "{}")).empty());
    CHECK(asked(*action, t, fakes::answered(503, row.none)).empty());
  }
}
