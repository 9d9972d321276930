#include "encoding/mysql_session.h"

#include <algorithm>
#include <utility>

#include "crypto/digest.h"

namespace encoding {
namespace {

using Event = MysqlSession::Event;
using Kind = Event::Kind;
using model::Reason;

constexpr std::size_t kLongest = 60 * 1024;  // of a packet
constexpr const char* kOther = "does not speak MySQL's protocol";

Event failed(Reason reason, std::string text) { return {Kind::failed, std::move(text), reason}; }

}  // namespace

Event MysqlSession::hear(std::string& bytes) {
  if (bytes.size() < 4) return {};
  const std::size_t size = mysql::Reader(bytes).number(3);
  if (size > kLongest) return failed(Reason::protocol_error, kOther);
  if (bytes.size() < size + 4) return {};
  sequence_ = static_cast<std::uint8_t>(bytes[3]);
  const std::string payload = bytes.substr(4, size);
  bytes.erase(0, size + 4);
  if (payload.empty()) return failed(Reason::protocol_error, "sent an empty packet");
  switch (step_) {
    case Step::greeting: return greeted(payload);
    case Step::login: return answered_login(payload);
    case Step::giving_up: return *given_up();
    case Step::asking: break;
  }
  return answered(payload);
}

Event MysqlSession::reply(std::string_view payload) { return {Kind::send, packet(payload)}; }

Event MysqlSession::greeted(const std::string& payload) {
  if (payload[0] == '\xff') return refused(payload);
  auto greeting = mysql::read_greeting(payload);
  if (!greeting) return failed(Reason::protocol_error, kOther);
  greeting_ = std::move(*greeting);
  step_ = Step::login;
  if (!login_.tls) return {Kind::send, log_in()};
  if ((greeting_.capabilities & mysql::kTls) == 0) return failed(Reason::tls_handshake, "does not offer TLS");
  return {Kind::secure, packet(capabilities())};
}

// What this side can, its longest packet, utf8mb4, and nothing.
std::string MysqlSession::capabilities() const {
  const std::uint32_t can = mysql::kLongPassword | mysql::kLongFlag | mysql::kProtocol41 | mysql::kTransactions |
                            mysql::kSecureConnection | mysql::kPluginAuth |
                            (login_.database.empty() ? 0 : mysql::kWithDatabase) | (login_.tls ? mysql::kTls : 0);
  return mysql::little_endian(can, 4) + mysql::little_endian(1 << 24, 4) + "\x2d" + std::string(23, '\0');
}

std::string MysqlSession::log_in() {
  const auto password = login_.password();
  // The handshake goes on without: what is broken off in its middle counts against this host.
  password_ = password.value_or("");
  if (!password) {
    why_not_ = "wants a password; there is none: " + password.error().text;
    refusal_ = Reason::agent_overloaded;  // nothing is wrong with the server
  }
  plugin_ = greeting_.plugin;
  auto proof = mysql::proof(plugin_, password_, greeting_.salt);
  if (!proof) {  // the server will say whether this user logs in another way
    plugin_ = "mysql_native_password";
    proof = mysql::proof(plugin_, password_, greeting_.salt);
  }
  return packet(capabilities() + login_.username + '\0' + static_cast<char>(proof->size()) + *proof +
                (login_.database.empty() ? std::string() : login_.database + '\0') + plugin_ + '\0');
}

Event MysqlSession::answered_login(const std::string& payload) {
  mysql::Reader in(payload);
  switch (in.number(1)) {
    case 0x00: step_ = Step::asking; return {Kind::ready};
    case 0xff: return refused(payload);
    case 0xfe: {
      plugin_ = in.until_zero();
      greeting_.salt = in.text(20);
      if (const auto proof = mysql::proof(plugin_, password_, greeting_.salt)) return reply(*proof);
      // The password in clear text, for servers that check it by PAM or LDAP: only over a connection that is private.
      if (plugin_ == "mysql_clear_password" && login_.in_clear) return reply(password_ + '\0');
      return give_up("wants a login that this probe does not speak (" + plugin_ +
                     "); give this user mysql_native_password or caching_sha2_password");
    }
    case 0x01: return more(in.rest());
    default: return failed(Reason::protocol_error, kOther);
  }
}

// caching_sha2_password: known to the server's cache, or the password itself is wanted.
Event MysqlSession::more(const std::string& what) {
  if (what == "\x03") return {Kind::heard};  // it is known; the OK follows
  if (what == "\x04" && login_.in_clear) return reply(password_ + '\0');
  if (what == "\x04" && login_.public_key_retrieval) return reply("\x02");
  if (what == "\x04")
    return give_up("wants the password itself, once; set tls, use unix_socket, or set public_key_retrieval");
  std::string secret = password_ + '\0';
  for (std::size_t i = 0; i < secret.size(); ++i)
    secret[i] = static_cast<char>(secret[i] ^ greeting_.salt[i % greeting_.salt.size()]);
  const auto sealed = crypto::rsa_oaep(what, secret);
  if (!login_.public_key_retrieval || !sealed) return give_up("sent no public key to log in with");
  return reply(*sealed);
}

// Lets the server end the login with its own refusal: a handshake that is finished is not held against this host.
Event MysqlSession::give_up(std::string why) {
  why_not_ = std::move(why);
  step_ = Step::giving_up;
  return reply("");
}

std::optional<Event> MysqlSession::given_up() const {
  if (step_ != Step::giving_up) return std::nullopt;
  return failed(refusal_, why_not_);
}

Event MysqlSession::refused(const std::string& payload) const {
  const auto [code, text] = mysql::read_error(payload);
  std::string said = "answered with error " + std::to_string(code) + ": " + text;
  // 1044, 1045, 1698: access denied; 1251, 1275, 1862: methods and expired passwords; 1129: this host is locked out.
  constexpr int kLogin[] = {1044, 1045, 1251, 1275, 1698, 1862, 1820};
  if (std::find(std::begin(kLogin), std::end(kLogin), code) != std::end(kLogin))
    return failed(refusal_, why_not_.empty() ? said : why_not_);
  if (code == 1129) return failed(Reason::auth_failed, said + "; somebody on this node breaks off its handshakes");
  return failed(code == 1040 ? Reason::queue_saturated : Reason::status_mismatch, said);
}

std::string MysqlSession::query(const std::string& sql) {
  answer_ = {};
  part_ = Part::header;
  return mysql::packet(0, "\x03" + sql);
}

Event MysqlSession::answered(const std::string& payload) {
  const auto first = static_cast<unsigned char>(payload[0]);
  if (first == 0xff) {
    auto [code, text] = mysql::read_error(payload);
    return {Kind::error, std::move(text), Reason::none, code};
  }
  const bool end = first == 0xfe && payload.size() < 9;
  if (part_ == Part::header) {
    if (first == 0x00) return {Kind::ready};  // an OK: the statement gave no rows and no columns
    columns_left_ = mysql::Reader(payload).length();
    part_ = Part::columns;
  } else if (part_ == Part::columns) {
    if (end) {
      part_ = Part::rows;
      return {Kind::heard};
    }
    mysql::Reader in(payload);
    for (int i = 0; i < 4; ++i) in.value();  // catalog, schema, table, original table
    answer_.columns.push_back(in.value().value_or(""));
    if (answer_.columns.size() > columns_left_)
      return failed(Reason::protocol_error, "sent more columns than it had said");
  } else if (end) {
    return {Kind::ready};
  } else if (answer_.rows.size() <= MysqlAnswer::kMostRows) {
    mysql::Reader in(payload);
    auto& row = answer_.rows.emplace_back();
    while (!in.at_end()) row.push_back(in.value());
    if (in.broken()) return failed(Reason::protocol_error, "sent a broken row");
  }
  return {Kind::heard};
}

}  // namespace encoding
