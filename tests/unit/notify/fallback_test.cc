// The second way of a receiver: what none of its integrations has taken for a while is told to another.
#include "desk.h"
#include "incident_samples.h"

namespace {

struct Ways : Fixture {
  explicit Ways(const std::string& first, const std::string& rest_of_configuration = "") {
    hears = Hears::as_configured;
    rest = rest_of_configuration;
    start(first + ", {name: mail, webhook_configs: [{url: \"http://mail/\"}]}");
  }
  void now(const model::Incident& incident) {
    notifications->on_incident(incident);
    loop.run_due();
  }
  // Answers all that waits for that host; how many there were.
  int answer_host(const std::string& host, int status) {
    int count = 0;
    const auto is_it = [&](const http::HttpRequest& request) { return request.url.starts_with("http://" + host); };
    for (; http.desk.asked_where(is_it) > 0; ++count) {
      http::HttpResponse response;
      response.status = status;
      http.desk.answer_where(is_it, std::move(response));
    }
    return count;
  }
  // While the first way fails and the other takes.
  void pass(seconds length) {
    for (seconds gone{0}; gone < length; gone += seconds{1}) {
      answer_host("first", 500);
      answer_host("am", 503);
      mails += answer_host("mail", 200);
      loop.advance(seconds{1});
    }
    mails += answer_host("mail", 200);
  }
  json last_mail() const {
    for (auto it = http.desk.asked().rbegin(); it != http.desk.asked().rend(); ++it)
      if (it->url.starts_with("http://mail")) return json::parse(it->body);
    return {};
  }
  int mails = 0;
};

model::Incident about(const model::Alert& alert) {
  model::Incident out = told();
  out.alerts = {alert};
  return out;
}

const std::string kFirst =
    "{name: ops, fallback: {receiver: mail, after: 2m}, webhook_configs: [{url: \"http://first/\"}]}";
const std::string kOpsOnly = "route: {receiver: ops}\n";
const std::string kBoth =
    "{name: am, fallback: {receiver: mail, after: 2m}, alertmanager_configs: [{urls: [\"http://am1/\", "
    "\"http://am2/\"]}]}";

}  // namespace

TEST_CASE("a page that is not taken goes the second way, once, and so does its end") {
  Ways w(kFirst, kOpsOnly);
  w.now(told());
  w.pass(seconds{119});
  CHECK(w.mails == 0);
  w.pass(seconds{2});
  CHECK(w.mails == 1);
  CHECK(w.last_mail()["incident"]["news"] == "page");
  CHECK(w.last_mail()["receiver"] == "mail");
  CHECK(std::count(w.results.begin(), w.results.end(), "ops fallback") == 1);
  CHECK(w.notifications->statuses()[1].last_error.ends_with("; its fallback mail is told in its place"));
  w.pass(seconds{120});
  CHECK(w.mails == 1);
  w.now(ended(told()));
  w.pass(seconds{2});
  CHECK(w.mails == 2);
  CHECK(w.last_mail()["incident"]["news"] == "resolved");
}

TEST_CASE("what is taken in time goes one way only") {
  Ways w(kFirst, kOpsOnly);
  w.now(told());
  w.pass(seconds{60});
  for (int i = 0; i < 300; ++i) {
    w.answer_host("first", 200);
    w.loop.advance(seconds{1});
  }
  CHECK(w.mails + w.answer_host("mail", 200) == 0);
  CHECK(w.notifications->statuses()[1].last_error == "");
}

TEST_CASE("while the first way fails, a new fault waits as long before it goes the second") {
  Ways w(kFirst, kOpsOnly);
  w.now(told());
  w.pass(seconds{130});
  model::Incident other = told();
  other.id = "inc_2";
  other.service = "payment";
  w.now(other);
  w.pass(seconds{60});
  CHECK(w.mails == 1);
  w.pass(seconds{90});
  CHECK(w.mails == 2);
  CHECK(w.last_mail()["incident"]["service"] == "payment");
}

TEST_CASE("an agent that starts again goes on where the one before it was, and tells nothing twice") {
  Ways w(kFirst, kOpsOnly);
  w.now(told());
  w.pass(seconds{130});
  REQUIRE(w.mails == 1);
  w.start(kFirst + ", {name: mail, webhook_configs: [{url: \"http://mail/\"}]}", 2);
  w.now(told());
  w.pass(seconds{130});
  CHECK(w.mails == 1);
}

TEST_CASE("a restart does not make the second way later") {
  Ways w(kFirst, kOpsOnly);
  w.now(told());
  w.pass(seconds{100});
  w.start(kFirst + ", {name: mail, webhook_configs: [{url: \"http://mail/\"}]}", 2);
  w.now(told());
  w.pass(seconds{40});
  CHECK(w.mails == 1);
}

TEST_CASE("what no Alertmanager takes goes the second way; what one of them has does not") {
  Ways w(kBoth, "route: {receiver: am}\n");
  w.tell("ServiceDown");
  w.now(about(w.known.begin()->second));
  w.pass(seconds{125});
  CHECK(w.mails == 1);
  CHECK(w.last_mail()["incident"]["news"] == "page");

  Ways one(kBoth, "route: {receiver: am}\n");
  one.tell("ServiceDown");
  one.now(about(one.known.begin()->second));
  for (int i = 0; i < 200; ++i) {
    one.answer_host("am1", 503);
    one.answer_host("am2", 200);
    one.mails += one.answer_host("mail", 200);
    one.loop.advance(seconds{1});
  }
  CHECK(one.mails == 0);
}

TEST_CASE("an alert without an incident goes the second way, and so does its end") {
  Ways w(kBoth, "route: {receiver: am}\n");
  w.tell("Odd", AlertState::firing, "i1", "");
  w.pass(seconds{125});
  CHECK(w.mails == 1);
  CHECK(w.last_mail()["alerts"][0]["labels"]["alertname"] == "Odd");
  w.pass(seconds{600});
  CHECK(w.mails == 1);
  w.tell("Odd", AlertState::inactive, "i1", "");
  w.pass(seconds{2});
  CHECK(w.mails == 2);
  CHECK(w.last_mail()["status"] == "resolved");
}

TEST_CASE("a silence holds on the second way, too") {
  Ways w(kFirst, kOpsOnly);
  w.now(told());
  w.pass(seconds{60});
  w.silence("service=\"order\"");
  w.pass(seconds{120});
  CHECK(w.mails == 0);
}

TEST_CASE("a fallback is another receiver, and no circle") {
  const auto mistakes = [](const std::string& receivers) {
    config::Errors errors;
    (void)fakes::notify_configuration("receivers: [" + receivers + "]\n", errors);
    return errors.text();
  };
  CHECK(mistakes("{name: a, fallback: {receiver: b}}") ==
        "fettle.yml:1:44: receivers[0].fallback.receiver: there is no receiver 'b'; there are: a\n");
  CHECK(mistakes("{name: a, fallback: {receiver: a}}").find("leads back to the receiver itself") != std::string::npos);
  CHECK(mistakes("{name: a, fallback: {receiver: b}}, {name: b, fallback: {receiver: a}}")
            .find("receivers[1].fallback.receiver: leads back") != std::string::npos);
  CHECK(mistakes("{name: a, fallback: {receiver: b, after: 0s}}, {name: b}") ==
        "fettle.yml:1:54: receivers[0].fallback.after: must be longer than 0s\n");
}
