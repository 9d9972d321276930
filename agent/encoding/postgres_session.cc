#include "encoding/postgres_session.h"

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "crypto/digest.h"

namespace encoding {
namespace {

using Event = PostgresSession::Event;
using Kind = Event::Kind;
using model::Reason;

constexpr std::size_t kLongest = 64 * 1024;  // of a message

std::string u32(std::size_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

std::size_t read_u32(std::string_view bytes) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < 4 && i < bytes.size(); ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return bytes.size() < 4 ? 0 : value;
}

std::string message(const std::string& type, const std::string& body) { return type + u32(body.size() + 4) + body; }

// A field of an error: 'C' is its code, 'M' what it says.
std::string field(std::string_view error, char key) {
  while (!error.empty() && error[0] != '\0') {
    const std::size_t end = std::min(error.find('\0', 1), error.size());
    if (error[0] == key) return std::string(error.substr(1, end - 1));
    error.remove_prefix(std::min(end + 1, error.size()));
  }
  return "";
}

Event send(std::string bytes) { return {Kind::send, std::move(bytes)}; }
Event failed(Reason reason, std::string text) { return {Kind::failed, std::move(text), reason}; }

}  // namespace

std::string PostgresSession::tls_request() { return u32(8) + u32(80'877'103); }
std::string PostgresSession::query(const std::string& sql) { return message("Q", sql + '\0'); }
std::string PostgresSession::goodbye() { return message("X", ""); }

std::string PostgresSession::begin() const {
  const std::string& database = login_.database.empty() ? login_.username : login_.database;
  const auto parameter = [](const std::string& key, const std::string& value) { return key + '\0' + value + '\0'; };
  return message("", u32(3 << 16) + parameter("user", login_.username) + parameter("database", database) +
                         parameter("application_name", "fettle") + '\0');
}

Event PostgresSession::hear(std::string& bytes) {
  if (bytes.size() < 5) return {};
  const std::size_t size = read_u32(std::string_view(bytes).substr(1));
  if (size < 4 || size > kLongest || std::string_view("RESZTDCKN").find(bytes[0]) == std::string_view::npos)
    return failed(Reason::protocol_error, "does not speak PostgreSQL's protocol");
  if (bytes.size() < size + 1) return {};
  const char type = bytes[0];
  const std::string body = bytes.substr(5, size - 4);
  bytes.erase(0, size + 1);
  switch (type) {
    case 'E': {
      const std::string code = field(body, 'C');
      return {Kind::error, "error " + code + ": " + field(body, 'M'), {}, code};
    }
    case 'R': return authenticate(read_u32(body), body.size() < 4 ? "" : body.substr(4));
    case 'T': read_columns(body); break;
    case 'D': read_row(body); break;
    case 'Z':
      if (!authenticated_) return failed(Reason::protocol_error, "was ready before the login was done");
      return {Kind::ready};
    default: break;
  }
  return {Kind::heard};
}

Event PostgresSession::authenticate(std::size_t method, const std::string& body) {
  if (method == 0) {
    if (scram_ && !proven_) return failed(Reason::auth_failed, "did not prove that it knows the password");
    authenticated_ = true;
    return {Kind::heard};
  }
  if (method == 11 && scram_) {
    const auto answer = scram_->final(body);
    if (!answer) return failed(Reason::protocol_error, "cannot be logged in to: " + answer.error().text);
    return send(message("p", *answer));
  }
  if (method == 12 && scram_) {
    proven_ = scram_->proves(body);
    return {Kind::heard};
  }
  const auto password = login_.password();
  if (!password) return failed(Reason::agent_overloaded, "wants a password; there is none: " + password.error().text);
  if (password->empty()) return failed(Reason::auth_failed, "wants a password; give password_file");
  if (method == 10 && body.find(std::string("SCRAM-SHA-256\0", 14)) != std::string::npos) {
    static thread_local base::Random random = base::Random::from_entropy();
    scram_.emplace("", *password, random.identifier());
    const std::string first = scram_->first();
    return send(message("p", std::string("SCRAM-SHA-256\0", 14) + u32(first.size()) + first));
  }
  if (method == 5) {
    const auto inner = crypto::md5_hex(*password + login_.username);
    const auto outer = inner ? crypto::md5_hex(*inner + body) : inner;
    if (!outer)
      return failed(Reason::agent_overloaded, "wants MD5, which is not to be had here: " + outer.error().text);
    return send(message("p", "md5" + *outer + '\0'));
  }
  if (method == 3 && login_.in_clear) return send(message("p", *password + '\0'));
  return failed(Reason::auth_failed, method == 3
                                         ? "wants the password in the clear; set tls, or scram-sha-256 at the server"
                                         : "wants a login that fettle does not speak (method " +
                                               std::to_string(method) + "); set scram-sha-256 at the server");
}

// Names, each with 18 bytes about its type.
void PostgresSession::read_columns(std::string_view body) {
  body.remove_prefix(std::min<std::size_t>(body.size(), 2));
  while (!body.empty()) {
    const std::size_t end = std::min(body.find('\0'), body.size());
    answer_.columns.emplace_back(body.substr(0, end));
    body.remove_prefix(std::min(end + 19, body.size()));
  }
}

// Values, each with its length in front; a NULL has -1.
void PostgresSession::read_row(std::string_view row) {
  if (answer_.rows.size() > PostgresAnswer::kMostRows) return;
  row.remove_prefix(std::min<std::size_t>(row.size(), 2));
  auto& values = answer_.rows.emplace_back();
  while (row.size() >= 4) {
    const std::size_t size = read_u32(row);
    row.remove_prefix(4);
    if (size == 0xffffffff) {
      values.emplace_back();
      continue;
    }
    if (size > row.size()) return values.clear();
    values.emplace_back(row.substr(0, size));
    row.remove_prefix(size);
  }
}

}  // namespace encoding
