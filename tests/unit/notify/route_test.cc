// The tree of routes, inhibition and the references between the parts, as Alertmanager has them.
#include <doctest/doctest.h>

#include <map>
#include <optional>

#include "fakes/notify_configuration.h"
#include "model/matcher_text.h"
#include "notify/route/possible_routes.h"

namespace {

const char* const kReceivers = "receivers: [{name: all}, {name: db}, {name: page}, {name: chat}, {name: night}]\n";

std::shared_ptr<const notify::Routing> routing(const std::string& yaml, config::Errors& errors) {
  return fakes::notify_configuration(kReceivers + yaml, errors).routing;
}

// Labels as {a="b",c="d"}.
model::Labels labels(const std::string& text) {
  std::vector<model::Label> out;
  const auto matchers = *model::parse_matchers(text);
  for (const model::Matcher& each : matchers) out.push_back({each.name(), each.value()});
  return model::Labels(std::move(out));
}

// "db {}/{team="db"}:{alertname="A"}", a line for each route that an alert takes.
std::string ways(const notify::Routing& routing, const model::Labels& alert) {
  std::string out;
  for (const char* receiver : {"all", "db", "page", "chat", "night"})
    for (const notify::Route* route : routing.routes(receiver, alert))
      out += std::string(receiver) + " " + route->key + ":" + route->group_labels(alert).to_string() + "\n";
  return out;
}

const char* const kTree = R"(route:
  receiver: all
  group_by: [alertname]
  routes:
    - match: {team: db}
      match_re: {severity: "page|critical"}
      receiver: db
      group_by: ['...']
      continue: true
      routes:
        - {matchers: ['severity="critical"'], receiver: page, group_wait: 0s}
    - matchers: ['severity=~"page|critical"', 'team!=""']
      receiver: page
      group_interval: 1m
      repeat_interval: 1h
    - {matchers: [severity = info], group_by: [], mute_time_intervals: [nights]}
    - {matchers: ['{team="web",severity!~"info|"}'], receiver: chat, group_by: [team, absent]}
time_intervals: [{name: nights, time_intervals: [{times: [{start_time: "22:00", end_time: "24:00"}]}]}]
)";

}  // namespace

