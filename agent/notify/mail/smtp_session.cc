#include "notify/mail/smtp_session.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/hmac.h"
#include "encoding/smtp_reply.h"
#include "loop/scheduler.h"
#include "net/stream.h"
#include "net/tls/tls.h"
#include "notify/retry.h"

namespace notify {
namespace {

using encoding::SmtpReply;

constexpr std::size_t kLongestReply = 16 * 1024;

bool is_loopback(std::string_view peer) { return peer.starts_with("127.") || peer.starts_with("[::1]"); }

// A line that begins with a dot has one more on the wire (RFC 5321, 4.5.2).
std::string with_dots(const std::string& content) {
  std::string out;
  out.reserve(content.size() + 16);
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (content[i] == '.' && (i == 0 || content[i - 1] == '\n')) out += '.';
    out += content[i];
  }
  if (!out.ends_with("\r\n")) out += "\r\n";
  return out + ".\r\n";
}

class SmtpSession final : public loop::Registration {
 public:
  SmtpSession(const Context& context, const MailServer& server, MailLogin login, Mail mail, base::Instant deadline,
              std::function<void(Sent)> done)
      : context_(context), server_(server), login_(std::move(login)), mail_(std::move(mail)), done_(std::move(done)) {
    net::Dial dial;
    dial.host = server.host;
    dial.port = server.port;
    dial.deadline = deadline;
    if (server.tls_at_once) dial.tls = server.tls;
    encrypted_ = server.tls_at_once;
    connecting_ = context.dialer.connect(std::move(dial), [this](net::Connected made) { connected(std::move(made)); });
  }

 private:
  // The command whose reply is waited for.
  enum class Step { greeting, ehlo, helo, starttls, auth, auth_more, mail, rcpt, data, content, quit };

  void connected(net::Connected made) {
    connecting_.reset();
    if (made.stream == nullptr) return failed(made.failure);
    stream_ = std::move(made.stream);
    stream_->read([this](std::string_view bytes, const net::StreamFailure* failure) { received(bytes, failure); });
  }

  void received(std::string_view bytes, const net::StreamFailure* failure) {
    if (failure != nullptr) return failed(*failure);
    if (bytes.empty()) return failed({model::Reason::closed_early, stream_->peer() + " closed the connection"});
    unread_ += bytes;
    // A reply may end this session, or begin to shake hands.
    while (!shaking_) {
      bool broken = unread_.size() > kLongestReply;
      const auto reply = broken ? std::nullopt : encoding::take_smtp_reply(unread_, broken);
      if (broken)
        return failed(
            {model::Reason::protocol_error, stream_->peer() + " does not speak SMTP: " + base::shown(unread_)});
      if (!reply) return;
      if (heard(*reply) == Goes::ended) return;
    }
  }

  enum class Goes { on, ended };

  Goes heard(const SmtpReply& reply) {
    switch (step_) {
      case Step::greeting: return reply.code == 220 ? say_hello() : refused(reply);
      case Step::ehlo: return heard_ehlo(reply);
      case Step::helo: return reply.code == 250 ? begin_mail() : refused(reply);
      case Step::starttls: return reply.code == 220 ? shake_hands() : refused(reply);
      case Step::auth:
      case Step::auth_more: return heard_auth(reply);
      case Step::mail: return reply.code == 250 ? next_recipient() : refused(reply);
      case Step::rcpt: return heard_recipient(reply);
      case Step::data: return reply.code == 354 ? write_content() : refused(reply);
      case Step::content: return reply.code == 250 ? taken(reply) : refused(reply);
      case Step::quit: break;
    }
    return finish(std::move(*verdict_));
  }

  Goes ask(Step step, const std::string& command) {
    step_ = step;
    stream_->write(command + "\r\n", nullptr);
    return Goes::on;
  }

  Goes say_hello() { return ask(Step::ehlo, "EHLO " + server_.hello); }

