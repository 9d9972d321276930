#include "encoding/mail.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/ascii.h"
#include "base/rune.h"

namespace encoding {
namespace {

constexpr std::size_t kHeaderLine = 72;   // longer values are folded, which only encoded words can be anywhere
constexpr std::size_t kEncodedWord = 63;  // letters of an encoded word, which has at most 75 with its frame
constexpr std::size_t kBodyLine = 76;

bool is_printable(char c) { return c >= ' ' && c <= '~'; }

std::string escaped(char c) { return fmt::format("={:02X}", static_cast<unsigned char>(c)); }

// The Q encoding of a word in a header.
std::string q_encoded(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const bool plain = base::is_alphanumeric(c) || std::string_view("!*+-/.,:()").find(c) != std::string_view::npos;
    if (c == ' ') out += '_';
    else out += plain ? std::string(1, c) : escaped(c);
  }
  return out;
}

// Takes the next address off `list`, up to a comma that stands in no quotes and no brackets.
std::string_view take_part(std::string_view& list) {
  bool quoted = false, bracketed = false;
  std::size_t at = 0;
  for (; at < list.size(); ++at) {
    const char c = list[at];
    if (c == '\\' && quoted) ++at;
    else if (c == '"') quoted = !quoted;
    else if (!quoted && (c == '<' || c == '>')) bracketed = c == '<';
    else if (c == ',' && !quoted && !bracketed) break;
  }
  const std::string_view part = base::trim(list.substr(0, std::min(at, list.size())));
  list.remove_prefix(std::min(at + 1, list.size()));
  return part;
}

// What may stand between < and >: a path with control characters would be further commands.
bool is_mailbox(std::string_view text) {
  const std::size_t at = text.rfind('@');
  return at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c <= '~' && c != '<' && c != '>' && c != ','; });
}

std::string unquoted(std::string_view name) {
  if (name.size() < 2 || name.front() != '"' || name.back() != '"') return std::string(name);
  std::string out;
  for (std::size_t i = 1; i + 1 < name.size(); ++i) {
    if (name[i] == '\\' && i + 2 < name.size()) ++i;
    out += name[i];
  }
  return out;
}

std::string part(std::string_view type, std::string_view text) {
  return fmt::format("Content-Type: {}; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}", type,
                     quoted_printable(text));
}

}  // namespace

base::Result<std::vector<MailAddress>> parse_mail_addresses(std::string_view list) {
  std::vector<MailAddress> out;
  while (!list.empty()) {
    const std::string_view whole = take_part(list);
    if (whole.empty()) continue;
    MailAddress address{"", std::string(whole)};
    if (const std::size_t open = whole.rfind('<'); open != std::string_view::npos && whole.back() == '>')
      address = {unquoted(base::trim(whole.substr(0, open))),
                 std::string(whole.substr(open + 1, whole.size() - open - 2))};
    if (!is_mailbox(address.mailbox))
      return base::fail(base::Kind::invalid,
                        fmt::format("'{}' is no mail address: write NAME@HOST or Name <NAME@HOST>", whole));
    out.push_back(std::move(address));
  }
  if (out.empty()) return base::fail(base::Kind::invalid, "there is no mail address");
  return out;
}

std::string mail_addresses_header(const std::vector<MailAddress>& addresses) {
  std::string out;
  for (const MailAddress& each : addresses) {
    if (!out.empty()) out += ",\r\n ";
    if (each.name.empty()) {
      out += each.mailbox;
      continue;
    }
    const bool word = std::all_of(each.name.begin(), each.name.end(),
                                  [](char c) { return base::is_alphanumeric(c) || c == ' ' || c == '-'; });
    std::string name = word ? each.name : mail_header_value(each.name);
    if (!word && !name.starts_with("=?")) {  // plain, with signs that mean something in a list of addresses
      std::string inner;
      for (const char c : each.name) inner += c == '"' || c == '\\' ? fmt::format("\\{}", c) : std::string(1, c);
      name = "\"" + inner + "\"";
    }
    out += fmt::format("{} <{}>", name, each.mailbox);
  }
  return out;
}

std::string mail_header_value(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n' || c == '\t'; }, ' ');
  line = std::string(base::trim(line));
  const bool looks_encoded = line.find("=?") != std::string::npos;
  if (!looks_encoded && line.size() <= kHeaderLine && std::all_of(line.begin(), line.end(), is_printable)) return line;
  std::string out, word;
  const auto end_word = [&] {
    out += fmt::format("{}=?utf-8?q?{}?=", out.empty() ? "" : "\r\n ", word);
    word.clear();
  };
  for (std::string_view rest = line; !rest.empty();) {
    std::size_t bytes = 0;
    base::first_rune(rest, bytes);
    const std::string next = q_encoded(rest.substr(0, bytes));
    if (word.size() + next.size() > kEncodedWord) end_word();
    word += next;
    rest.remove_prefix(bytes);
  }
  end_word();
  return out;
}

std::string quoted_printable(std::string_view text) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') {
      out += "\r\n";
      column = 0;
      continue;
    }
    const bool line_ends = i + 1 == text.size() || text[i + 1] == '\n' || text.substr(i + 1, 2) == "\r\n";
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    const bool blank = c == ' ' || c == '\t';
    const bool plain = (is_printable(c) && c != '=' && !(blank && line_ends)) || (c == '\t' && !line_ends);
    const std::string next = plain ? std::string(1, c) : escaped(c);
    if (column + next.size() >= kBodyLine) {
      out += "=\r\n";
      column = 0;
    }
    out += next;
    column += next.size();
  }
  return out;
}

std::string mail_date(base::WallTime t) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = base::to_ms(t) / 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} +0000", kDays[utc.tm_wday], utc.tm_mday, kMonths[utc.tm_mon],
                     utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string make_mail(const std::vector<std::pair<std::string, std::string>>& headers, std::string_view text,
                      std::string_view html, std::string_view boundary) {
  std::string out;
  for (const auto& [name, value] : headers) out += fmt::format("{}: {}\r\n", name, value);
  out += "MIME-Version: 1.0\r\n";
  if (html.empty()) return out + part("text/plain", text) + "\r\n";
  if (text.empty()) return out + part("text/html", html) + "\r\n";
  // "=_" stands in no line of a quoted-printable text.
  const std::string line = fmt::format("=_{}", boundary);
  return out +
         fmt::format(
             "Content-Type: multipart/alternative; boundary=\"{0}\"\r\n\r\n--{0}\r\n{1}\r\n--{0}\r\n{2}\r\n--{0}--\r\n",
             line, part("text/plain", text), part("text/html", html));
}

}  // namespace encoding
