#include "base/secret.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "base/ascii.h"
#include "base/percent.h"

namespace base {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

// Letters and digits of a name, in lower case: api-key, API_KEY and apiKey are one.
std::string letters_of(std::string_view name) {
  std::string out;
  for (const char c : name)
    if (is_alphanumeric(c)) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view one) { return same_word(name, one); });
}

// 10, 0.5, 80%, 5s, 10.0.0.1:8080: nobody's secret in an argument.
bool is_number(std::string_view text) {
  if (text.empty() || !is_digit(text[0])) return false;
  std::size_t letters = 0;
  for (const char c : text) {
    if (is_digit(c) || std::string_view(".,:;%-").find(c) != std::string_view::npos) continue;
    if (!is_alphanumeric(c) || ++letters > 2) return false;
  }
  return true;
}

bool is_public_parameter(std::string_view name, std::string_view value) {
  static constexpr std::array<std::string_view, 18> kNames{"module", "format", "verbose", "target", "service", "check",
                                                           "checks", "deep",   "full",    "pretty", "output",  "ready",
                                                           "probe",  "type",   "q",       "host",   "limit",   "node"};
  static constexpr std::array<std::string_view, 8> kWords{"true", "false", "yes", "no", "on", "off", "json", ""};
  if (value.starts_with("${") && value.ends_with('}')) return true;  // a place where a value goes, not the value
  if (names_secret(name)) return false;
  return is_one_of(name, kNames) || is_one_of(value, kWords) ||
         (value.size() <= 6 && std::all_of(value.begin(), value.end(), is_digit));
}

// One word of a text on its way to be shown, and what was hidden in it.
class Word {
 public:
  Word(std::string word, std::vector<std::string>& found) : word_(std::move(word)), found_(found) {}

  std::string shown(std::string_view before) && {
    const std::size_t scheme = word_.find("://");
    if (hide_after(before)) return std::move(word_);
    if (scheme != std::string::npos) hide_in_url(scheme + 3);
    else hide_user_information();
    hide_values();
    return std::move(word_);
  }

 private:
  void hide(std::size_t from, std::size_t size) {
    if (size == 0 || std::string_view(word_).substr(from).starts_with(kHidden)) return;
    std::string value = word_.substr(from, size);
    if (value.starts_with("${") && value.ends_with('}')) return;
    if (std::string decoded = percent_decode(value); decoded != value) found_.push_back(std::move(decoded));
    found_.push_back(std::move(value));
    word_.replace(from, size, kHidden);
  }

  // By the word before it: an option or a field that names a secret, or the scheme of an Authorization header.
  bool hide_after(std::string_view before) {
    if (word_.empty() || before.empty()) return false;
    const std::size_t quote = word_.find_first_not_of("\"'");
    const std::size_t end = word_.find_last_not_of("\"',;)}]");
    if (quote == std::string::npos || end == std::string::npos || end < quote) return false;
    const bool field = before.ends_with("\":") || before.ends_with("':");
    const bool option = before.starts_with("-") && before.find_first_of("=<") == std::string_view::npos;
    static constexpr std::array<std::string_view, 4> kShort{"-p", "-P", "-a", "-w"};
    const bool short_option =
        std::find(kShort.begin(), kShort.end(), before) != kShort.end() && !is_number(word_) && word_[0] != '/';
    const bool scheme = before.ends_with("Bearer") || before.ends_with("Basic") || before.ends_with("Digest");
    const bool token =
        end - quote >= 5 && std::any_of(word_.begin(), word_.end(), [](char c) {
          return is_digit(c) || c == '=' || c == '.' || c == '_' || std::isupper(static_cast<unsigned char>(c)) != 0;
        });
    if (!(field && names_secret(before)) && !(option && names_secret(before) && word_[0] != '-') && !short_option &&
        !(scheme && token))
      return false;
    hide(quote, end + 1 - quote);
    return true;
  }

