// Mail: the dialogue with the server word for word, what its refusals mean, and what a mail looks like.
#include <memory>
#include <string>

#include "base/base64.h"
#include "desk.h"
#include "fakes/fake_stream.h"
#include "incident_samples.h"
#include "notify/registry.h"

namespace {

using namespace std::string_literals;

const std::string kGreeting = "220 mail.test ESMTP\r\n";
const std::string kTls = "250-mail.test\r\n250 STARTTLS\r\n";
const std::string kPlain = "250-mail.test\r\n250-SIZE 100000\r\n250-AUTH CRAM-MD5 PLAIN LOGIN\r\n250 HELP\r\n";

struct Post {
  explicit Post(const std::string& more, const std::string& to = "ops@shop.test")
      : f("{name: ops, email_configs: [{to: '" + to + "', from: Fettle <fettle@shop.test>, smarthost: 'mail:25'" +
          more + "}]}") {
    f.tell("Down");
    connect();
  }
  void connect() {
    net::Connected made;
    made.stream = std::make_unique<fakes::FakeStream>(peer);
    f.dialer.desk.answer(std::move(made));
  }
  // Says what the server says, one reply after the other; what the agent wrote, the mail itself left out.
  std::vector<std::string> talk(const std::vector<std::string>& replies) {
    for (const std::string& reply : replies) peer.say(reply);
    std::vector<std::string> out;
    for (const std::string& line : peer.written)
      if (line.find("MIME-Version") == std::string::npos) out.push_back(line.substr(0, line.find("\r\n")));
    return out;
  }
  std::string content() const {
    for (const std::string& line : peer.written)
      if (line.find("MIME-Version") != std::string::npos) return line;
    return "";
  }
  std::string error() const { return f.notifications->statuses()[0].last_error; }

  Fixture f;
  fakes::Peer peer{f.loop};
};

const std::string kClear = ", require_tls: false";

}  // namespace

TEST_CASE("a mail goes through STARTTLS and PLAIN, and counts as told with the reply to its end") {
  Post post(", auth_username: fettle, auth_password: secret, hello: node1");
  const auto said = post.talk({kGreeting, kTls, "220 go\r\n", "250-mail.test\r\n250 AUTH PLAIN LOGIN\r\n", "235 ok\r\n",
                               "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 queued as 7\r\n"});
  CHECK(said == std::vector<std::string>{"EHLO node1", "STARTTLS", "EHLO node1",
                                         "AUTH PLAIN " + base::base64_encode("\0fettle\0secret"s),
                                         "MAIL FROM:<fettle@shop.test>", "RCPT TO:<ops@shop.test>", "DATA", "QUIT"});
  CHECK(post.peer.in_the_clear() == std::vector<std::string>{"EHLO node1\r\n", "STARTTLS\r\n"});
  CHECK(post.f.results.empty());
  post.peer.say("221 bye\r\n");
  CHECK(post.f.results == std::vector<std::string>{"ops sent"});
  CHECK_FALSE(post.peer.open);
}

TEST_CASE("a login is by what the server offers and the configuration has") {
  struct Row {
    const char* keys;
    const char* offers;
    std::vector<std::string> replies;
    std::vector<std::string> said;
  };
  const Row rows[] = {
      {"auth_password: p, auth_identity: me",
       "AUTH LOGIN PLAIN",
       {},
       {"AUTH PLAIN " + base::base64_encode("me\0u\0p"s)}},
      {"auth_password: p",
       "AUTH LOGIN",
       {"334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"},
       {"AUTH LOGIN", "dQ==", "cA=="}},
      // RFC 2195
      {"auth_secret: tanstaaftanstaaf",
       "AUTH CRAM-MD5 PLAIN",
       {"334 " + base::base64_encode("<1896.697170952@postoffice.reston.mci.net>") + "\r\n"},
       {"AUTH CRAM-MD5", base::base64_encode("u b913a602c7eda7a495b4e6e7334d3890")}},
      {"auth_password: p", "HELP", {}, {"MAIL FROM:<fettle@shop.test>"}},  // as in Alertmanager
  };
  for (const Row& row : rows) {
    CAPTURE(row.keys);
    Post post(kClear + ", auth_username: u, "s + row.keys);
    fakes::Peer& peer = post.peer;
    peer.say(kGreeting);
    // The fake is no loopback peer: over TLS it would be the same dialogue.
    peer.say("250-mail.test\r\n250 "s + row.offers + "\r\n");
    const auto said = post.talk(row.replies);
    const bool clear_password = row.said[0].starts_with("AUTH PLAIN") || row.said[0] == "AUTH LOGIN";
    if (clear_password) {
      CHECK(said == std::vector<std::string>{"EHLO localhost", "QUIT"});
      peer.say("221 bye\r\n");
      CHECK(post.error() == "the test is spoken to without TLS, in which no password is sent: write require_tls: true");
      CHECK(post.f.results == std::vector<std::string>{"ops refused"});
    } else {
      CHECK(std::vector<std::string>(said.begin() + 1, said.end()) == row.said);
    }
  }
}

