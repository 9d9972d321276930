// A mail server, up to the point where mail would flow: greeting, EHLO, TLS, login, whether it takes a sender and a
// recipient. Nothing is ever sent: DATA is not among the words of this probe (RFC 5321, 3207, 4954).
#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "base/credential.h"
#include "base/number.h"
#include "base/text.h"
#include "encoding/smtp_reply.h"
#include "loop/scheduler.h"
#include "net/tls/peer_chain.h"
#include "net/tls/tls.h"
#include "net/tls/tls_config.h"
#include "probe/common/endpoint.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/common/values.h"
#include "probe/net/certificate_age.h"
#include "probe/registry.h"

namespace probe {
namespace {

using encoding::SmtpReply;
using model::Outcome;
using model::Reason;

struct SmtpSettings : EndpointSettings, LoginSettings {
  SmtpSettings() { port = 25; }
  bool starttls = false;
  int min_days = 14;
  std::string helo = "fettle.invalid";
  std::string sender;
  std::string recipient;
};

// What may stand between < and >: a path with control characters would be further commands.
bool is_mailbox(const std::string& text) {
  return text.find('@') != std::string::npos && std::all_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '<' && c != '>';
         });
}

const config::Schema<SmtpSettings>& schema() {
  static const auto schema = [] {
    auto keys = probe_schema<SmtpSettings>("smtp");
    add_endpoint_keys(keys, {.port = "Port to connect to: 25, 587 with starttls, 465 with tls.",
                             .unix_socket = nullptr,
                             .tls = "Speak TLS from the first byte (smtps)."});
    add_login_keys(keys, Username::optional, "User to log in as, by AUTH PLAIN or LOGIN. Needs tls or starttls.");
    return keys.optional("starttls", &SmtpSettings::starttls, "Go on in TLS after EHLO; refuse to go on without.")
        .optional("min_days", &SmtpSettings::min_days,
                  "With TLS: days that the certificates must still be valid; 0: until they expire.")
        .optional("helo", &SmtpSettings::helo,
                  "Name to give in EHLO. Servers for the whole world want one that resolves.")
        .optional("sender", &SmtpSettings::sender, "Sender of the mail that is not sent. Empty: that of bounces, <>.")
        .optional("recipient", &SmtpSettings::recipient,
                  "Recipient that must be accepted: MAIL FROM and RCPT TO, then RSET. Empty: not asked. Nothing is "
                  "sent either way.")
        .check([](const SmtpSettings& smtp, const config::Complain& complain) {
          if (smtp.tls && smtp.starttls) complain("starttls", "cannot stand beside tls: it is TLS already");
          if (smtp.min_days < 0) complain("min_days", "must not be negative");
          if (smtp.helo.empty() || !std::all_of(smtp.helo.begin(), smtp.helo.end(), [](char c) {
                return static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
              }))
            complain("helo", "must be a name without white space");
          if (smtp.username.empty() == smtp.has_password())
            complain(smtp.has_password() ? "username" : "password_file", "username and password belong together");
          if (!smtp.username.empty() && !smtp.tls && !smtp.starttls)
            complain("username", "needs starttls or tls: the password would travel in the clear");
          if (!smtp.sender.empty() && !is_mailbox(smtp.sender)) complain("sender", "must be a mailbox, as a@b");
          if (!smtp.sender.empty() && smtp.recipient.empty()) complain("sender", "needs recipient");
          if (!smtp.recipient.empty() && !is_mailbox(smtp.recipient))
            complain("recipient", "must be a mailbox, as a@b");
        });
  }();
  return schema;
}

using Prepared = EndpointTarget<SmtpSettings>;

class SmtpProbe final : public StreamProbe {
 public:
  SmtpProbe(const Context& context, const Prepared& prepared)
      : StreamProbe(context, prepared.dial), context_(context), prepared_(prepared), settings_(prepared.settings) {}

 private:
  // The command whose reply is waited for.
  enum class Step { greeting, ehlo, helo, starttls, auth, auth_name, auth_password, mail, rcpt, rset, quit };

  // In the clear the server speaks first; after STARTTLS it waits for another EHLO, and what it offered before counts
  // for nothing (RFC 3207, 4.2).
  void connected() override {
    if (step_ == Step::starttls) ask(Step::ehlo, "EHLO " + settings_.helo);
  }

  void received(std::string& bytes) override {
    bool broken = false;
    while (!finished() && !upgrading()) {
      const std::optional<SmtpReply> reply = encoding::take_smtp_reply(bytes, broken);
      if (broken) return fail(Reason::protocol_error, "does not speak SMTP: " + base::shown(bytes));
      if (!reply) return;
      heard(*reply);
    }
  }