  void hide_in_url(std::size_t authority) {
    std::size_t end = std::min(word_.find_first_of("/?#", authority), word_.size());
    std::size_t at = word_.rfind('@', end - 1);
    if (at == std::string::npos || at < authority) {
      // A password with a slash in it: what should be the port is none.
      const std::size_t colon = word_.find(':', authority), later = word_.rfind('@');
      const bool no_port = colon != std::string::npos && colon < end && word_[authority] != '[' &&
                           !std::all_of(word_.begin() + static_cast<std::ptrdiff_t>(colon) + 1,
                                        word_.begin() + static_cast<std::ptrdiff_t>(end), is_digit);
      at = no_port && later != std::string::npos && later > end ? later : std::string::npos;
    }
    if (at != std::string::npos && at > authority) {
      const std::size_t colon = word_.find(':', authority);
      if (colon != std::string::npos && colon < at) {
        // Both, in one piece: a token may stand in the place of the user.
        const std::string password = word_.substr(colon + 1, at - colon - 1);
        if (!password.empty()) found_.push_back(password);
        if (std::string decoded = percent_decode(password); decoded != password) found_.push_back(std::move(decoded));
      }
      hide(authority, at - authority);
    }
    hide_query();
  }

  void hide_query() {
    constexpr std::string_view kNext = "&;#";
    for (std::size_t mark = word_.find_first_of("?#"); mark != std::string::npos;) {
      const std::size_t begin = mark + 1;
      std::size_t end = std::min(word_.find_first_of("&;#\"'<>", begin), word_.size());
      const std::size_t equals = word_.find('=', begin);
      const bool named = equals != std::string::npos && equals < end;
      const std::size_t value = named ? equals + 1 : begin;
      const std::string_view name = std::string_view(word_).substr(begin, named ? equals - begin : 0);
      if (std::string_view(word_).substr(value).starts_with(kHidden) ||
          !may_be_shown(name, std::string_view(word_).substr(value, end - value), word_[mark])) {
        hide(value, end - value);
        end = value + kHidden.size();
      }
      mark = end < word_.size() && kNext.find(word_[end]) != std::string_view::npos ? end : std::string::npos;
    }
  }

  // A query without names is a secret as a whole if it may be one.
  static bool may_be_shown(std::string_view name, std::string_view value, char mark) {
    if (!name.empty()) return is_public_parameter(name, value);
    return value.empty() || mark == '#' || (value.size() < 12 && std::none_of(value.begin(), value.end(), is_digit));
  }

  // user:password@host without a scheme.
  void hide_user_information() {
    const std::size_t at = word_.find('@');
    if (at == std::string::npos || at + 1 == word_.size()) return;
    const std::size_t begin = word_.find_last_of("/@\"'(=,", at - (at > 0 ? 1 : 0));
    const std::size_t from = begin == std::string::npos || begin >= at ? 0 : begin + 1;
    const std::size_t colon = word_.find(':', from);
    if (colon == std::string::npos || colon == from || colon + 1 >= at) {
      // name@user:password@host
      const std::size_t second = word_.find('@', at + 1);
      const std::size_t inner = word_.find(':', at + 1);
      if (second != std::string::npos && inner != std::string::npos && inner > at + 1 && inner + 1 < second)
        hide_login(at + 1, inner, second);
      return;
    }
    hide_login(from, colon, at);
  }

  void hide_login(std::size_t from, std::size_t colon, std::size_t at) {
    found_.push_back(word_.substr(colon + 1, at - colon - 1));
    hide(from, at - from);
  }

  // name=value and "name":"value", wherever they stand in the word.
  void hide_values() {
    for (std::size_t mark = word_.find_first_of("=:"); mark != std::string::npos;
         mark = word_.find_first_of("=:", mark + 1)) {
      const bool quoted = mark > 0 && (word_[mark - 1] == '"' || word_[mark - 1] == '\'');
      if (word_[mark] == ':' && !quoted) continue;
      const std::size_t name_end = quoted ? mark - 1 : mark;
      const std::size_t before = name_end == 0 ? std::string::npos : word_.find_last_of("?&;,{}()[]\"'|", name_end - 1);
      const std::size_t name = before == std::string::npos ? 0 : before + 1;
      if (name >= name_end || !names_secret(std::string_view(word_).substr(name, name_end - name))) continue;
      const std::size_t value = std::min(word_.find_first_not_of("\"'", mark + 1), word_.size());
      const std::string_view rest = std::string_view(word_).substr(value);
      if (rest.starts_with(kHidden) || rest.starts_with("${")) continue;
      const std::size_t end = std::min(word_.find_first_of("&;\"'{}|", value), word_.size());
      hide(value, end - value);
    }
  }

  std::string word_;
  std::vector<std::string>& found_;
};

// A text with each of its words as `shown` has it; what is between them stays.
template <typename Shown>
std::string by_words(std::string_view text, Shown shown) {
  std::string out;
  while (!text.empty()) {
    const std::size_t blanks = std::min(text.find_first_not_of(kBlanks), text.size());
    out += text.substr(0, blanks);
    text.remove_prefix(blanks);
    const std::string word(text.substr(0, text.find_first_of(kBlanks)));
    text.remove_prefix(word.size());
    out += shown(word);
  }
  return out;
}