TEST_CASE("an alert takes the first route that matches, and those after it as far as continue says") {
  config::Errors errors;
  const auto tree = routing(kTree, errors);
  REQUIRE(errors.text() == "");
  struct Row {
    const char* alert;
    const char* want;
  };
  const Row rows[] = {
      {"alertname=A", "all {}:{alertname=\"A\"}\n"},
      {"alertname=A,severity=page,team=db",
       "db {}/{severity=~\"^(?:page|critical)$\",team=\"db\"}:{alertname=\"A\", severity=\"page\", team=\"db\"}\n"
       "page {}/{severity=~\"page|critical\",team!=\"\"}:{alertname=\"A\"}\n"},
      {"alertname=A,severity=critical,team=db",
       "page {}/{severity=~\"^(?:page|critical)$\",team=\"db\"}/{severity=\"critical\"}:{alertname=\"A\", "
       "severity=\"critical\", team=\"db\"}\n"
       "page {}/{severity=~\"page|critical\",team!=\"\"}:{alertname=\"A\"}\n"},
      {"alertname=A,severity=critical,team=web",
       "page {}/{severity=~\"page|critical\",team!=\"\"}:{alertname=\"A\"}\n"},
      {"alertname=A,severity=info,team=web", "all {}/{severity=\"info\"}:{alertname=\"A\"}\n"},
      {"alertname=A,severity=low,team=web", "chat {}/{severity!~\"info|\",team=\"web\"}:{team=\"web\"}\n"},
      {"alertname=A,team=web", "all {}:{alertname=\"A\"}\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.alert);
    CHECK(ways(*tree, labels(row.alert)) == std::string(row.want));
  }
}

TEST_CASE("a route inherits receiver, groups and times, and no time intervals") {
  config::Errors errors;
  const auto tree = routing(kTree, errors);
  const notify::Route* info = tree->find("{}/{severity=\"info\"}", "all");
  REQUIRE(info != nullptr);
  CHECK(info->group_by == std::vector<std::string>{"alertname"});
  CHECK(info->group_wait == base::Millis{30'000});
  CHECK(info->group_interval == base::Millis{300'000});
  CHECK(info->repeat_interval == base::Millis{14'400'000});
  CHECK(tree->muted(*info, *base::parse_iso8601("2024-02-29T22:00:00Z")));
  CHECK_FALSE(tree->muted(*info, *base::parse_iso8601("2024-02-29T21:59:59Z")));
  const notify::Route* page = tree->find("{}/{severity=~\"page|critical\",team!=\"\"}", "page");
  REQUIRE(page != nullptr);
  CHECK(page->group_interval == base::Millis{60'000});
  CHECK(page->repeat_interval == base::Millis{3'600'000});
}

TEST_CASE("outside of its active time intervals a route says nothing") {
  config::Errors errors;
  const auto tree = routing(
      "route: {receiver: all, routes: [{receiver: night, matchers: ['a=\"b\"'], active_time_intervals: [nights]}]}\n"
      "mute_time_intervals: [{name: nights, time_intervals: [{times: [{start_time: \"22:00\", end_time: "
      "\"24:00\"}]}]}]\n",
      errors);
  REQUIRE(errors.text() == "");
  const notify::Route* night = tree->find("{}/{a=\"b\"}", "night");
  REQUIRE(night != nullptr);
  CHECK_FALSE(tree->muted(*night, *base::parse_iso8601("2024-02-29T22:00:00Z")));
  CHECK(tree->muted(*night, *base::parse_iso8601("2024-02-29T21:59:59Z")));
}

TEST_CASE("without a route every receiver hears everything, at once and nothing twice") {
  config::Errors errors;
  const auto none = routing("", errors);
  CHECK_FALSE(none->has_route());
  CHECK(ways(*none, labels("alertname=A,service=order,x=y")) ==
        "all {}:{alertname=\"A\", service=\"order\"}\ndb {}:{alertname=\"A\", service=\"order\"}\n"
        "page {}:{alertname=\"A\", service=\"order\"}\nchat {}:{alertname=\"A\", service=\"order\"}\n"
        "night {}:{alertname=\"A\", service=\"order\"}\n");
}

TEST_CASE("the mistakes of routes are named with their place") {
  struct Row {
    const char* yaml;
    const char* want;
  };
  const Row rows[] = {
      {"route: {}\n", "fettle.yml:2:8: route: the root must name a receiver, which hears what no other route takes\n"},
      {"route: {receiver: al}\n", "fettle.yml:2:19: route.receiver: there is no receiver 'al'; did you mean 'all'?\n"},
      {"route: {receiver: all, routes: [{receiver: pages}]}\n",
       "fettle.yml:2:44: route.routes[0].receiver: there is no receiver 'pages'; did you mean 'page'?\n"},
      {"route: {receiver: all, matchers: ['a=\"b\"']}\n",
       "fettle.yml:2:34: route.matchers: the root takes every alert; write this into a route below it, under routes\n"},
      {"route: {receiver: all, continue: true}\n",
       "fettle.yml:2:34: route.continue: the root takes every alert; write this into a route below it, under routes\n"},
      {"route: {receiver: all, group_interval: 0s}\n",
       "fettle.yml:2:40: route.group_interval: must be longer than 0s\n"},
      {"route: {receiver: all, group_by: [a, a]}\n", "fettle.yml:2:34: route.group_by: names 'a' twice\n"},
      {"route: {receiver: all, group_by: ['...', a]}\n",
       "fettle.yml:2:34: route.group_by: '...' stands for all labels and cannot be beside others\n"},
      {"route: {receiver: all, group_by: [a-b]}\n", "fettle.yml:2:34: route.group_by: 'a-b' is no name of a label\n"},
      {"route: {receiver: all, routes: [{matchers: [severity]}]}\n",
       "fettle.yml:2:45: route.routes[0].matchers[0]: bad matcher severity (column 9): expected one of =, !=, =~ and "
       "!~\n"},
      {"route: {receiver: all, routes: [{matchers: 'a=\"b\"'}]}\n",
       "fettle.yml:2:44: route.routes[0].matchers: expected a list such as ['severity=\"page\"'], got a string\n"},
      {"route: {receiver: all, routes: [{match_re: {a: '('}}]}\n",
       "fettle.yml:2:48: route.routes[0].match_re.a: bad regular expression '(': missing ): (\n"},
      {"route: {receiver: all, routes: [{mute_time_intervals: [nigths]}]}\n",
       "fettle.yml:2:55: route.routes[0].mute_time_intervals: there is no time interval 'nigths'\n"},
      {"route: {receiver: all, group_wiat: 3s}\n",
       "fettle.yml:2:24: route.group_wiat: unknown key; did you mean 'group_wait'?\n"},
      {"inhibit_rules: [{equal: [a-b]}]\n", "fettle.yml:2:25: inhibit_rules[0].equal: 'a-b' is no name of a label\n"},
      {"time_intervals: [{name: a}, {name: a}]\n",
       "fettle.yml:2:36: time_intervals: there is a time interval 'a' already\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    config::Errors errors;
    const auto tree = routing(row.yaml, errors);
    CHECK(errors.text() == std::string(row.want));
    CHECK_FALSE(tree->has_route());  // nothing is lost by a mistake in it
  }
}

TEST_CASE("an alert that fires inhibits others with equal labels") {
  config::Errors errors;
  const auto rules = routing(R"(inhibit_rules:
  - source_matchers: ['alertname="NodeDown"']
    target_matchers: ['severity=~"warning|page"']
    equal: [node, rack]
  - source_match: {severity: page}
    target_match_re: {severity: "page|info"}
)",
                             errors);
  REQUIRE(errors.text() == "");
  notify::Inhibitor inhibitor(rules->inhibit_rules());
  const auto inhibits = [&](const char* alert) { return inhibitor.inhibits(labels(alert)); };
  const model::Labels down = labels("alertname=NodeDown,node=a");
  CHECK_FALSE(inhibits("alertname=B,severity=warning,node=a"));
  inhibitor.fires(down);
  CHECK(inhibits("alertname=B,severity=warning,node=a"));
  CHECK_FALSE(inhibits("alertname=B,severity=warning,node=b"));
  CHECK_FALSE(inhibits("alertname=B,severity=warning,node=a,rack=r"));  // the source has no rack
  CHECK_FALSE(inhibits("alertname=B,severity=info,node=a"));
  inhibitor.ended(down);
  CHECK_FALSE(inhibits("alertname=B,severity=warning,node=a"));
  const model::Labels page = labels("alertname=P,severity=page");
  inhibitor.fires(page);
  CHECK(inhibits("alertname=C,severity=info"));
  CHECK_FALSE(inhibitor.inhibits(page));               // not itself
  CHECK_FALSE(inhibits("alertname=Q,severity=page"));  // both are source and target
}

TEST_CASE("two sources with equal labels: the alert is kept back until both have ended") {
  config::Errors errors;
  const auto rules = routing("inhibit_rules: [{source_matchers: ['kind=\"cause\"'], equal: [node]}]\n", errors);
  notify::Inhibitor inhibitor(rules->inhibit_rules());
  inhibitor.fires(labels("alertname=A,kind=cause,node=a"));
  inhibitor.fires(labels("alertname=B,kind=cause,node=a"));
  inhibitor.ended(labels("alertname=A,kind=cause,node=a"));
  CHECK_FALSE(inhibitor.inhibits(labels("alertname=B,kind=cause,node=a")));  // an empty target matches sources, too
  CHECK(inhibitor.inhibits(labels("alertname=C,node=a")));
  inhibitor.ended(labels("alertname=B,kind=cause,node=a"));
  CHECK_FALSE(inhibitor.inhibits(labels("alertname=C,node=a")));
}

TEST_CASE("of an alert that is not known in full all routes are found that it may take") {
  const auto possible = [](const char* text, const std::map<std::string, std::string>& known) {
    config::Errors errors;
    const notify::RouteSettings root = notify::parse_route(config::Node::parse(text, "f", errors), "route", errors);
    REQUIRE(errors.text() == "");
    std::string out;
    for (const auto& each : notify::possible_routes(root, [&](const std::string& name) -> std::optional<std::string> {
           const auto found = known.find(name);
           return found == known.end() ? std::nullopt : std::optional(found->second);
         }))
      out += (out.empty() ? "" : " ") + each.route->path + "=" + each.receiver;
    return out;
  };
  constexpr char kText[] =
      "{receiver: root, routes: [{receiver: a, matchers: ['team=\"a\"'], continue: true, routes: [{matchers: "
      "['tier=\"x\"']}]}, {receiver: b, matchers: ['severity=\"page\"']}, {receiver: c}]}";
  CHECK(possible(kText, {{"team", ""}, {"severity", ""}}) == "route.routes[2]=c");
  CHECK(possible(kText, {{"team", "b"}, {"severity", "page"}}) == "route.routes[1]=b");
  CHECK(possible(kText, {{"team", "a"}, {"tier", ""}, {"severity", "page"}}) == "route.routes[0]=a route.routes[1]=b");
  CHECK(possible(kText, {{"team", "a"}, {"tier", "x"}, {"severity", "page"}}) ==
        "route.routes[0].routes[0]=a route.routes[1]=b");
  CHECK(possible(kText, {{"tier", ""}, {"severity", ""}}) == "route.routes[0]=a route.routes[2]=c");
  CHECK(possible(kText, {}) == "route.routes[0].routes[0]=a route.routes[0]=a route.routes[1]=b route.routes[2]=c");
  CHECK(possible("{receiver: root, routes: [{receiver: a, matchers: ['team=\"a\"']}]}", {}) ==
        "route.routes[0]=a route=root");
}