TEST_CASE("port 465 is spoken to in TLS from the first byte, and then there is no STARTTLS") {
  std::unique_ptr<fakes::Peer> peer;  // the stream in the fixture speaks to it to its end
  Fixture f("{name: ops, email_configs: [{to: a@b, from: c@d, smarthost: 'mail:465'}]}");
  f.tell("Down");
  CHECK(f.dialer.desk.last().tls != nullptr);
  CHECK(f.dialer.desk.last().port == 465);
  peer.reset(new fakes::Peer{f.loop});
  net::Connected made;
  made.stream = std::make_unique<fakes::FakeStream>(*peer);
  f.dialer.desk.answer(std::move(made));
  peer->say(kGreeting);
  peer->say("250 x\r\n");
  CHECK(peer->written.back() == "MAIL FROM:<c@d>\r\n");
}

TEST_CASE("LOGIN is spoken over TLS") {
  Post post(", auth_username: u, auth_password: p");
  const auto said = post.talk({kGreeting, kTls, "220 go\r\n", "250-x\r\n250 AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n",
                               "334 UGFzc3dvcmQ6\r\n", "235 ok\r\n"});
  CHECK(std::vector<std::string>(said.begin() + 3, said.end()) ==
        std::vector<std::string>{"AUTH LOGIN", "dQ==", "cA==", "MAIL FROM:<fettle@shop.test>"});
}

TEST_CASE("what a server refuses is refused, and what it puts off is tried again") {
  struct Row {
    std::string more;
    std::vector<std::string> replies;
    const char* result;
    std::string error;
  };
  const std::string ehlo = "250 mail.test\r\n", ok = "250 ok\r\n", bye = "221 bye\r\n";
  const Row rows[] = {
      {"",
       {kGreeting, ehlo, bye},
       "ops refused",
       "the test does not offer STARTTLS; if mail may travel in the clear, write require_tls: false"},
      {kClear, {"421 busy\r\n", bye}, "ops retried", "the test refuses to serve for now: 421 busy"},
      {kClear, {"554 go away\r\n", bye}, "ops refused", "the test refuses to serve: 554 go away"},
      {kClear, {kGreeting, ehlo, "550 no\r\n", bye}, "ops refused", "the test refuses MAIL FROM: 550 no"},
      {kClear,
       {kGreeting, ehlo, ok, "550-5.1.1 unknown\r\n550 user\r\n", bye},
       "ops refused",
       "the test refuses RCPT TO: 550 5.1.1 unknown"},
      {kClear,
       {kGreeting, ehlo, ok, "450 later\r\n", bye},
       "ops retried",
       "the test refuses RCPT TO for now: 450 later"},
      {kClear,
       {kGreeting, ehlo, ok, ok, "354 go\r\n", "452 full\r\n", bye},
       "ops retried",
       "the test refuses the mail for now: 452 full"},
      {kClear,
       {kGreeting, ehlo, ok, ok, "354 go\r\n", "554 spam\r\n", bye},
       "ops refused",
       "the test refuses the mail: 554 spam"},
      {kClear,
       {kGreeting, "250-x\r\n250 SIZE 100\r\n", bye},
       "ops refused",
       "the test takes mails of at most 100 bytes; "},
      {kClear,
       {"HTTP/1.1 400 Bad\r\n"},
       "ops retried",
       "protocol_error: the test does not speak SMTP: 'HTTP/1.1 400 Bad"},
      {kClear, {kGreeting, ""}, "ops retried", "closed_early: the test closed the connection"},
      {kClear,
       {kGreeting, ehlo, ok, ok, "354 go\r\n", ""},
       "ops retried",
       "closed_early: the test closed the connection"},
      {kClear + ", auth_username: u, auth_secret: s",
       {kGreeting, "250-x\r\n250 AUTH GSSAPI\r\n", bye},
       "ops refused",
       "the test offers AUTH GSSAPI, for which there is no auth_password"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.error);
    Post post(row.more);
    for (const std::string& reply : row.replies)
      if (reply.empty()) post.peer.close();
      else post.peer.say(reply);
    CHECK(post.f.results == std::vector<std::string>{row.result});
    const std::string error = post.error().substr(0, row.error.size());
    CHECK(error == row.error);
  }
}

