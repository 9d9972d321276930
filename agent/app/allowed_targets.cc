#include "app/allowed_targets.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"

namespace app {
namespace {

bool glob(const std::string& pattern, const std::string& text, int flags = 0) {
  return ::fnmatch(pattern.c_str(), text.c_str(), FNM_NOESCAPE | flags) == 0;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out;
  for (;;) {
    const std::size_t end = text.find(at);
    out.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

base::Result<TargetPattern> no_pattern(const std::string& text, std::string_view why) {
  return base::fail(base::Kind::invalid, fmt::format("'{}' fits no target: {}; write {}", text, why,
                                                     "[SCHEME://]HOST[:PORT][/PATH] with * for letters of one part"));
}

// A path that climbs would be another one for the server. Some servers cut parameters off a segment first ("..;x").
bool has_dot_segments(const std::string& rest) {
  const std::string path = base::lower_case(rest.substr(0, rest.find('?')));
  if (path.find("%2e") != std::string::npos || path.find("%2f") != std::string::npos) return true;
  for (const std::string& part : split(path, '/'))
    if (const std::string name = part.substr(0, part.find(';')); name == "." || name == "..") return true;
  return false;
}

std::string without_fragment(std::string_view url) { return std::string(url.substr(0, url.find('#'))); }

bool same_place(const Destination& a, const Destination& b) {
  return a.socket == b.socket && a.host == b.host && a.port == b.port;
}

std::string written(const Host& host, std::uint16_t port) {
  const std::string text = host.text.find(':') == std::string::npos ? host.text : "[" + host.text + "]";
  return port == 0 ? text : fmt::format("{}:{}", text, port);
}

}  // namespace

base::Result<TargetPattern> read_pattern(const std::string& text) {
  TargetPattern out;
  out.text = text;
  out.everything = text == "*";
  if (out.everything) return out;
  if (text.empty()) return no_pattern(text, "it is empty");
  if (text.front() == '/') {
    out.socket = text;
    return out;
  }
  std::string host = text, port;
  if (const std::size_t scheme = host.find("://"); scheme != std::string::npos) {
    out.scheme = base::lower_case(host.substr(0, scheme));
    if (out.scheme.empty()) return no_pattern(text, "its scheme is empty");
    host.erase(0, scheme + 3);
  }
  const std::size_t slash = std::min(host.find('/'), host.size());
  out.path = host.substr(slash);
  host = base::lower_case(host.substr(0, slash));
  if (host.find_first_of("@#\\ ") != std::string::npos) return no_pattern(text, "it has @, #, \\ or a blank");

  const std::size_t close = host.starts_with('[') ? host.find(']') : std::string::npos;
  const std::string inside = close == std::string::npos ? "" : host.substr(1, close - 1);
  const std::size_t colon = host.rfind(':');
  bool open_end = false;  // a * behind all of the host
  if (inside == "*" || inside.find(':') != std::string::npos) {
    out.v6 = inside;
    host.erase(0, close + 1);
    open_end = host == "*";
    if (!open_end && !host.empty() && host.front() != ':') return no_pattern(text, "what follows ] is no port");
    port = open_end || host.empty() ? "" : host.substr(1);
    if (!host.empty() && !open_end && port.empty()) return no_pattern(text, "its port is empty");
  } else if (std::count(host.begin(), host.end(), ':') > 1) {
    if (host.starts_with('[')) return no_pattern(text, "it has a [ without its ]");
    out.v6 = host;
  } else {
    if (colon != std::string::npos) {
      port = host.substr(colon + 1);
      host.erase(colon);
      if (port.empty()) return no_pattern(text, "its port is empty");
    }
    out.any_host = host == "*";
    open_end = colon == std::string::npos && out.path.empty() && host.ends_with('*') &&
               (out.any_host || !host.ends_with(".*"));
    if (open_end && !out.any_host) host.pop_back();
    if (!out.any_host) out.labels = split(host, '.');
  }
  if (!out.v6.empty() && out.v6.find_first_of("*?[") == std::string::npos) {
    const auto literal = read_host("[" + out.v6 + "]");
    if (!literal) return no_pattern(text, literal.error().text);
    if (literal->text.find(':') == std::string::npos) out.labels = split(literal->text, '.');
    out.v6 = out.labels.empty() ? literal->text : "";
  } else if (!out.any_host && out.v6.empty() && host.find_first_of("*?[") == std::string::npos) {
    const auto literal = read_host(host);
    if (!literal) return no_pattern(text, literal.error().text);
    out.labels = split(literal->text, '.');
  }
  if (port.find_first_not_of("0123456789*?[]-") != std::string::npos) return no_pattern(text, "its port is no number");
  for (const std::string& label : out.labels)
    if (label.empty()) return no_pattern(text, "a part of its host is empty");
  out.port = port;
  out.any_port = open_end;
  out.any_path = out.path.empty() && (open_end || port.ends_with('*'));
  return out;
}

bool TargetPattern::fits_host(const Host& host) const {
  if (everything || any_host) return true;
  if (!v6.empty()) return host.is_address && host.text.find(':') != std::string::npos && glob(v6, host.text);
  if (labels.empty() || host.text.find(':') != std::string::npos) return false;
  // One of numbers is of addresses only: 10.0.0.* is no name of anybody's.
  const bool of_numbers =
      std::all_of(
          labels.begin(), labels.end(),
          [](const std::string& label) { return label.find_first_not_of("0123456789*?[]-") == std::string::npos; }) &&
      std::any_of(labels.begin(), labels.end(),
                  [](const std::string& label) { return label.find_first_of("0123456789") != std::string::npos; });
  if (of_numbers && !host.is_address) return false;
  const std::vector<std::string> parts = split(host.text, '.');
  const bool all_below = !host.is_address && labels.size() > 1 && labels.front() == "*";
  if (all_below ? parts.size() < labels.size() : parts.size() != labels.size()) return false;
  const std::size_t skipped = parts.size() - labels.size();
  for (std::size_t i = all_below ? 1 : 0; i < labels.size(); ++i)
    if (!glob(labels[i], parts[skipped + i])) return false;
  return true;
}

bool TargetPattern::fits_port(const std::string& asked_scheme, std::uint16_t asked) const {
  if (everything || any_port) return true;
  if (!port.empty()) return asked != 0 && glob(port, fmt::format("{}", asked));
  return asked == 0 || asked == usual_port(asked_scheme);
}

bool TargetPattern::fits(const Destination& asked) const {
  if (everything) return true;
  if (!asked.socket.empty())
    return !socket.empty() && !has_dot_segments(asked.socket) && glob(socket, asked.socket, FNM_PATHNAME | FNM_PERIOD);
  if (!socket.empty() || (!scheme.empty() && !glob(scheme, asked.scheme))) return false;
  if (!fits_host(asked.host) || !fits_port(asked.scheme, asked.port)) return false;
  if (any_path) return true;
  if (path.empty()) return asked.rest.empty() || asked.rest == "/";
  return !has_dot_segments(asked.rest) && glob(path, asked.rest.starts_with('/') ? asked.rest : "/" + asked.rest);
}

struct AllowedTargets::Lists {
  std::vector<TargetPattern> patterns;
  std::set<std::string> own_texts;
  std::vector<Destination> own;

  bool everything() const {
    return std::any_of(patterns.begin(), patterns.end(), [](const TargetPattern& each) { return each.everything; });
  }
  bool fits(const Destination& asked) const {
    return std::any_of(patterns.begin(), patterns.end(), [&](const TargetPattern& each) { return each.fits(asked); });
  }
  bool has_own(const Destination& place) const {
    return std::any_of(own.begin(), own.end(), [&](const Destination& each) { return same_place(each, place); });
  }
  // A host and a port, whatever is spoken there.
  bool fits_place(const Host& host, std::uint16_t port) const {
    if (has_own({.host = host, .port = port})) return true;
    return std::any_of(patterns.begin(), patterns.end(), [&](const TargetPattern& each) {
      if (!each.socket.empty() || !each.fits_host(host)) return false;
      for (const char* scheme : {"", "http", "https", "ws", "wss"})
        if ((each.scheme.empty() || glob(each.scheme, scheme)) && each.fits_port(scheme, port)) return true;
      return false;
    });
  }
  bool fits_name(const Host& host) const {
    return std::any_of(own.begin(), own.end(), [&](const Destination& each) { return each.host == host; }) ||
           std::any_of(patterns.begin(), patterns.end(),
                       [&](const TargetPattern& each) { return each.socket.empty() && each.fits_host(host); });
  }
};

class AllowedTargets::Run final : public net::Boundary {
 public:
  Run(std::shared_ptr<const Lists> lists, Destination asked) : lists_(std::move(lists)), asked_(std::move(asked)) {}

  std::string refuses_url(const std::string& url) const override {
    if (lists_->own_texts.contains(url)) return "";
    const auto next = read_destination(without_fragment(url));
    if (!next || next->scheme.empty())
      return fmt::format("what is to be asked is not followed: {}", next ? "it has no scheme" : next.error().text);
    const std::uint16_t asked_port = asked_.port == 0 ? usual_port(next->scheme) : asked_.port;
    const bool same_server = next->host == asked_.host && next->port == asked_port &&
                             (asked_.scheme.empty() || asked_.scheme == next->scheme);
    if ((same_server && may_leave_path(*next)) || lists_->fits(*next)) return "";
    const std::string where = fmt::format("{}://{}{}", next->scheme, written(next->host, next->port),
                                          same_server ? next->rest.substr(0, next->rest.find('?')) : "");
    return fmt::format(
        "{} is not allowed: no probe of the configuration looks there, and blackbox.targets has no "
        "pattern for it",
        where);
  }

  std::string refuses(const std::string& host, std::uint16_t port, const net::Address& address) const override {
    const auto named = read_host(host);
    if (!named) return named.error().text;
    const bool as_asked = *named == asked_.host && (asked_.port == 0 || port == asked_.port);
    if (!as_asked && !lists_->fits_place(*named, port))
      return fmt::format("{} is not what was asked for, and blackbox.targets has no pattern for it",
                         written(*named, port));
    const Host found = host_of(address);
    if (named->is_address) return found == *named ? "" : fmt::format("{} is read as {}", host, found.text);
    const std::string kind = kept_back(address);
    const bool is_localhost = named->text == "localhost" || named->text.ends_with(".localhost");
    if (kind.empty() || is_localhost || lists_->has_own({.host = *named, .port = port}) ||
        lists_->fits_place(found, port))
      return "";
    return fmt::format(
        "{} is {} now, {}: a name does not lead there; allow \"{}\" itself in blackbox.targets if that is "
        "meant",
        named->text, found.text, kind, written(found, port));
  }

  std::string refuses_socket(const std::string& path) const override {
    return path == asked_.socket ? "" : fmt::format("{} is not what was asked for", path);
  }

 private:
  // Whether a path of the server that was asked may be another one than was asked for: not where the list names paths.
  bool may_leave_path(const Destination& next) const {
    return asked_.rest.empty() || asked_.rest == "/" || asked_.rest == next.rest ||
           lists_->has_own({.host = next.host, .port = next.port});
  }

  std::shared_ptr<const Lists> lists_;
  Destination asked_;
};

AllowedTargets::AllowedTargets() : lists_(std::make_shared<const Lists>()), configured_(lists_) {}

void AllowedTargets::replace_patterns(const std::vector<std::string>& patterns) {
  std::vector<TargetPattern> read;
  for (const std::string& each : patterns)
    if (auto pattern = read_pattern(each)) read.push_back(*std::move(pattern));
  for (auto* lists : {&lists_, &configured_}) {
    Lists next = **lists;
    next.patterns = read;
    *lists = std::make_shared<const Lists>(std::move(next));
  }
}

void AllowedTargets::replace_own(const std::set<std::string>& configured, const std::set<std::string>& listed) {
  Lists next;
  next.patterns = lists_->patterns;
  const auto add = [&](const std::set<std::string>& targets) {
    for (const std::string& each : targets)
      if (auto place = read_own_destination(each); next.own_texts.insert(each).second && place)
        next.own.push_back(*std::move(place));
  };
  add(configured);
  configured_ = std::make_shared<const Lists>(next);
  add(listed);
  lists_ = std::make_shared<const Lists>(std::move(next));
}

base::Result<std::shared_ptr<const net::Boundary>> AllowedTargets::boundary(const std::string& target,
                                                                            const std::string& hostname,
                                                                            const std::string& power) const {
  const std::shared_ptr<const Lists>& lists = power.empty() ? lists_ : configured_;
  if (lists->everything()) return nullptr;
  const auto refuse = [&](std::string_view why) {
    return base::fail(base::Kind::permission, fmt::format("target \"{}\" is not allowed: {}", target, why));
  };
  const bool own_text = lists->own_texts.contains(target);
  auto asked = own_text ? read_own_destination(target) : read_destination(target);
  if (!asked) return refuse(asked.error().text);
  const bool own_place = asked->scheme.empty() && asked->rest.empty() && lists->has_own(*asked);
  if (!own_text && !own_place && !lists->fits(*asked))
    return refuse(!power.empty() && boundary(target, "")
                      ? fmt::format("only a list of targets names it, and the module sets {}; give blackbox.targets a "
                                    "pattern for it, if the module may be used there",
                                    power)
                      : "no probe of the configuration looks at it, and blackbox.targets has no pattern for it");
  if (!hostname.empty()) {
    const auto named = read_destination(hostname);
    const bool is_host = named && named->scheme.empty() && named->rest.empty() && named->socket.empty();
    if (!is_host || (named->host != asked->host && !lists->fits_name(named->host)))
      return base::fail(base::Kind::permission,
                        fmt::format("hostname \"{}\" is not allowed: {}", hostname,
                                    is_host ? "no probe of the configuration and no pattern of blackbox.targets has it"
                                            : "it is no name of a host"));
  }
  return std::make_shared<const Run>(lists, *std::move(asked));
}

}  // namespace app
