// A client's side of a session with PostgreSQL (protocol 3.0), without its connection: what came is fed in, what is to
// be sent comes out. It logs in by SCRAM-SHA-256, by MD5, or in the clear where that is safe, and takes no login that
// it does not know for one. One session; from every thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/scram.h"
#include "model/outcome.h"

namespace encoding {

// Rows of one answer, as text; a NULL is nothing.
struct PostgresAnswer {
  static constexpr std::size_t kMostRows = 100;  // what is beyond is not kept, but for one
  std::vector<std::string> columns{};
  std::vector<std::vector<std::optional<std::string>>> rows{};
};

class PostgresSession {
 public:
  struct Login {
    std::string username, database;                       // "": the database of the user's name
    std::function<base::Result<std::string>()> password;  // when the server wants it
    bool in_clear = false;                                // the password may be sent as it is
  };
  struct Event {
    // more: the rest of a message has to come. heard: nothing is to be done. send: `text` is to be sent. ready: for a
    // query; after one its answer is there. error: the server says so. failed: the session is over, `text` says why.
    enum class Kind { more, heard, send, ready, error, failed };
    Kind kind = Kind::more;
    std::string text{};                          // of error and failed: "answered with…", what the server does
    model::Reason reason = model::Reason::none;  // of failed
    std::string code{};                          // of error
  };

  explicit PostgresSession(Login login) : login_(std::move(login)) {}

  // What asks for TLS, to which 'S' is the answer; the first message; a query; the last message.
  static std::string tls_request();
  std::string begin() const;
  static std::string query(const std::string& sql);
  static std::string goodbye();

  // Takes one message off `bytes`.
  Event hear(std::string& bytes);
  // Of the query before this event, as far as it has come.
  PostgresAnswer take_answer() { return std::exchange(answer_, {}); }

 private:
  Event authenticate(std::size_t method, const std::string& body);
  void read_columns(std::string_view body);
  void read_row(std::string_view row);

  Login login_;
  std::optional<crypto::ScramClient> scram_;
  bool proven_ = false, authenticated_ = false;
  PostgresAnswer answer_;
};

}  // namespace encoding
