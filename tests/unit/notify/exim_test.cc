// Mail through the real Exim: in the clear and by STARTTLS, with and without a login, into a file.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "fakes/certificate_kinds.h"
#include "fakes/exim.h"
#include "fakes/real_server.h"
#include "fakes/tcp_peer.h"
#include "fakes/temporary_folder.h"
#include "notify/notifier.h"
#include "notify/registry.h"

namespace {

void write_settings(const std::string& at) {
  const passwd& owner = fakes::exim_owner();
  fakes::write_exim_settings(at, "",
                             R"(begin acl
recipients:
  deny local_parts = gone
       message = no such user
  accept domains = shop.test
  accept authenticated = *
  deny message = relay not permitted
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = )" + at + R"(/mail
  user = )" + std::to_string(owner.pw_uid) +
                                 R"(
  group = )" + std::to_string(owner.pw_gid) +
                                 R"(
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{fettle}}{eq{$auth3}{open sesame}}}}
  server_advertise_condition = ${if def:tls_in_cipher}
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{fettle}{shared}fail}
)");
}

struct Post {
  notify::Sent send(const std::string& keys, const std::string& id = "msg_1") {
    config::Errors errors;
    const auto notifier =
        notify::notifier_types().find("email")->parse(config::Node::parse(keys, "r.yml", errors), "r", {}, errors);
    if (!errors.empty()) FAIL(errors.text());
    model::Alert alert;
    alert.labels = model::Labels{{"alertname", "ServiceDown"}, {"service", "Größe"}};
    alert.state = model::AlertState::firing;
    notify::Envelope envelope;
    envelope.node = "node1";
    envelope.group_key = "{}:{alertname=\"ServiceDown\"}";
    envelope.group_labels = alert.labels;
    envelope.at = world.loop.wall_now();
    const notify::Message message{id, notifier->render({alert}, {}, envelope), world.loop.wall_now()};
    std::optional<notify::Sent> found;
    const notify::Context context{world.loop, world.http, world.fakes.spawner, world.dialer};
    const auto sending = notifier->send(context, 0, message, world.loop.now() + std::chrono::seconds{20},
                                        [&](notify::Sent sent) { found = std::move(sent); });
    REQUIRE(fakes::run_until(
        world.loop, [&] { return found.has_value(); }, std::chrono::seconds{40}));
    return *found;
  }
  fakes::RealProbes world;
};

std::string read(const std::string& file) {
  std::ifstream in(file);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("mail goes through the real Exim") {
  const std::string exim = fakes::find_program("exim4");
  if (exim.empty()) {
    MESSAGE("skipped: exim4 is not installed (apt-get install exim4-daemon-light)");
    return;
  }
  const fakes::TemporaryFolder folder;
  const std::string at = folder.path();
  const fakes::CertificateKinds kinds(at, 20 * 86'400);
  fakes::give_all_to(at, fakes::kEximUser);
  std::string plain;
  fakes::RealServer server([&](fakes::RealServer& s) {
    plain = std::to_string(fakes::TcpPeer::dead_port());
    write_settings(at);
    fakes::give_to(at + "/exim.conf", fakes::kEximUser);
    s.run({exim, "-C", at + "/exim.conf", "-bdf", "-oX", "127.0.0.1." + plain}, at + "/output", fakes::kEximUser);
  });
  Post post;
  const auto up = server.until_up([&] { return post.world.run("smtp", "127.0.0.1:" + plain, {}); });
  CAPTURE(up.text);
  REQUIRE(up.up);
  const std::string from = "from: 'Fettle <fettle@shop.test>'";
  const std::string clear = from + ", smarthost: '127.0.0.1:" + plain + "'";
  const std::string trust = ", tls_config: {ca_file: " + at + "/ca.pem}";
  const auto taken = [&](const std::string& keys, const std::string& id) {
    const notify::Sent sent = post.send("{" + keys + "}", id);
    CAPTURE(keys);
    CHECK(sent.text.starts_with("250 OK id="));
    CHECK(sent.fate == notify::Fate::taken);
  };
  const auto refused = [&](const std::string& keys) {
    const notify::Sent sent = post.send("{" + keys + "}");
    CHECK(sent.fate != notify::Fate::taken);
    return sent.text;
  };

  taken("to: ops@shop.test, require_tls: false, " + clear, "msg_clear");
  taken("to: ops@shop.test, " + clear + trust, "msg_starttls");
  const std::string login = ", auth_username: fettle, auth_password: open sesame";
  taken("to: far@elsewhere.test, " + clear + trust + login, "msg_login");
  taken("to: far@elsewhere.test, smarthost: '127.0.0.1:" + plain + "', require_tls: false, " + from +
            ", auth_username: fettle, auth_secret: shared",
        "msg_cram");
  taken("to: 'gone@shop.test, ops@shop.test', " + clear + trust, "msg_rest");

  CHECK(refused("to: far@elsewhere.test, " + clear + trust) ==
        "127.0.0.1:" + plain + " refuses RCPT TO: 550 relay not permitted");
  CHECK(refused("to: ops@shop.test, " + clear).starts_with("tls_verify: "));
  CHECK(refused("to: ops@shop.test, " + clear + trust + ", auth_username: fettle, auth_password: guess")
            .starts_with("127.0.0.1:" + plain + " refuses AUTH: 535 "));

  // Each that was taken is delivered, by a process of Exim's own.
  const auto end = post.world.loop.now() + std::chrono::seconds{30};
  const auto all_there = [&] {
    const std::string mail = read(at + "/mail");
    for (const char* id : {"msg_clear", "msg_starttls", "msg_login", "msg_cram", "msg_rest"})
      if (mail.find("Message-ID: <" + std::string(id) + "@node1>") == std::string::npos) return false;
    return true;
  };
  while (!all_there() && post.world.loop.now() < end) ::usleep(20'000);
  const std::string mail = read(at + "/mail");
  CAPTURE(mail);
  CHECK(all_there());
  CHECK(mail.find("\nSubject: =?utf-8?q?[FIRING") == std::string::npos);
  CHECK(mail.find("\nSubject: =?utf-8?q?=5BFIRING:1=5D_ServiceDown_Gr=C3=B6=C3=9Fe?=\n") != std::string::npos);
  CHECK(mail.find("\nIn-Reply-To: <") != std::string::npos);
  CHECK(mail.find("\nFrom: Fettle <fettle@shop.test>\n") != std::string::npos);
}
