// A client's side of a session with MySQL or MariaDB, without its connection: what came is fed in, what is to be sent
// comes out. It logs in by mysql_native_password and caching_sha2_password, and gives the password itself where that is
// safe. A login that it cannot do is ended by an empty answer, never broken off: the server would count that against
// this host. One session; from every thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "encoding/mysql_packet.h"
#include "model/outcome.h"

namespace encoding {

// Rows of one answer, as text; a NULL is nothing.
struct MysqlAnswer {
  static constexpr std::size_t kMostRows = 100;  // what is beyond is not kept, but for one
  std::vector<std::string> columns{};
  std::vector<std::vector<std::optional<std::string>>> rows{};
};

class MysqlSession {
 public:
  struct Login {
    std::string username, database{};                     // "": no database
    std::function<base::Result<std::string>()> password;  // when the server wants it
    bool tls = false;                                     // go on in TLS after the greeting
    bool in_clear = false;              // the connection is private: the password may be sent in clear text
    bool public_key_retrieval = false;  // take the key that seals it from the server
  };
  struct Event {
    // more: the rest of a packet has to come. heard: nothing is to be done. send: `text` is to be sent. secure: the
    // same, in the clear, and TLS begins behind it; log_in() is what is sent then. ready: for a query; after one its
    // answer is there. error: the server says so of a query. failed: the session is over, `text` says why.
    enum class Kind { more, heard, send, secure, ready, error, failed };
    Kind kind = Kind::more;
    std::string text{};                          // of error: what the server says; of failed: what the server does
    model::Reason reason = model::Reason::none;  // of failed
    int code = 0;                                // of error
  };

  explicit MysqlSession(Login login) : login_(std::move(login)) {}

  // Takes one packet off `bytes`.
  Event hear(std::string& bytes);
  std::string log_in();
  std::string query(const std::string& sql);
  static std::string goodbye() { return mysql::packet(0, "\x01"); }

  // Of the query before this event, as far as it has come.
  MysqlAnswer take_answer() { return std::exchange(answer_, {}); }
  const std::string& version() const { return greeting_.version; }  // after the greeting
  // Why this side has given up the login. Some servers close the connection then, without a word.
  std::optional<Event> given_up() const;

 private:
  enum class Step { greeting, login, giving_up, asking };
  enum class Part { header, columns, rows };

  Event greeted(const std::string& payload);
  Event answered_login(const std::string& payload);
  Event more(const std::string& what);
  Event give_up(std::string why);
  Event refused(const std::string& payload) const;
  Event answered(const std::string& payload);
  Event reply(std::string_view payload);
  std::string packet(std::string_view payload) { return mysql::packet(++sequence_, payload); }
  std::string capabilities() const;

  Login login_;
  Step step_ = Step::greeting;
  Part part_ = Part::header;
  mysql::Greeting greeting_;
  std::uint8_t sequence_ = 0;  // of the packet that came last
  std::string password_, plugin_;
  std::string why_not_;                                 // this side cannot log in
  model::Reason refusal_ = model::Reason::auth_failed;  // whose fault that is
  std::uint64_t columns_left_ = 0;
  MysqlAnswer answer_;
};

}  // namespace encoding