  void heard(const SmtpReply& reply) {
    if (step_ == Step::quit) return finish(std::move(*verdict_));
    codes_.push_back({"probe_smtp_reply_code", static_cast<double>(reply.code), {{"command", name_of(step_)}}});
    const int expected = step_ == Step::greeting || step_ == Step::starttls    ? 220
                         : step_ == Step::auth && !plain_                      ? 334
                         : step_ == Step::auth_name                            ? 334
                         : step_ == Step::auth || step_ == Step::auth_password ? 235
                                                                               : 250;
    // 251: it will forward; 252: it cannot tell and takes it (RFC 5321, 3.4 and 3.5.3).
    const bool also = step_ == Step::rcpt && (reply.code == 251 || reply.code == 252);
    if (reply.code != expected && !also) return refused(reply);
    switch (step_) {
      case Step::greeting: return ask(Step::ehlo, "EHLO " + settings_.helo);
      case Step::ehlo: return after_ehlo(reply);
      case Step::helo: return after_login();
      case Step::starttls: return go_on_in_tls(prepared_.tls);
      case Step::auth:
        if (plain_) return after_login();
        return ask(Step::auth_name, base::base64_encode(settings_.username));
      case Step::auth_name: return ask(Step::auth_password, base::base64_encode(password_));
      case Step::auth_password: return after_login();
      case Step::mail: return ask(Step::rcpt, "RCPT TO:<" + settings_.recipient + ">");
      case Step::rcpt: return ask(Step::rset, "RSET");
      case Step::rset: return leave(Outcome::success(summary()));
      case Step::quit: break;
    }
  }

  void after_ehlo(const SmtpReply& reply) {
    bool may_start_tls = false;
    std::string_view mechanisms;
    for (std::size_t i = 1; i < reply.lines.size(); ++i) {
      const std::string& line = reply.lines[i];
      may_start_tls = may_start_tls || encoding::smtp_offer(line, "STARTTLS").has_value();
      if (const auto offered = encoding::smtp_offer(line, "AUTH"); offered && mechanisms.empty()) mechanisms = *offered;
      const auto size = encoding::smtp_offer(line, "SIZE");
      const auto most = size ? base::leading_number<std::uint64_t>(*size) : std::nullopt;
      if (most && *most > 0) size_limit_ = *most;
    }
    if (!encrypted_) starttls_offered_ = may_start_tls;
    if (settings_.starttls && !encrypted_) {
      if (!may_start_tls) return leave(failure(Reason::tls_handshake, "does not offer STARTTLS"));
      encrypted_ = true;
      return ask(Step::starttls, "STARTTLS");
    }
    if (settings_.username.empty()) return after_login();
    const auto password = base::credential(settings_.password, settings_.password_file);
    if (!password)
      return leave(
          failure(Reason::agent_overloaded, "was not logged in to; no password to send: " + password.error().text));
    password_ = *password;
    plain_ = encoding::has_smtp_word(mechanisms, "PLAIN");
    if (plain_) {
      const std::string nul(1, '\0');
      return ask(Step::auth, "AUTH PLAIN " + base::base64_encode(nul + settings_.username + nul + password_));
    }
    if (encoding::has_smtp_word(mechanisms, "LOGIN")) return ask(Step::auth, "AUTH LOGIN");
    leave(failure(Reason::auth_failed, mechanisms.empty()
                                           ? "does not offer to log in"
                                           : "offers neither AUTH PLAIN nor LOGIN, but " + base::shown(mechanisms)));
  }

  void after_login() {
    if (settings_.recipient.empty()) return leave(Outcome::success(summary()));
    ask(Step::mail, "MAIL FROM:<" + settings_.sender + ">");
  }

  void refused(const SmtpReply& reply) {
    const std::string said =
        std::to_string(reply.code) + (reply.lines[0].empty() ? "" : " " + base::shortened(reply.lines[0], 200));
    // A server of before 1995 knows only HELO, which is enough for those who want neither TLS nor a login.
    const bool unknown = reply.code == 500 || reply.code == 502;
    if (step_ == Step::ehlo && unknown && !settings_.starttls && settings_.username.empty())
      return ask(Step::helo, "HELO " + settings_.helo);
    const bool login = step_ == Step::auth || step_ == Step::auth_name || step_ == Step::auth_password;
    // 454 is the server's own trouble (RFC 4954, 6). Of the others, the login is at fault; so it is of 530 anywhere.
    const bool about_login = (login && reply.code >= 500) || reply.code == 530;
    const Reason reason = reply.code < 400          ? Reason::protocol_error
                          : about_login             ? Reason::auth_failed
                          : step_ == Step::starttls ? Reason::tls_handshake
                                                    : Reason::status_mismatch;
    const std::string what = step_ == Step::greeting ? "to serve" : name_of(step_);
    if (reply.code == 421) return finish(failure(Reason::status_mismatch, "closes the connection: " + said));
    if (reply.code < 400) return leave(failure(reason, "answered " + what + " with " + said));
    leave(failure(reason, "refuses " + what + (reply.code < 500 ? " for now: " : ": ") + said));
  }