TEST_CASE("a server that knows no EHLO is greeted as it wants where nothing more is asked of it") {
  Post post(kClear);
  CHECK(post.talk({kGreeting, "502 what?\r\n", "250 hello\r\n"}) ==
        std::vector<std::string>{"EHLO localhost", "HELO localhost", "MAIL FROM:<fettle@shop.test>"});
}

TEST_CASE("one recipient who is refused keeps the mail from none of the others") {
  Post post(kClear, "a@x,b@x,c@x");
  const auto said = post.talk({kGreeting, "250 x\r\n", "250 ok\r\n", "550 gone\r\n", "250 ok\r\n", "251 forwards\r\n",
                               "354 go\r\n", "250 ok\r\n", "221 bye\r\n"});
  CHECK(said == std::vector<std::string>{"EHLO localhost", "MAIL FROM:<fettle@shop.test>", "RCPT TO:<a@x>",
                                         "RCPT TO:<b@x>", "RCPT TO:<c@x>", "DATA", "QUIT"});
  CHECK(post.f.results == std::vector<std::string>{"ops sent"});
}

TEST_CASE("one who is put off holds the mail for a minute, so that it comes once; then the others get it") {
  Post post(kClear, "a@x,b@x");
  post.talk({kGreeting, "250 x\r\n", "250 ok\r\n", "250 ok\r\n", "452 full\r\n", "221 bye\r\n"});
  CHECK(post.f.results == std::vector<std::string>{"ops retried"});
  for (int i = 0; i < 20 && post.f.results.back() == "ops retried"; ++i) {
    post.f.loop.advance(seconds{20});
    if (post.f.dialer.desk.waiting() == 0) continue;
    post.peer.written.clear();
    post.connect();
    post.talk({kGreeting, "250 x\r\n", "250 ok\r\n", "250 ok\r\n", "452 full\r\n", "354 go\r\n", "250 ok\r\n",
               "221 bye\r\n"});
  }
  CHECK(post.f.results.back() == "ops sent");
  CHECK(post.f.loop.wall_now() - kStart >= seconds{60});
}

