// Secret values, and texts in which they stand: made fit for pages, logs,
// metrics and terminals, with "<secret>" in their place.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret_search.h"

namespace base {

inline constexpr std::string_view kHidden = "<secret>";

// A string that never prints by itself. Call reveal() only where it is used.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

// Whether a key, an option, a variable or a parameter of this name holds a secret, by the words in it. One that ends in
// "file" names a place and holds none.
bool names_secret(std::string_view name);
// Whether everybody may see what an HTTP header or a variable of the environment of this name says.
bool is_public_header(std::string_view name);
bool is_public_variable(std::string_view name);

// A target or a text as everybody may see it. Hidden are, in URLs, user information and the values of the query but for
// small numbers and words that are known; on command lines what follows --password and its like; name=value and
// "name": "value" where the name is that of a secret; credentials behind Bearer and Basic.
std::string without_secrets(std::string_view text);
// The same for a command line that is a list, with a blank between its words.
std::vector<std::string> without_secrets(const std::vector<std::string>& command);
// Scheme and host of a URL whose path is a secret itself, as those of chat services' hooks are.
std::string origin_of(std::string_view url);
// What without_secrets() hides in the text, each value once; of a URL as it stands there and decoded.
std::vector<std::string> secrets_in(std::string_view text);
std::vector<std::string> secrets_in(const std::vector<std::string>& command);

// The secrets of one configured thing (a probe, a receiver, a hook): what comes back from its peer is shown without
// them, whatever the peer repeats of what it was told, and in whatever coding.
//
// Found are a secret as it is, with any of its characters written as a URL, a form, HTML or JSON writes it (%2f, +,
// &#47;, \u002f), its bytes in hexadecimal, and its base64 (both alphabets, with padding or without, also as a part of
// a longer text in base64). Those of 1 to 5 characters hide no ordinary words: one of a single character is found only
// where it is a whole value (all of the text, or between quotes), others only as a whole word; base64 and hexadecimal
// are looked for from 4 characters on. Of a secret of 6 characters or more its beginning is found, too, from 4
// characters on, where the text was cut within it ("…").
class KnownSecrets {
 public:
  static constexpr std::size_t kSearched = 8192;

  // The two words of a login, each as it stands or as a file that holds it. They may travel as base64 of user:password.
  struct Login {
    std::string user, user_file, password, password_file;
  };

  // A value that is a secret as a whole.
  void add(std::string_view value);
  // Text that was not written for everybody, such as a body or a line to send: it as a whole, its lines, and the words
  // in it that look like credentials.
  void add_text(std::string_view text);
  // The path of a URL that may itself be a secret: the whole of it if it is long and has a digit, and those of its
  // segments that look like tokens, with 12 characters or more, letters and digits or both cases. Other paths (/fettle)
  // are words as any text may have them.
  void add_path(std::string_view url);
  // A file with a secret, read at each use: it may have been exchanged.
  void add_file(std::string path);
  void add_login(Login login);
  void add(const KnownSecrets& others);

  bool empty() const { return values_.empty() && files_.empty() && logins_.empty(); }
  // The text without them. One that is longer than kSearched bytes is cut there, and ends in "…": what a peer sends at
  // length must not keep the loop.
  std::string blotted(std::string text) const;

 private:
  friend class SecretFilter;
  std::vector<std::string> codings() const;

  std::vector<std::string> values_;
  std::vector<std::string> files_;
  std::vector<Login> logins_;  // those with a file
};

// Several texts at once without the secrets that are known when it is made: their files are read once.
class SecretFilter {
 public:
  explicit SecretFilter(const KnownSecrets& secrets);

  std::string blotted(std::string text);  // as KnownSecrets::blotted()

 private:
  SecretSearch search_;
  bool empty_;
};

}  // namespace base
