// Mail, by a mail server that passes it on. News of one incident, or of one group of alerts, are one thread.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/ascii.h"
#include "base/number.h"
#include "config/alertmanager_global.h"
#include "config/request.h"
#include "config/schema.h"
#include "crypto/digest.h"
#include "encoding/mail.h"
#include "net/tls/tls_config.h"
#include "notify/fields.h"
#include "notify/json_service.h"
#include "notify/mail/smtp_session.h"
#include "notify/message_text.h"
#include "notify/retry.h"

namespace notify {
namespace {

using nlohmann::ordered_json;

constexpr std::uint16_t kSmtps = 465;

struct Settings {
  std::string to, from, smarthost;
  std::string hello = "localhost";
  std::string auth_username, auth_identity;
  SecretOrFile auth_password;
  base::Secret auth_secret;
  bool require_tls = true;
  net::TlsSettings tls_config;
  std::map<std::string, std::string> headers;
  std::string html = "{{ template \"email.default.html\" . }}";
  std::string text = "{{ template \"email.default.text\" . }}";
};

// Headers that say how a mail is built, or which one it is, are written here.
constexpr const char* kOwnHeaders[] = {"Auto-Submitted", "Date", "In-Reply-To", "Message-ID", "References"};

std::string header_complaint(const std::string& name, const std::string& value) {
  for (const char* own : kOwnHeaders)
    if (base::same_word(name, own)) return fmt::format("has {}, which fettle writes itself", own);
  if (base::same_word(name, "MIME-Version") || base::lower_case(name).starts_with("content-"))
    return fmt::format("has {}, which fettle writes itself", name);
  return config::header_complaint(name, value);
}

// HOST:PORT into the server. Empty: it is good.
std::string read_smarthost(const std::string& text, MailServer& server) {
  const char* const example = "write HOST:PORT, as in mail.shop.example:587";
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return example;
  const auto port = base::read_number<std::uint16_t>(text.substr(colon + 1));
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (!port || *port == 0 || host.empty()) return example;
  if (const std::string why = config::host_complaint(host); !why.empty()) return why;
  server.host = host;
  server.port = *port;
  return "";
}

void check(const Settings& s, const config::Complain& complain) {
  MailServer unused;
  if (s.smarthost.empty()) complain("", "write smarthost, or smtp_smarthost under global");
  else if (const std::string why = read_smarthost(s.smarthost, unused); !why.empty()) complain("smarthost", why);
  if (s.from.empty()) complain("", "write from, or smtp_from under global");
  if (s.to.empty()) complain("to", "must not be empty");
  for (const auto& [key, value] : {std::pair{"to", &s.to}, std::pair{"from", &s.from}})
    if (!value->empty() && value->find("{{") == std::string::npos)
      if (const auto addresses = encoding::parse_mail_addresses(*value); !addresses)
        complain(key, addresses.error().text);
  if (s.hello.empty() || s.hello.find_first_of(" \t\r\n") != std::string::npos)
    complain("hello", "must be a name without white space");
  if (s.auth_username.empty() && !s.auth_password.empty()) complain("", "auth_password needs auth_username");
  std::set<std::string> seen;
  for (const auto& [name, value] : s.headers) {
    if (const std::string why = header_complaint(name, value); !why.empty()) complain("headers", why);
    if (!seen.insert(base::lower_case(name)).second) complain("headers", fmt::format("has {} twice", name));
  }
}

const auto& schema() {
  static const auto s = [] {
    config::Schema<Settings> all("email_configs");
    all.beside(sending_schema(EndTold::when_asked));
    all.required("to", &Settings::to, "Who gets it: addresses with commas between; a Go template.")
        .optional("from", &Settings::from, "Whose mail it is; a Go template.")
        .fallback("smtp_from")
        .optional("smarthost", &Settings::smarthost,
                  "HOST:PORT of the mail server. Port 465 is spoken to in TLS from the first byte.")
        .fallback("smtp_smarthost")
        .optional("hello", &Settings::hello, "Name to give in EHLO.")
        .optional("auth_username", &Settings::auth_username, "User to log in as; empty: without a login.");
    add_secret(all, "auth_password", "auth_password_file", &Settings::auth_password, "Password for PLAIN and LOGIN.",
               Needed::no);
    all.optional("auth_secret", &Settings::auth_secret, "Secret for CRAM-MD5.")
        .optional("auth_identity", &Settings::auth_identity, "Identity for PLAIN, if it is not the user.")
        .optional("require_tls", &Settings::require_tls,
                  "Go on in TLS by STARTTLS, and send nothing to a server that does not offer it. false: in the clear, "
                  "and passwords only to this host.")
        .optional("tls_config", &Settings::tls_config, net::tls_schema(), "How to speak TLS.")
        .optional("headers", &Settings::headers, "Further headers, or others than To, From and Subject; Go templates.")
        .optional("html", &Settings::html, "The mail as HTML; a Go template. Empty: as text only.")
        .optional("text", &Settings::text, "The mail as text; a Go template. Empty: as HTML only.")
        .refuses("force_implicit_tls", config::kImplicitTlsInstead)
        .refuses("threading", "is always so: news of one incident, or of one group of alerts, are one thread")
        .check(check)
        .shows({"to", "from", "smarthost", "hello", "auth_username", "auth_identity", "headers", "html", "text"});
    return all;
  }();
  return s;
}

class Email final : public Notifier {
 public:
  Email(Settings settings, MailServer server, const TextReader& texts)
      : settings_(std::move(settings)),
        server_(std::move(server)),
        to_(texts.read("to", settings_.to)),
        from_(texts.read("from", settings_.from)),
        html_(texts.read("html", settings_.html)),
        text_(texts.read("text", settings_.text)) {
    headers_.emplace_back("Subject", texts.read("headers", "{{ template \"email.default.subject\" . }}"));
    for (const auto& own : settings_.headers) {
      std::erase_if(headers_, [&own](const auto& header) { return base::same_word(header.first, own.first); });
      headers_.emplace_back(own.first, texts.read("headers", own.second));
    }
  }