  Goes heard_ehlo(const SmtpReply& reply) {
    // A server of before 1995 knows only HELO, which is enough for those who want neither TLS nor a login.
    const bool unknown = reply.code == 500 || reply.code == 502;
    if (unknown && (encrypted_ || !server_.require_tls) && login_.username.empty())
      return ask(Step::helo, "HELO " + server_.hello);
    if (reply.code != 250) return refused(reply);
    bool offers_tls = false;
    std::string mechanisms;
    for (std::size_t i = 1; i < reply.lines.size(); ++i) {
      const std::string& line = reply.lines[i];
      offers_tls = offers_tls || encoding::smtp_offer(line, "STARTTLS").has_value();
      if (const auto offered = encoding::smtp_offer(line, "AUTH"); offered && mechanisms.empty()) mechanisms = *offered;
      if (const auto size = encoding::smtp_offer(line, "SIZE"))
        most_ = base::leading_number<std::uint64_t>(*size).value_or(0);
    }
    if (server_.require_tls && !encrypted_) {
      if (offers_tls) return ask(Step::starttls, "STARTTLS");
      return leave(Fate::refused, "does not offer STARTTLS; if mail may travel in the clear, write require_tls: false");
    }
    return login_.username.empty() || mechanisms.empty() ? begin_mail() : log_in(mechanisms);
  }

  // What the server offered in the clear counts for nothing (RFC 3207, 4.2).
  Goes shake_hands() {
    shaking_ = true;
    stream_->start_tls(server_.tls, server_.host, unread_, [this](const net::StreamFailure* failure) {
      if (failure != nullptr) return failed(*failure);
      shaking_ = false;
      encrypted_ = true;
      say_hello();
    });
    return Goes::on;
  }

  Goes log_in(const std::string& mechanisms) {
    const auto offers = [&](const char* name) { return encoding::has_smtp_word(mechanisms, name); };
    if (!login_.secret.empty() && offers("CRAM-MD5")) return ask(Step::auth, "AUTH CRAM-MD5");
    if (login_.password.empty() || !(offers("PLAIN") || offers("LOGIN")))
      return leave(Fate::refused,
                   fmt::format("offers AUTH {}, for which there is no {}", base::foreign_text(mechanisms, 200),
                               login_.password.empty() ? "auth_password" : "auth_secret"));
    if (!encrypted_ && !is_loopback(stream_->peer()))
      return leave(Fate::refused, "is spoken to without TLS, in which no password is sent: write require_tls: true");
    if (!offers("PLAIN")) {
      answers_ = {login_.username, login_.password};
      return ask(Step::auth, "AUTH LOGIN");
    }
    const std::string nul(1, '\0');
    return ask(Step::auth,
               "AUTH PLAIN " + base::base64_encode(login_.identity + nul + login_.username + nul + login_.password));
  }

  Goes heard_auth(const SmtpReply& reply) {
    if (reply.code == 235) return begin_mail();
    if (reply.code != 334) return refused(reply);
    if (!answers_.empty()) {
      const std::string answer = base::base64_encode(answers_.front());
      answers_.erase(answers_.begin());
      return ask(Step::auth_more, answer);
    }
    const auto challenge = base::base64_decode(reply.lines[0]);
    if (login_.secret.empty() || !challenge || step_ == Step::auth_more) return refused(reply);
    return ask(Step::auth_more,
               base::base64_encode(login_.username + " " + crypto::hex(crypto::hmac_md5(login_.secret, *challenge))));
  }

  Goes begin_mail() {
    if (most_ > 0 && mail_.content.size() > most_)
      return leave(Fate::refused,
                   fmt::format("takes mails of at most {} bytes; this one has {}", most_, mail_.content.size()), 552);
    return ask(Step::mail, fmt::format("MAIL FROM:<{}>", mail_.from));
  }

  Goes next_recipient() { return ask(Step::rcpt, fmt::format("RCPT TO:<{}>", mail_.recipients[asked_])); }

  Goes heard_recipient(const SmtpReply& reply) {
    if (reply.code == 421) return refused(reply);
    // 251: it will forward; 252: it cannot tell and takes it (RFC 5321, 3.4 and 3.5.3).
    const bool taken = reply.code >= 250 && reply.code <= 252;
    if (taken) ++accepted_;
    else left_out_.push_back({mail_.recipients[asked_], reply});
    const bool young = context_.scheduler.wall_now() - mail_.created < kPutOff;
    if (!taken && reply.code < 500 && young) return refused(reply);
    if (++asked_ < mail_.recipients.size()) return next_recipient();
    return accepted_ > 0 ? ask(Step::data, "DATA") : refused(left_out_.front().reply);
  }