  // QUIT is answered before the connection goes (RFC 5321, 4.1.1.10): servers note those who just hang up.
  void leave(Outcome verdict) {
    verdict_ = std::move(verdict);
    ask(Step::quit, "QUIT");
  }

  bool closed_by_peer() override {
    if (step_ != Step::quit) return false;
    finish(std::move(*verdict_));
    return true;
  }

  void ask(Step step, const std::string& command) {
    step_ = step;
    say(command + "\r\n");
  }

  std::string summary() const {
    return prepared_.target + " is ready" + (settings_.username.empty() ? "" : ", logs " + settings_.username + " in") +
           (settings_.recipient.empty() ? "" : ", takes mail for " + settings_.recipient);
  }

  static std::string name_of(Step step) {
    switch (step) {
      case Step::greeting: return "greeting";
      case Step::ehlo: return "EHLO";
      case Step::helo: return "HELO";
      case Step::starttls: return "STARTTLS";
      case Step::auth:
      case Step::auth_name:
      case Step::auth_password: return "AUTH";
      case Step::mail: return "MAIL FROM";
      case Step::rcpt: return "RCPT TO";
      case Step::rset: return "RSET";
      case Step::quit: break;
    }
    return "QUIT";
  }

  void measure(Outcome& outcome) override {
    // The last code of each command: EHLO comes twice with STARTTLS, AUTH LOGIN has three replies.
    for (std::size_t i = 0; i < codes_.size(); ++i) {
      const bool again = std::any_of(codes_.begin() + static_cast<std::ptrdiff_t>(i) + 1, codes_.end(),
                                     [&](const auto& later) { return later.labels == codes_[i].labels; });
      if (!again) outcome.measurements.push_back(std::move(codes_[i]));
    }
    if (starttls_offered_)
      outcome.measurements.push_back({"probe_smtp_starttls_offered", *starttls_offered_ ? 1.0 : 0.0, {}});
    if (size_limit_)
      outcome.measurements.push_back({"probe_smtp_size_limit_bytes", static_cast<double>(*size_limit_), {}});
  }

  void judge_chain(const net::PeerChain& chain, Outcome& outcome) const override {
    judge_certificate_age(chain, prepared_.target, std::chrono::days(settings_.min_days), context_.scheduler.wall_now(),
                          outcome);
  }

  Outcome failure(Reason reason, const std::string& what) const {
    return Outcome::failure(reason, prepared_.target + " " + what);
  }
  void fail(Reason reason, const std::string& what) { finish(failure(reason, what)); }

  const Context& context_;
  const Prepared& prepared_;
  const SmtpSettings& settings_;
  Step step_ = Step::greeting;
  bool encrypted_ = false;  // STARTTLS was said, or there was no need to
  bool plain_ = false;      // AUTH PLAIN, which has one reply
  std::string password_;
  std::optional<bool> starttls_offered_;
  std::optional<std::uint64_t> size_limit_;
  Measurements codes_;
  std::optional<Outcome> verdict_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared = endpoint_target(schema().parse(node, path, errors), TlsBegins::at_once, node, path, errors);
  if (prepared.settings.starttls) prepared.tls = net::tls_context(prepared.settings.tls_config, node, path, errors);
  return std::make_unique<PreparedSettings<SmtpProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type smtp_type{
    .name = "smtp",
    .summary = "Greets a mail server, goes on in TLS, logs in, and asks whether it takes a recipient; sends no mail.",
    .example = R"(name: mail
type: smtp
host: mail.shop.example
port: 587
interval: 30s
timeout: 10s
starttls: true
min_days: 21
username: probe
password_file: /etc/fettle/mail.password
recipient: orders@shop.example
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_smtp_reply_code", "probe_ip_protocol", "probe_ip_addr_hash",
                     "probe_dns_lookup_time_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      auto keys = host_and_port(target);
      if (keys.back().second.empty()) keys.pop_back();
      return keys;
    },
    .other_measurements =
        with_chain({"probe_smtp_starttls_offered", "probe_smtp_size_limit_bytes", "probe_tls_certificate_refused"}),
};

}  // namespace probe