std::string scrub(std::string_view text, std::vector<std::string>& found) {
  std::string before;
  return by_words(text, [&](const std::string& word) {
    const std::string out = Word(word, found).shown(before);
    before = word;
    return out;
  });
}

// A command line, word by word: what a program is told, and what a shell is told to run.
class Command {
 public:
  explicit Command(std::vector<std::string>& found) : found_(found) {}

  std::string next(const std::string& word) {
    const bool one_word = word.find_first_of(kBlanks) == std::string::npos;
    std::string out;
    if (!one_word && before_.starts_with("-") && names_secret(before_)) out = hidden(word);
    else out = one_word ? shown(word) : line(without_header(word));
    before_ = word;
    return out;
  }

 private:
  std::string hidden(const std::string& value) {
    found_.push_back(value);
    return std::string(kHidden);
  }

  std::string line(std::string_view text) {
    before_.clear();
    return by_words(text, [this](const std::string& word) {
      const std::string out = shown(word);
      before_ = word;
      return out;
    });
  }

  std::string shown(const std::string& word) {
    if (const std::string_view of_program = password_options(word); !of_program.empty()) options_ = of_program;
    const auto is_option = [this](std::string_view text) {
      return text.size() >= 2 && text[0] == '-' && options_.find(text[1]) != std::string_view::npos;
    };
    if (word.size() > 2 && is_option(word)) return word.substr(0, 2) + hidden(word.substr(2));
    if (before_.size() == 2 && is_option(before_) && before_ != "-p" && word[0] != '-') return hidden(word);
    if (const std::size_t colon = login_in(word); colon != std::string::npos)
      return word.substr(0, colon + 1) + hidden(word.substr(colon + 1));
    const std::string rest = without_header(word);
    return Word(rest, found_).shown(before_);
  }

  // Programs that take a password, or the name of a community, behind an option of one letter.
  static std::string_view password_options(std::string_view program) {
    struct Known {
      std::string_view name, options;
    };
    static constexpr std::array<Known, 7> kKnown{{{"mysql", "p"},
                                                  {"maria", "p"},
                                                  {"mongo", "p"},
                                                  {"sshpass", "p"},
                                                  {"7z", "p"},
                                                  {"snmp", "cAX"},
                                                  {"check_snmp", "CAX"}}};
    program.remove_prefix(program.rfind('/') == std::string_view::npos ? 0 : program.rfind('/') + 1);
    for (const Known& each : kKnown)
      if (program.starts_with(each.name)) return each.options;
    return {};
  }

  // Where the user ends in what -u (curl) and -U (smbclient) are given; npos: there is no password.
  std::size_t login_in(std::string_view word) const {
    static constexpr std::array<std::string_view, 5> kOptions{"-u", "-U", "--user", "--proxy-user", "--http-user"};
    const bool attached = word.starts_with("-u") || word.starts_with("-U");
    if (!attached && std::find(kOptions.begin(), kOptions.end(), before_) == kOptions.end())
      return std::string_view::npos;
    const std::size_t mark = word.find_first_of(":%", attached ? 3 : 1);
    if (mark == std::string_view::npos || mark + 1 == word.size() || word.substr(mark).starts_with("://") ||
        is_number(word.substr(mark + 1)))
      return std::string_view::npos;
    return mark;
  }

  // A header: X-Api-Key: abc, to the end of its quotes.
  std::string without_header(std::string text) {
    const auto in_name = [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; };
    for (std::size_t mark = text.find(':'); mark != std::string::npos; mark = text.find(':', mark + 1)) {
      std::size_t begin = mark;
      while (begin > 0 && in_name(text[begin - 1])) --begin;
      if (!names_secret(std::string_view(text).substr(begin, mark - begin))) continue;
      const std::size_t value = std::min(text.find_first_not_of(kBlanks, mark + 1), text.size());
      const char quote = begin > 0 && (text[begin - 1] == '"' || text[begin - 1] == '\'') ? text[begin - 1] : '\0';
      const std::size_t end = quote == '\0' ? text.size() : std::min(text.find(quote, value), text.size());
      const std::string hide = text.substr(value, end - value);
      if (hide.empty() || hide.starts_with("//") || hide.find("${") != std::string::npos || hide == kHidden) continue;
      found_.push_back(hide);
      if (const std::size_t blank = hide.find_last_of(kBlanks); blank != std::string::npos)
        found_.push_back(hide.substr(blank + 1));
      text.replace(value, hide.size(), kHidden);
    }
    return text;
  }