  std::string type() const override { return "email"; }
  std::vector<std::string> targets() const override { return {"smtp://" + settings_.smarthost}; }

  // What a mail says. Who it is from and what it is called, is written when it is sent.
  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    const templates::Value data = message_data(alerts, envelope);
    ordered_json headers = ordered_json::array();
    for (const auto& [name, value] : headers_) headers.push_back({name, value.expand(data)});
    const std::string node = host_name(envelope.node);
    return dump_json(ordered_json{
        {"from", from_.expand(data)},
        {"to", to_.expand(data)},
        {"headers", headers},
        {"thread", fmt::format("{}@{}", crypto::hex(crypto::sha256(envelope.group_key)).substr(0, 32), node)},
        {"node", node},
        {"text", text_.expand(data)},
        {"html", html_.expand(data, templates::MessageTemplate::Output::html)}});
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    MailLogin login{settings_.auth_username, "", settings_.auth_secret.reveal(), settings_.auth_identity};
    if (!settings_.auth_password.empty()) {
      auto password = settings_.auth_password.read();
      if (!password) return cannot_send(context, password.error(), std::move(done));
      login.password = *std::move(password);
    }
    auto mail = mail_of(message);
    if (!mail) return refuse(context, mail.error(), std::move(done));
    return send_mail(context, server_, std::move(login), *std::move(mail), deadline, std::move(done));
  }

 private:
  static std::string host_name(const std::string& node) {
    std::string out;
    for (const char c : node)
      if (base::is_alphanumeric(c) || c == '.' || c == '-' || c == '_') out += c;
    return out.empty() ? "fettle.invalid" : out;
  }

