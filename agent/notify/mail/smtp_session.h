// Hands one mail to a mail server (RFC 5321, 3207, 4954), on the loop: libcurl's SMTP waits for the reply to the
// message and to QUIT inside its calls, for as long as the server likes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"
#include "notify/notifier.h"

namespace net {
class TlsContext;
}  // namespace net

namespace notify {

struct MailServer {
  std::string host;
  std::uint16_t port = 25;
  bool tls_at_once = false;                // smtps
  bool require_tls = true;                 // STARTTLS, or nothing is sent
  std::shared_ptr<net::TlsContext> tls{};  // for both
  std::string hello = "localhost";
};

// What to log in with; no user: nothing. The password is for PLAIN and LOGIN, the secret for CRAM-MD5.
struct MailLogin {
  std::string username, password, secret, identity;
};

struct Mail {
  std::string from;                     // mailboxes, as MAIL FROM and RCPT TO have them
  std::vector<std::string> recipients;  // at least one
  std::string content;                  // headers and body; lines end with CRLF
  base::WallTime created{};
};

// While a mail is younger than this, a recipient that the server puts off holds it for all: who gets it now would get
// it again later. Then those get it that can.
inline constexpr base::Millis kPutOff{60'000};

// `done` comes once, in a later turn. Recipients that are refused while others are taken are logged, and the mail
// counts as taken.
loop::Handle send_mail(const Context& context, const MailServer& server, MailLogin login, Mail mail,
                       base::Instant deadline, std::function<void(Sent)> done);

}  // namespace notify