TEST_CASE(
    "a mail is the same at each attempt, in one thread with the others of its group, and hides nothing in its lines") {
  Post post(
      kClear +
      R"(, headers: {Subject: "{{ .Status }} Größe", Reply-To: "Ops <ops@shop.test>", X-Shop: eu}, html: "", text: ".\na")");
  post.talk({kGreeting, "250 x\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"});
  const std::string content = post.content();
  const auto has = [&](const std::string& line) { return content.find(line) != std::string::npos; };
  CAPTURE(content);
  CHECK(has("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
  CHECK(has("From: Fettle <fettle@shop.test>\r\n"));
  CHECK(has("To: ops@shop.test\r\n"));
  CHECK(has("Subject: =?utf-8?q?firing_Gr=C3=B6=C3=9Fe?=\r\n"));
  CHECK(has("Reply-To: Ops <ops@shop.test>\r\n"));
  CHECK(has("X-Shop: eu\r\n"));
  CHECK(has("Message-ID: <msg_"));
  CHECK(has("\r\n\r\n..\r\na\r\n.\r\n"));
  const auto thread_of = [](const std::string& mail) {
    const std::size_t at = mail.find("References: ");
    return mail.substr(at, mail.find("\r\n", at) - at);
  };
  CHECK(thread_of(content).ends_with("@node1>"));
  post.peer.close();
  post.f.loop.advance(seconds{1});
  post.peer.written.clear();
  post.connect();
  post.talk({kGreeting, "250 x\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"});
  CHECK(post.content() == content);
}

TEST_CASE("news of an incident are one thread of mails") {
  config::Errors errors;
  const auto mail = notify::notifier_types().find("email")->parse(
      config::Node::parse("{to: a@b, from: c@d, smarthost: 'h:25'}", "r.yml", errors), "r", {}, errors);
  REQUIRE(errors.text() == "");
  const model::Incident open = told(), over = ended(told());
  notify::Envelope e;
  e.node = "node1";
  e.group_key = "{}:{incident=\"inc_1\"}";
  e.incident = &open;
  const json page = json::parse(mail->render(open.alerts, {}, e));
  e.incident = &over;
  const json end = json::parse(mail->render(over.alerts, {}, e));
  CHECK(page["thread"] == end["thread"]);
  e.group_key = "{}:{incident=\"inc_2\"}";
  CHECK(json::parse(mail->render(open.alerts, {}, e))["thread"] != page["thread"]);
}

TEST_CASE("what stands in an alert is no HTML of the mail") {
  config::Errors errors;
  const auto mail = notify::notifier_types().find("email")->parse(
      config::Node::parse(
          "{to: a@b, from: c@d, smarthost: 'h:25', html: '<b>{{ .GroupLabels.x }}</b>{{ \"<i>\" | safeHtml }}'}",
          "r.yml", errors),
      "r", {}, errors);
  REQUIRE(errors.text() == "");
  notify::Envelope e;
  e.group_labels = {{"x", "<script>'&\""}};
  const json body = json::parse(mail->render({}, {}, e));
  CHECK(body["html"] == "<b>&lt;script&gt;&#39;&amp;&#34;</b><i>");
}

TEST_CASE("mistakes in a mail's keys are named") {
  const auto mistakes = [](const std::string& yaml) {
    config::Errors errors;
    CHECK(notify::notifier_types().find("email")->parse(config::Node::parse(yaml, "r.yml", errors), "r", {}, errors) ==
          nullptr);
    return errors.text();
  };
  CHECK(mistakes("{to: a@b}") ==
        "r.yml:1:1: r: write smarthost, or smtp_smarthost under global\n"
        "r.yml:1:1: r: write from, or smtp_from under global\n");
  const std::string good = "{to: a@b, from: c@d, smarthost: 'h:25'";
  CHECK(mistakes("{to: a@b, from: c@d, smarthost: h}") ==
        "r.yml:1:33: r.smarthost: write HOST:PORT, as in mail.shop.example:587\n");
  CHECK(mistakes("{to: ops, from: c@d, smarthost: 'h:25'}") ==
        "r.yml:1:6: r.to: 'ops' is no mail address: write NAME@HOST or Name <NAME@HOST>\n");
  CHECK(mistakes(good + ", headers: {Message-Id: x}}") ==
        "r.yml:1:50: r.headers: has Message-ID, which fettle writes itself\n");
  CHECK(mistakes(good + ", headers: {Subject: a, subject: b}}") == "r.yml:1:50: r.headers: has subject twice\n");
  CHECK(mistakes(good + ", headers: {\"a b\": x}}").find("r.headers: ") != std::string::npos);
  CHECK(mistakes(good + ", auth_password: p}") == "r.yml:1:1: r: auth_password needs auth_username\n");
  CHECK(mistakes(good + ", hello: 'a b'}") == "r.yml:1:48: r.hello: must be a name without white space\n");
}
