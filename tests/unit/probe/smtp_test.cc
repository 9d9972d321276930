// smtp: the dialogue word for word, what each refusal is called, and the real Exim.
#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/base64.h"
#include "fakes/certificate_kinds.h"
#include "fakes/exim.h"
#include "fakes/probe_trial.h"
#include "fakes/real_server.h"

namespace {

using namespace std::string_literals;
using model::Reason;

const std::string kGreeting = "220 mail.test ESMTP\r\n";
const std::string kEhlo = "250-mail.test\r\n250-SIZE 1000\r\n250 HELP\r\n";
const std::string kStarttls = "250-mail.test\r\n250 STARTTLS\r\n";
const std::vector<std::string> kLogin{"starttls=true", "username=probe", "password=secret"};
const std::string kPlain = base::base64_encode("\0probe\0secret"s);

}  // namespace

TEST_CASE("smtp says its words in their order, and judges the answers") {
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    std::vector<std::string> said;     // by the server, one after the other
    std::vector<std::string> written;  // by the probe, without line ends
    Reason reason;
    const char* text;  // after the target
  };
  const std::vector<std::string> recipient{"recipient=a@shop.test"};
  for (const Row& row : {
           Row{"a server that greets",
               {},
               {kGreeting, kEhlo, "221 bye\r\n"},
               {"EHLO fettle.invalid", "QUIT"},
               Reason::none,
               " is ready"},
           Row{"many lines of greeting",
               {"helo=node7.shop.test"},
               {"220-no\r\n220-spam\r\n220 please\r\n", kEhlo, "221 bye\r\n"},
               {"EHLO node7.shop.test", "QUIT"},
               Reason::none,
               " is ready"},
           Row{"lines that end without a carriage return, replies without text",
               {},
               {"220\n", "250\n", "221\n"},
               {"EHLO fettle.invalid", "QUIT"},
               Reason::none,
               " is ready"},
           Row{"no service",
               {},
               {"554-go\r\n554 away\r\n", "221 bye\r\n"},
               {"QUIT"},
               Reason::status_mismatch,
               " refuses to serve: 554 go"},
           Row{"shut down at once",
               {},
               {"421 4.3.2 too busy\r\n"},
               {},
               Reason::status_mismatch,
               " closes the connection: 421 4.3.2 too busy"},
           Row{"shut down in the middle",
               recipient,
               {kGreeting, kEhlo, "421 timeout\r\n"},
               {"EHLO fettle.invalid", "MAIL FROM:<>"},
               Reason::status_mismatch,
               " closes the connection: 421 timeout"},
           Row{"a server of 1990",
               {},
               {kGreeting, "500 what?\r\n", "250 hello\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "HELO fettle.invalid", "QUIT"},
               Reason::none,
               " is ready"},
           Row{"a server of 1990 that should do TLS",
               {"starttls=true"},
               {kGreeting, "500 what?\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "QUIT"},
               Reason::status_mismatch,
               " refuses EHLO: 500 what?"},
           Row{"a name that it does not like",
               {},
               {kGreeting, "550 who is that\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "QUIT"},
               Reason::status_mismatch,
               " refuses EHLO: 550 who is that"},
           Row{"takes mail",
               {"recipient=a@shop.test", "sender=probe@shop.test"},
               {kGreeting, kEhlo, "250 ok\r\n", "251 will forward\r\n", "250 reset\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "MAIL FROM:<probe@shop.test>", "RCPT TO:<a@shop.test>", "RSET", "QUIT"},
               Reason::none,
               " is ready, takes mail for a@shop.test"},
           Row{"greylists",
               recipient,
               {kGreeting, kEhlo, "250 ok\r\n", "450 4.2.0 come again\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "MAIL FROM:<>", "RCPT TO:<a@shop.test>", "QUIT"},
               Reason::status_mismatch,
               " refuses RCPT TO for now: 450 4.2.0 come again"},
           Row{"no such user",
               recipient,
               {kGreeting, kEhlo, "250 ok\r\n", "550 no such user\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "MAIL FROM:<>", "RCPT TO:<a@shop.test>", "QUIT"},
               Reason::status_mismatch,
               " refuses RCPT TO: 550 no such user"},
           Row{"wants a login first",
               recipient,
               {kGreeting, kEhlo, "530 5.7.0 authentication required\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "MAIL FROM:<>", "QUIT"},
               Reason::auth_failed,
               " refuses MAIL FROM: 530 5.7.0 authentication required"},
           Row{"no TLS",
               {"starttls=true"},
               {kGreeting, kEhlo, "221 bye\r\n"},
               {"EHLO fettle.invalid", "QUIT"},
               Reason::tls_handshake,
               " does not offer STARTTLS"},
           Row{"no TLS today",
               {"starttls=true"},
               {kGreeting, kStarttls, "454 no certificate\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "STARTTLS", "QUIT"},
               Reason::tls_handshake,
               " refuses STARTTLS for now: 454 no certificate"},
           Row{"AUTH PLAIN",
               kLogin,
               {kGreeting, kStarttls, "220 go\r\n", "250-x\r\n250 AUTH LOGIN PLAIN\r\n", "235 ok\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "STARTTLS", "EHLO fettle.invalid", "AUTH PLAIN " + kPlain, "QUIT"},
               Reason::none,
               " is ready, logs probe in"},
           Row{"AUTH LOGIN",
               kLogin,
               {kGreeting, kStarttls, "220 go\r\n", "250-x\r\n250 auth=login\r\n", "334 VXNlcm5hbWU6\r\n",
                "334 UGFzc3dvcmQ6\r\n", "235 ok\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "STARTTLS", "EHLO fettle.invalid", "AUTH LOGIN", base::base64_encode("probe"),
                base::base64_encode("secret"), "QUIT"},
               Reason::none,
               " is ready, logs probe in"},
           Row{"wrong password",
               kLogin,
               {kGreeting, kStarttls, "220 go\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "535 5.7.8 no\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "STARTTLS", "EHLO fettle.invalid", "AUTH PLAIN " + kPlain, "QUIT"},
               Reason::auth_failed,
               " refuses AUTH: 535 5.7.8 no"},
           Row{"its directory is down",
               kLogin,
               {kGreeting, kStarttls, "220 go\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "454 4.7.0 later\r\n",
                "221 bye\r\n"},
               {"EHLO fettle.invalid", "STARTTLS", "EHLO fettle.invalid", "AUTH PLAIN " + kPlain, "QUIT"},
               Reason::status_mismatch,
               " refuses AUTH for now: 454 4.7.0 later"},
           Row{"other logins only",
               kLogin,
               {kGreeting, kStarttls, "220 go\r\n", "250-x\r\n250 AUTH CRAM-MD5 PLAINER\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "STARTTLS", "EHLO fettle.invalid", "QUIT"},
               Reason::auth_failed,
               " offers neither AUTH PLAIN nor LOGIN, but 'CRAM-MD5 PLAINER'"},
           Row{"no logins, though there were some in the clear",
               kLogin,
               {kGreeting, "250-x\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "220 go\r\n", "250 x\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "STARTTLS", "EHLO fettle.invalid", "QUIT"},
               Reason::auth_failed,
               " does not offer to log in"},
           Row{"a reply that means something else",
               {},
               {kGreeting, "354 go ahead\r\n", "221 bye\r\n"},
               {"EHLO fettle.invalid", "QUIT"},
               Reason::protocol_error,
               " answered EHLO with 354 go ahead"},
           Row{"another protocol",
               {},
               {"SSH-2.0-OpenSSH"},
               {},
               Reason::protocol_error,
               " does not speak SMTP: 'SSH-2.0-OpenSSH'"},
           Row{"two codes in one reply",
               {},
               {"220-a\r\n250 b\r\n"},
               {},
               Reason::protocol_error,
               " does not speak SMTP: '220-a..250 b..'"},
           Row{"a code out of range",
               {},
               {"120 soon\r\n"},
               {},
               Reason::protocol_error,
               " does not speak SMTP: '120 soon..'"},
           Row{"an empty line", {}, {"\r\n"}, {}, Reason::protocol_error, " does not speak SMTP: '..'"},
       }) {
    CAPTURE(row.name);
    fakes::ConnectedTrial trial("smtp", "mail:25", row.settings);
    trial.connect();
    for (const std::string& said : row.said) {
      CHECK(trial.answers == 0);
      trial.peer.say(said);
    }
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == "mail:25" + std::string(row.text));
    std::vector<std::string> written;
    for (const std::string& line : row.written) written.push_back(line + "\r\n");
    CHECK(trial.peer.written == written);
  }
}

TEST_CASE("smtp believes nothing that was slipped in before TLS began") {
  for (const std::string& slipped : {"250 injected\r\n"s, "220 go\r\n"s, "x"s}) {
    fakes::ConnectedTrial trial("smtp", "mail:25", {"starttls=true"});
    trial.connect();
    for (const std::string& said : {kGreeting, kStarttls, "220 go\r\n" + slipped}) trial.peer.say(said);
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == Reason::protocol_error);
    CHECK(trial.found.text == "the test sent " + std::to_string(slipped.size()) + " bytes more in the clear");
    CHECK(trial.peer.written == std::vector<std::string>{"EHLO fettle.invalid\r\n", "STARTTLS\r\n"});
  }
}

TEST_CASE("smtp measures codes and offers, however the bytes are cut") {
  fakes::ConnectedTrial trial("smtp", "mail:25", {"recipient=a@shop.test"});
  trial.connect();
  for (const std::string& said :
       {kGreeting, "250-x\r\n250-starttls\r\n250 SIZE 52428800\r\n"s, "250\r\n"s, "452 full\r\n"s, "221 bye\r\n"s})
    for (const char c : said) {
      CHECK(trial.answers == 0);
      trial.peer.say(std::string(1, c));
    }
  REQUIRE(trial.answers == 1);
  CHECK(trial.measured("probe_smtp_reply_code", "command", "greeting") == 220);
  CHECK(trial.measured("probe_smtp_reply_code", "command", "EHLO") == 250);
  CHECK(trial.measured("probe_smtp_reply_code", "command", "RCPT TO") == 452);
  CHECK(trial.measured("probe_smtp_starttls_offered") == 1);
  CHECK(trial.measured("probe_smtp_size_limit_bytes") == 52'428'800);
}

TEST_CASE("smtp that closes early or never stops fails, and one that closes after QUIT does not") {
  fakes::ConnectedTrial early("smtp", "mail:25");
  early.connect();
  early.peer.say("220-wait");
  early.peer.close();
  CHECK(early.found.reason == Reason::closed_early);

  fakes::ConnectedTrial endless("smtp", "mail:25");
  endless.connect();
  std::string lines;
  while (lines.size() <= 64 * 1024) lines += "220-and so on\r\n";
  endless.peer.say(lines);
  CHECK(endless.found.reason == Reason::too_large);

  fakes::ConnectedTrial curt("smtp", "mail:25");
  curt.connect();
  curt.peer.say(kGreeting);
  curt.peer.say(kEhlo);
  curt.peer.close();
  CHECK(curt.found.up);

  fakes::ConnectedTrial poor("smtp", "mail:25",
                             {"starttls=true", "username=probe", "password_file=/nonexistent/password"});
  poor.connect();
  for (const std::string& said : {kGreeting, kStarttls, "220 go\r\n"s, "250-x\r\n250 AUTH PLAIN\r\n"s, "221 bye\r\n"s})
    poor.peer.say(said);
  CHECK(poor.found.reason == Reason::agent_overloaded);
  CHECK(poor.found.text.find("/nonexistent/password") != std::string::npos);
}

TEST_CASE("smtp refuses settings that would betray a password or smuggle commands in") {
  struct Row {
    std::vector<std::string> settings;
    const char* why;
  };
  for (const Row& row : {
           Row{{"username=probe", "password=x"}, "username: needs starttls or tls: the password would travel"},
           Row{{"username=probe", "starttls=true"}, "username and password belong together"},
           Row{{"password=x", "starttls=true"}, "username and password belong together"},
           Row{{"tls=true", "starttls=true"}, "starttls: cannot stand beside tls"},
           Row{{"recipient=\"a@b>\\r\\nDATA\""}, "recipient: must be a mailbox"},
           Row{{"recipient=somebody"}, "recipient: must be a mailbox"},
           Row{{"sender=a@b"}, "sender: needs recipient"},
           Row{{"helo=\"a b\""}, "helo: must be a name without white space"},
       }) {
    CAPTURE(row.why);
    const auto spec = probe::spec_from_arguments("smtp", "mail:25", row.settings);
    REQUIRE_FALSE(spec);
    CAPTURE(spec.error().text);
    CHECK(spec.error().text.find(row.why) != std::string::npos);
  }
}

TEST_CASE("smtp understands the real Exim") {
  const std::string exim = fakes::find_program("exim4");
  if (exim.empty()) {
    MESSAGE("skipped: exim4 is not installed (apt-get install exim4-daemon-light)");
    return;
  }
  const fakes::TemporaryFolder folder;
  const std::string at = folder.path();
  const fakes::CertificateKinds kinds(at, 20 * 86'400);
  const auto write_settings = [&](const std::string& smtps) {
    fakes::write_exim_settings(at,
                               "tls_verify_certificates = " + at + "/ca.pem\ntls_try_verify_hosts = *\n" +
                                   "tls_on_connect_ports = " + smtps + "\n",
                               R"(begin acl
recipients:
  accept local_parts = orders
         domains = shop.test
  defer local_parts = later
        message = come again
  accept local_parts = vip
         verify = certificate
  deny message = relay not permitted
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{probe}}{eq{$auth3}{open sesame}}}}
  server_advertise_condition = ${if def:tls_in_cipher}
)");
  };
  std::ofstream(at + "/password") << "open sesame\n";
  fakes::give_all_to(at, fakes::kEximUser);
  std::string plain, encrypted;
  fakes::RealServer server([&](fakes::RealServer& s) {
    const std::string port = std::to_string(fakes::TcpPeer::dead_port());
    const std::string smtps = std::to_string(fakes::TcpPeer::dead_port());
    plain = "127.0.0.1:" + port;
    encrypted = "127.0.0.1:" + smtps;
    write_settings(smtps);
    fakes::give_to(at + "/exim.conf", fakes::kEximUser);
    s.run({exim, "-C", at + "/exim.conf", "-bdf", "-oX", "127.0.0.1." + port + " : 127.0.0.1." + smtps}, at + "/output",
          fakes::kEximUser);
  });
  fakes::RealProbes probes;
  const std::string trust = kinds.trusted();
  const std::vector<std::string> login{"username=probe", "password_file=" + at + "/password", trust};
  const auto with = [](std::vector<std::string> settings, const std::vector<std::string>& more) {
    settings.insert(settings.end(), more.begin(), more.end());
    return settings;
  };

  const auto up = server.until_up([&] { return probes.run("smtp", plain, {}); });
  CAPTURE(up.text);
  REQUIRE(up.up);
  CHECK(up.text == plain + " is ready");
  CHECK(fakes::measurement(up, "probe_smtp_reply_code", "command", "greeting") == 220);
  CHECK(fakes::measurement(up, "probe_smtp_starttls_offered") == 1);
  CHECK(fakes::measurement(up, "probe_smtp_size_limit_bytes") > 0);

  for (const bool implicit : {false, true}) {
    CAPTURE(implicit);
    const std::string target = implicit ? encrypted : plain;
    const auto over = [&](const std::vector<std::string>& more) {
      return with({implicit ? "tls=true" : "starttls=true"}, more);
    };
    const auto whole = probes.run("smtp", target, over(with(login, {"recipient=orders@shop.test"})));
    CHECK(whole.text == target + " is ready, logs probe in, takes mail for orders@shop.test");
    CHECK(whole.up);
    CHECK(fakes::measurement(whole, "probe_tls_certificate_refused") == 0);
    CHECK(fakes::measurement(whole, "probe_smtp_reply_code", "command", "AUTH") == 235);

    const auto soon = probes.run("smtp", target, over({trust, "min_days=30"}));
    CHECK(soon.reason == Reason::tls_expired);
    CHECK(soon.text.starts_with("certificate of " + target + " expires in "));

    kinds.check([&](const auto& settings) { return probes.run("smtp", target, over(settings)); });
    CHECK(probes.run("smtp", target, over(with(kinds.client(), {"recipient=vip@shop.test"}))).up);
    CHECK(probes.run("smtp", target, over({trust, "recipient=vip@shop.test"})).reason == Reason::status_mismatch);

    const auto stranger = probes.run("smtp", target, over({}));
    CHECK(stranger.reason == Reason::tls_verify);
    CHECK(fakes::measurement(stranger, "probe_tls_certificate_refused") == 1);
    CHECK(fakes::measurement(stranger, "probe_ssl_earliest_cert_expiry") > 0);

    const auto wrong = probes.run("smtp", target, over({"username=probe", "password=guess", trust}));
    CHECK(wrong.reason == Reason::auth_failed);
    CHECK(wrong.text.starts_with(target + " refuses AUTH: 535 "));
  }

  const auto relay = probes.run("smtp", plain, {"recipient=a@elsewhere.test"});
  CHECK(relay.reason == Reason::status_mismatch);
  CHECK(relay.text == plain + " refuses RCPT TO: 550 relay not permitted");
  const auto later = probes.run("smtp", plain, {"recipient=later@shop.test"});
  CHECK(later.text == plain + " refuses RCPT TO for now: 451 come again");

  // Not a single message was left behind.
  std::size_t mails = 0;
  if (std::filesystem::exists(at + "/spool/input"))
    for (const auto& entry : std::filesystem::directory_iterator(at + "/spool/input")) mails += entry.is_regular_file();
  CHECK(mails == 0);

  using Words = std::vector<std::string>;
  // The same upgrade by the words of a tcp module of the blackbox exporter, and by a tls probe.
  const std::string turns =
      "query_response=[{expect: '^220 '}, {send: \"EHLO prober\\r\"}, {expect: '^250[ -]STARTTLS'}, "
      "{send: \"STARTTLS\\r\"}, {expect: '^220'}, {starttls: true}, {send: \"EHLO prober\\r\"}, "
      "{expect: '^250[ -]AUTH PLAIN'}, {send: \"QUIT\\r\"}]";
  const auto talk = [&](const Words& settings) { return probes.run("tcp", plain, with({turns}, settings)); };
  const auto look = [&](const Words& settings) { return probes.run("tls", plain, with({"starttls=smtp"}, settings)); };
  const auto mail = [&](const Words& settings) { return probes.run("smtp", plain, with({"starttls=true"}, settings)); };
  kinds.check(talk);
  kinds.check(look);
  kinds.expire();
  fakes::give_all_to(at, fakes::kEximUser);
  // Exim's daemon is told of the change, and reads the files again when it gets round to it.
  const auto patience = probes.loop.now() + std::chrono::seconds{20};
  while (talk({trust}).up && probes.loop.now() < patience) ::usleep(20'000);
  kinds.check_expired(talk);
  CHECK(mail({trust}).reason == Reason::tls_expired);
  CHECK(look({trust}).reason == Reason::tls_expired);
}
