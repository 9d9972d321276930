#include "cli/top.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/table.h"

namespace cli {
namespace {

using nlohmann::json;

constexpr std::size_t kRunsShown = 20;
constexpr int kNoAnswer = 2;

std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// The first `columns` characters, with no half of one at the end.
std::string cut(const std::string& line, std::size_t columns) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < line.size(); ++i)
    if ((line[i] & 0xc0) != 0x80 && ++seen > columns) return line.substr(0, i);
  return line;
}

int rank(const std::string& health) { return health == "down" ? 0 : health == "up" ? 2 : 1; }

Tone tone_of(const std::string& health) {
  return health == "down" ? Tone::bad : health == "up" ? Tone::plain : Tone::warn;
}

std::string how_long(const std::string& since, const std::string& now) {
  const auto from = base::parse_iso8601(since), to = base::parse_iso8601(now);
  if (!from || !to || *from > *to || base::to_ms(*from) == 0) return "-";
  return base::format_duration(std::chrono::floor<std::chrono::seconds>(*to - *from));
}

// The newest runs on the right: . good, x bad.
std::string runs_of(const json& probe) {
  std::string out;
  for (const json& run : probe.value("history", json::array())) out += run == 1 ? '.' : 'x';
  return out.size() > kRunsShown ? out.substr(out.size() - kRunsShown) : out;
}

struct Picture {
  Table table{{"SERVICE", "PROBE", "HEALTH", "FOR", "TOOK", "LAST RUNS", "TEXT"}};
  std::vector<Tone> tones;

  void add(std::vector<Cell> row, Tone tone) {
    table.add(std::move(row));
    tones.push_back(tone);
  }
};

Picture draw(const json& data, bool with_probes) {
  Picture out;
  std::vector<const json*> services;
  for (const json& service : data["services"]) services.push_back(&service);
  std::stable_sort(services.begin(), services.end(),
                   [](const json* a, const json* b) { return rank(text(*a, "health")) < rank(text(*b, "health")); });
  const std::string now = text(data, "at");
  for (const json* service : services) {
    const std::string health = text(*service, "health"), maintenance = text(*service, "maintenance");
    out.add({text(*service, "name"), "", maintenance.empty() ? health : health + ", maintenance",
             how_long(text(*service, "since"), now), "", "", text(*service, "text")},
            tone_of(health));
    if (!with_probes) continue;
    for (const json& probe : (*service)["probes"])
      out.add({"", text(probe, "name"), text(probe, "health"), how_long(text(probe, "since"), now),
               fmt::format("{:.1f} ms", probe.value("took", 0.0) * 1e3), runs_of(probe), text(probe, "text")},
              text(probe, "health") == "up" ? Tone::faint : tone_of(text(probe, "health")));
  }
  return out;
}

std::string counted(const json& list, const char* key, std::initializer_list<const char*> states) {
  std::map<std::string, int> counts;
  for (const json& one : list) ++counts[text(one, key)];
  std::string out;
  for (const char* state : states)
    if (counts[state] > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", counts[state], state);
  return out.empty() ? "none" : out;
}

// A terminal in one piece again, however this ends.
struct Terminal {
  Terminal() {
    ::tcgetattr(STDIN_FILENO, &before);
    termios raw = before;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, &Terminal::leave);
    fmt::print("\033[?1049h\033[?25l");
  }
  ~Terminal() { restore(); }
  Terminal(const Terminal&) = delete;

  // Only what a signal handler may call.
  static void restore() {
    constexpr std::string_view kLeave = "\033[?25h\033[?1049l";
    [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, kLeave.data(), kLeave.size());
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
  }
  static void leave(int) {
    restore();
    ::_exit(0);
  }
  static inline termios before{};
};

TopView view_of_terminal() {
  TopView view;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    view.columns = size.ws_col;
    view.lines = size.ws_row;
  }
  view.colour = base::colour_of_stdout();
  return view;
}

// The key that was pressed within `wait`, or 0.
char pressed_within(base::Millis wait) {
  pollfd in{STDIN_FILENO, POLLIN, 0};
  char key = 0;
  if (::poll(&in, 1, static_cast<int>(wait.count())) <= 0) return 0;
  return ::read(STDIN_FILENO, &key, 1) == 1 ? key : 'q';
}

}  // namespace

std::string top_frame(const std::string& services, const std::string& alerts, const TopView& view) {
  const json answer = json::parse(services, nullptr, false), warned = json::parse(alerts, nullptr, false);
  if (!answer.is_object() || !answer.contains("data") || !warned.is_object() || !warned.contains("data"))
    return cut("this does not answer as an agent does", view.columns) + "\n";
  const json& data = answer["data"];
  const std::string head = fmt::format("{}  {}  services: {}  alerts: {}", text(data, "node"), text(data, "at"),
                                       counted(data["services"], "health", {"down", "unknown", "up"}),
                                       counted(warned["data"]["alerts"], "state", {"firing", "pending"}));
  std::string out = cut(head, view.columns) + "\n\n";
  const Picture picture = draw(data, view.with_probes);
  const std::string table = picture.table.render(Colour::never);
  const std::size_t room = view.lines > 3 ? view.lines - 3 : 0;  // below the head and the titles
  const std::size_t most = picture.tones.size() > room ? picture.tones.size() - room : 0;
  const std::size_t first = std::min(view.first_row, most);
  std::size_t row = 0;
  for (std::size_t at = 0; at < table.size(); ++row) {
    const std::size_t end = table.find('\n', at);
    std::string line = cut(table.substr(at, end - at), view.columns);
    line.erase(line.find_last_not_of(' ') + 1);
    at = end + 1;
    if (row == 0) out += paint(line, Tone::faint, view.colour) + "\n";
    else if (row > first && row <= first + room) out += paint(line, picture.tones[row - 1], view.colour) + "\n";
  }
  return out;
}

int run_top(const std::string& url, base::Millis refresh) {
  const auto ask = [&](const TopView& view) -> base::Result<std::string> {
    TRY(const std::string services, get(url, "/api/v1/services"));
    TRY(const std::string alerts, get(url, "/api/v1/alerts"));
    return top_frame(services, alerts, view);
  };
  TopView view = view_of_terminal();
  const bool watched = ::isatty(STDOUT_FILENO) && ::isatty(STDIN_FILENO);
  if (!watched) view.lines = view.columns = static_cast<std::size_t>(1) << 20;
  base::Result<std::string> frame = ask(view);
  if (!frame) {
    fmt::print(stderr, "fettle top: {}\n", frame.error().text);
    return kNoAnswer;
  }
  if (!watched) {
    fmt::print("{}", *frame);
    return 0;
  }
  const Terminal terminal;
  while (true) {
    fmt::print("\033[H\033[2J{}", frame ? *frame : cut(frame.error().text, view.columns) + "\n");
    std::fflush(stdout);
    const char key = pressed_within(refresh);
    if (key == 'q' || key == 4) return 0;
    const TopView now = view_of_terminal();
    view.columns = now.columns;
    view.lines = now.lines - 1;  // the cursor's
    if (key == 'p') view.with_probes = !view.with_probes;
    if (key == 'j') ++view.first_row;
    if (key == 'k' && view.first_row > 0) --view.first_row;
    frame = ask(view);
  }
}

}  // namespace cli