  std::vector<std::string>& found_;
  std::string before_;
  std::string_view options_;  // those of the program that was named last
};

std::vector<std::string> scrub(const std::vector<std::string>& command, std::vector<std::string>& found) {
  Command line(found);
  std::vector<std::string> out;
  for (const std::string& word : command) out.push_back(line.next(word));
  return out;
}

void tidy(std::vector<std::string>& values) {
  std::sort(values.begin(), values.end(),
            [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; });
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

bool names_secret(std::string_view name) {
  const std::string plain = letters_of(name);
  if (plain.ends_with("file") || plain.ends_with("files")) return false;
  static constexpr std::array<std::string_view, 22> kParts{
      "secret",        "password",   "passwd",     "passphrase", "passwort",   "token",
      "authorization", "cookie",     "credential", "apikey",     "accesskey",  "privatekey",
      "routingkey",    "servicekey", "signingkey", "sharedkey",  "webhookurl", "connectheader",
      "signature",     "assertion",  "authkey",    "bearer"};
  static constexpr std::array<std::string_view, 9> kWords{"key", "sig", "auth", "pw",  "pwd",
                                                          "pin", "otp", "jwt",  "hmac"};
  return std::any_of(kParts.begin(), kParts.end(),
                     [&](std::string_view part) { return plain.find(part) != std::string::npos; }) ||
         std::find(kWords.begin(), kWords.end(), plain) != kWords.end() || plain.ends_with("pwd") ||
         (plain.ends_with("pass") && plain != "bypass");
}

bool is_public_header(std::string_view name) {
  static constexpr std::array<std::string_view, 14> kNames{
      "Accept",       "Accept-Charset", "Accept-Encoding", "Accept-Language", "Cache-Control",   "Connection",
      "Content-Type", "Host",           "Origin",          "User-Agent",      "X-Forwarded-For", "X-Forwarded-Proto",
      "Range",        "Pragma"};
  return is_one_of(name, kNames);
}

bool is_public_variable(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kNames{"PATH", "HOME", "LANG",  "LC_ALL", "TZ",
                                                          "TERM", "USER", "SHELL", "PWD"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

std::string without_secrets(std::string_view text) {
  std::vector<std::string> found;
  return scrub(text, found);
}

std::vector<std::string> without_secrets(const std::vector<std::string>& command) {
  std::vector<std::string> found;
  return scrub(command, found);
}

std::string origin_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::string(url.empty() ? url : kHidden);
  const std::size_t end = url.find_first_of("/?#", scheme + 3);
  const std::string origin = without_secrets(url.substr(0, end));
  const bool more = end != std::string_view::npos && end + 1 < url.size();
  return origin + (end == std::string_view::npos ? "" : "/") + (more ? std::string(kHidden) : "");
}

std::vector<std::string> secrets_in(std::string_view text) {
  std::vector<std::string> found;
  (void)scrub(text, found);
  tidy(found);
  return found;
}

std::vector<std::string> secrets_in(const std::vector<std::string>& command) {
  std::vector<std::string> found;
  (void)scrub(command, found);
  tidy(found);
  return found;
}

void KnownSecrets::add_text(std::string_view text) {
  constexpr std::size_t kLong = 6;
  constexpr std::size_t kShortest = 5;  // PING and its like are what a peer may well speak of
  for (const std::string& value : secrets_in(text)) add(value);
  std::string_view before;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = take_line(rest);
    if (line.size() >= kShortest) add(line);
    for (std::string_view words = line; !words.empty();) {
      words.remove_prefix(std::min(words.find_first_not_of(kBlanks), words.size()));
      const std::string_view word = words.substr(0, words.find_first_of(kBlanks));
      words.remove_prefix(word.size());
      static constexpr std::array<std::string_view, 6> kOrders{"AUTH", "PASS", "PASSWORD", "LOGIN", "TOKEN", "Bearer"};
      const bool looks_like_one = word.size() >= kLong && !word.starts_with("HTTP/") && word[0] != '/' &&
                                  std::any_of(word.begin(), word.end(), is_digit) && !is_number(word);
      if (looks_like_one || is_one_of(before, kOrders)) add(word);
      before = word;
    }
  }
}

}  // namespace base