  // The same bytes at each attempt.
  static base::Result<Mail> mail_of(const Message& message) {
    const auto body = nlohmann::json::parse(message.body, nullptr, false);
    if (!body.is_object()) return base::fail(base::Kind::invalid, "the message is no mail");
    TRY(const auto from, encoding::parse_mail_addresses(body.value("from", "")));
    TRY(const auto to, encoding::parse_mail_addresses(body.value("to", "")));
    Mail mail{from.front().mailbox, {}, "", message.created};
    for (const auto& each : to) mail.recipients.push_back(each.mailbox);
    std::vector<std::pair<std::string, std::string>> headers{{"Date", encoding::mail_date(message.created)}};
    const auto add_unless_written = [&](const char* name, const std::vector<encoding::MailAddress>& addresses) {
      for (const auto& header : body["headers"])
        if (base::same_word(header[0].get<std::string>(), name)) return;
      headers.emplace_back(name, encoding::mail_addresses_header(addresses));
    };
    add_unless_written("From", from);
    add_unless_written("To", to);
    for (const auto& header : body["headers"]) headers.emplace_back(header[0], header_value(header[0], header[1]));
    const std::string thread = "<" + body.value("thread", "") + ">";
    headers.emplace_back("Message-ID", fmt::format("<{}@{}>", message.id, body.value("node", "")));
    headers.emplace_back("In-Reply-To", thread);
    headers.emplace_back("References", thread);
    headers.emplace_back("Auto-Submitted", "auto-generated");
    mail.content = encoding::make_mail(headers, body.value("text", ""), body.value("html", ""), message.id);
    return mail;
  }

  static std::string header_value(const std::string& name, const std::string& value) {
    for (const char* addresses : {"From", "To", "Cc", "Reply-To", "Sender"})
      if (base::same_word(name, addresses))
        if (const auto list = encoding::parse_mail_addresses(value)) return encoding::mail_addresses_header(*list);
    return encoding::mail_header_value(value);
  }

  // Templates gave no address: no later attempt changes that.
  static loop::Handle refuse(const Context& context, const base::Error& error, std::function<void(Sent)> done) {
    return cannot_send(context, error, [done = std::move(done)](Sent sent) {
      sent.fate = Fate::refused;
      sent.blame = Blame::message;
      done(std::move(sent));
    });
  }

  Settings settings_;
  MailServer server_;
  MessageText to_, from_, html_, text_;
  std::vector<std::pair<std::string, MessageText>> headers_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>& definitions, config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings settings = schema().parse(node, path, errors);
  MailServer server;
  (void)read_smarthost(settings.smarthost, server);
  server.tls_at_once = server.port == kSmtps;
  server.require_tls = settings.require_tls;
  server.hello = settings.hello;
  server.tls = net::tls_context(settings.tls_config, node, path, errors);
  if (errors.size() > before) return nullptr;
  auto made =
      std::make_unique<Email>(std::move(settings), std::move(server), TextReader(node, path, definitions, errors));
  if (errors.size() > before) return nullptr;
  return made;
}

constexpr GlobalDefault kDefaults[] = {{"smtp_from", "from"},
                                       {"smtp_smarthost", "smarthost"},
                                       {"smtp_hello", "hello"},
                                       {"smtp_auth_username", "auth_username"},
                                       {"smtp_auth_password", "auth_password", "auth_password_file"},
                                       {"smtp_auth_password_file", "auth_password_file", "auth_password"},
                                       {"smtp_auth_secret", "auth_secret"},
                                       {"smtp_auth_identity", "auth_identity"},
                                       {"smtp_require_tls", "require_tls"},
                                       {"smtp_tls_config", "tls_config"}};

}  // namespace

extern const NotifierType email_type;
const NotifierType email_type{
    "email",
    "Sends mail.",
    "{to: ops@shop.example, from: fettle@shop.example, smarthost: \"mail.shop.example:587\", auth_username: fettle, "
    "auth_password_file: /etc/fettle/mail.password}",
    parse,
    []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    EndTold::when_asked,
    kDefaults};

}  // namespace notify