  Goes write_content() {
    step_ = Step::content;
    stream_->write(with_dots(mail_.content), nullptr);
    return Goes::on;
  }

  Goes taken(const SmtpReply& reply) {
    for (const LeftOut& each : left_out_)
      base::log::warn("a mail was not taken for one of its recipients",
                      {{"recipient", each.recipient}, {"error", said(each.reply)}});
    Sent sent;
    sent.fate = Fate::taken;
    sent.text = said(reply);
    return leave(std::move(sent));
  }

  static std::string said(const SmtpReply& reply) {
    return fmt::format("{}{}", reply.code, reply.lines[0].empty() ? "" : " " + base::foreign_text(reply.lines[0], 200));
  }

  Goes refused(const SmtpReply& reply) {
    const bool for_now = reply.code >= 400 && reply.code < 500;
    const std::string text = fmt::format("{} {}{}{}", reply.code < 400 ? "answered" : "refuses", name_of(step_),
                                         reply.code < 400 ? " with "
                                         : for_now        ? " for now: "
                                                          : ": ",
                                         said(reply));
    return leave(reply.code >= 500 ? Fate::refused : Fate::unreached, text, reply.code);
  }

  Goes leave(Fate fate, const std::string& what, int code = 0) {
    Sent sent;
    sent.fate = fate;
    sent.text = stream_->peer() + " " + what;
    // The mail is at fault where the server has looked at it.
    if (code == 552 || (code >= 500 && step_ == Step::content)) sent.blame = Blame::message;
    return leave(std::move(sent));
  }

  // QUIT is answered before the connection goes (RFC 5321, 4.1.1.10).
  Goes leave(Sent verdict) {
    verdict_ = std::move(verdict);
    return ask(Step::quit, "QUIT");
  }

  void failed(const net::StreamFailure& failure) {
    if (verdict_) return static_cast<void>(finish(std::move(*verdict_)));
    Sent sent;
    // Until the end of the mail is on its way the server has not got it.
    sent.fate = step_ == Step::content ? Fate::unknown : Fate::unreached;
    sent.text = fmt::format("{}: {}", to_string(failure.reason), base::foreign_text(failure.text, 1024));
    finish(std::move(sent));
  }

  // May destroy this object.
  Goes finish(Sent sent) {
    stream_.reset();
    const auto done = std::move(done_);
    done(std::move(sent));
    return Goes::ended;
  }

  static const char* name_of(Step step) {
    switch (step) {
      case Step::greeting: return "to serve";
      case Step::ehlo: return "EHLO";
      case Step::helo: return "HELO";
      case Step::starttls: return "STARTTLS";
      case Step::auth:
      case Step::auth_more: return "AUTH";
      case Step::mail: return "MAIL FROM";
      case Step::rcpt: return "RCPT TO";
      case Step::data: return "DATA";
      case Step::content: return "the mail";
      case Step::quit: break;
    }
    return "QUIT";
  }

  struct LeftOut {
    std::string recipient;
    SmtpReply reply;
  };

  Context context_;
  MailServer server_;
  MailLogin login_;
  Mail mail_;
  std::function<void(Sent)> done_;
  loop::Handle connecting_;
  std::unique_ptr<net::Stream> stream_;
  Step step_ = Step::greeting;
  bool encrypted_ = false, shaking_ = false;
  std::string unread_;
  std::vector<std::string> answers_;  // of AUTH LOGIN, that are still to come
  std::uint64_t most_ = 0;            // bytes that the server takes; 0: it does not say
  std::size_t asked_ = 0, accepted_ = 0;
  std::vector<LeftOut> left_out_;
  std::optional<Sent> verdict_;
};

}  // namespace

loop::Handle send_mail(const Context& context, const MailServer& server, MailLogin login, Mail mail,
                       base::Instant deadline, std::function<void(Sent)> done) {
  return loop::Handle(
      std::make_unique<SmtpSession>(context, server, std::move(login), std::move(mail), deadline, std::move(done)));
}

}  // namespace notify
