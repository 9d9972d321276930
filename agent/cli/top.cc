#include "cli/top.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <limits>
#include <vector>

#include "base/ascii.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/answer.h"
#include "cli/exit_code.h"
#include "cli/status.h"
#include "cli/table.h"
#include "model/alert.h"
#include "model/health.h"

namespace cli {
namespace {

constexpr base::Millis kEvery{1000};

bool is_down(const Json& service) { return model::parse_health(text_of(service, "health")) == model::Health::down; }

// Down, then not known, then in maintenance, then up.
int rank_of(const Json& service) {
  if (is_down(service)) return 0;
  if (model::parse_health(text_of(service, "health")) != model::Health::up) return 1;
  return text_of(service, "maintenance").empty() ? 3 : 2;
}

bool fires(const Json& alert) { return model::parse_alert_state(text_of(alert, "state")) == model::AlertState::firing; }

std::string services_table(const std::vector<const Json*>& services, base::Colour colour) {
  Table table({"SERVICE", "STATE", "SINCE", "RECOVERY", "REASON"});
  for (const Json* service : services) {
    const std::string health = text_of(*service, "health");
    const bool kept = !text_of(*service, "maintenance").empty();
    table.add({text_of(*service, "name"),
               {kept ? health + ", maintenance" : health, tone_of(health)},
               text_of(*service, "since"),
               recovery_of(*service),
               text_of(*service, "text")});
  }
  return table.render(colour);
}

std::string alerts_table(const Json& alerts, base::Colour colour) {
  Table table({"ALERT", "STATE", "SINCE", "SERVICE", "SUMMARY"});
  for (const Json& alert : alerts) {
    const Json& labels = mapping_of(alert, "labels");
    table.add({text_of(labels, "alertname"),
               {text_of(alert, "state"), fires(alert) ? Tone::bad : Tone::warn},
               text_of(alert, "activeAt"),
               text_of(labels, "service"),
               text_of(mapping_of(alert, "annotations"), "summary")});
  }
  return table.render(colour);
}

// At most so many characters; colours take no room.
std::string cut(std::string_view line, std::size_t columns) {
  std::string out;
  std::size_t width = 0;
  bool is_shown = false;  // the character of this byte
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b') {
      const std::size_t end = std::min(line.find('m', i), line.size() - 1);
      out += line.substr(i, end - i + 1);
      i = end;
      continue;
    }
    const bool begins = (static_cast<unsigned char>(line[i]) & 0xC0) != 0x80;
    if (begins) is_shown = width < columns;  // the colours behind it still count
    if (!is_shown) continue;
    if (begins) ++width;
    out += line[i];
  }
  return out;
}

std::string heading(const TopView& view, const std::vector<const Json*>& services, base::Colour colour) {
  const auto down = std::count_if(services.begin(), services.end(), [](const Json* each) { return is_down(*each); });
  std::size_t firing = 0;
  if (!view.alerts.is_null())
    for (const Json& alert : list_of(view.alerts, "alerts")) firing += fires(alert) ? 1 : 0;
  const std::string how = fmt::format("{} of {} services down, {} {}", down, services.size(), firing,
                                      firing == 1 ? "alert fires" : "alerts fire");
  std::string out = "fettle: " + paint(how, down > 0 || firing > 0 ? Tone::bad : Tone::good, colour);
  if (!view.services.is_null() && !text_of(view.services, "paused").empty())
    out += ", " + paint("recovery is paused", Tone::warn, colour);
  if (view.trouble.empty()) return out + "   q ends, arrows move";
  return out + "   " + paint(base::foreign_text(view.trouble, 300), Tone::bad, colour);
}

std::vector<std::string> lines_of(const TopView& view, base::Colour colour) {
  std::vector<const Json*> services;
  if (!view.services.is_null())
    for (const Json& service : list_of(view.services, "services")) services.push_back(&service);
  std::stable_sort(services.begin(), services.end(),
                   [](const Json* a, const Json* b) { return rank_of(*a) < rank_of(*b); });
  std::string text = heading(view, services, colour) + "\n";
  if (!view.services.is_null()) text += services_table(services, colour);
  if (!view.alerts.is_null() && !list_of(view.alerts, "alerts").empty())
    text += "\n" + alerts_table(list_of(view.alerts, "alerts"), colour);
  std::vector<std::string> lines;
  for (std::string_view left = text; !left.empty();) lines.emplace_back(base::take_line(left));
  return lines;
}

// What the agent says now; what it said before stays where it does not answer.
base::Result<> look(const AgentAddress& agent, TopView& view) {
  const auto asked = read_answer(agent.shown(), [&]() -> base::Result<> {
    TRY(const std::string services, get(agent, "/api/v1/services"));
    TRY(const std::string alerts, get(agent, "/api/v1/alerts"));
    TopView fresh{data_in(services), data_in(alerts), ""};
    (void)lines_of(fresh, base::Colour::never);  // throws where it is no answer of an agent
    view = std::move(fresh);
    return {};
  });
  view.trouble = asked ? "" : asked.error().text;
  return asked;
}

volatile std::sig_atomic_t g_ended = 0;  // the signal
constexpr std::array kEnds{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// The whole screen, one key at a time; as it was before when this ends. Signals come during wait() only.
class Screen {
 public:
  Screen() {
    keys_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (keys_) {
      termios now = before_;
      now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      now.c_cc[VSUSP] = _POSIX_VDISABLE;  // stopped, it would leave the terminal as it is
      ::tcsetattr(STDIN_FILENO, TCSANOW, &now);
    }
    sigset_t blocked;
    ::sigemptyset(&blocked);
    struct sigaction action {};
    action.sa_handler = [](int number) { g_ended = number; };
    for (const int number : kEnds) {
      ::sigaddset(&blocked, number);
      ::sigaction(number, &action, nullptr);
    }
    action.sa_handler = [](int) {};
    ::sigaction(SIGWINCH, &action, nullptr);
    ::sigaddset(&blocked, SIGWINCH);
    ::sigprocmask(SIG_BLOCK, &blocked, &mask_);
    write("\x1b[?1049h\x1b[?25l");
  }
  ~Screen() {
    write("\x1b[?25h\x1b[?1049l");
    if (keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    ::sigprocmask(SIG_SETMASK, &mask_, nullptr);
  }
  Screen(const Screen&) = delete;

  static TopSize size() {
    winsize found{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &found) != 0 || found.ws_col == 0 || found.ws_row == 0) return {};
    return {found.ws_col, found.ws_row};
  }
  static void show(const std::string& text) { write("\x1b[H" + text + "\x1b[J"); }

  // Keys that were pressed; "" after so long, or after a signal. Nothing if there will be none.
  bool wait(base::Millis length, std::string& keys) {
    keys.clear();
    pollfd in{keys_ ? STDIN_FILENO : -1, POLLIN, 0};
    const timespec timeout{length.count() / 1000, length.count() % 1000 * 1'000'000};
    if (::ppoll(&in, 1, &timeout, &mask_) <= 0 || in.revents == 0) return true;
    std::array<char, 64> some{};
    const ssize_t got = ::read(STDIN_FILENO, some.data(), some.size());
    if (got <= 0) return false;
    keys.assign(some.data(), static_cast<std::size_t>(got));
    return true;
  }

 private:
  static void write(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

  termios before_{};
  sigset_t mask_{};
  bool keys_ = false;
};

// Where the view begins after these keys; false at the end.
bool press(std::string_view keys, const TopSize& size, std::size_t& first) {
  const auto up = [&](std::size_t lines) { first -= std::min(first, lines); };
  while (!keys.empty()) {
    if (keys[0] == 'q' || keys[0] == 'Q') return false;
    const std::string_view key = keys.substr(0, 3);
    if (key == "\x1b[A" || key == "\x1bOA") up(1);
    if (key == "\x1b[B" || key == "\x1bOB") ++first;
    if (key == "\x1b[5") up(size.rows);
    if (key == "\x1b[6") first += size.rows;
    keys.remove_prefix(keys[0] == '\x1b' ? std::min<std::size_t>(3, keys.size()) : 1);
  }
  return true;
}

int live(const AgentAddress& agent) {
  const base::Colour colour = colour_of_stdout();
  TopView view;
  std::size_t first = 0;
  std::string keys;
  base::Instant next{};
  g_ended = 0;
  {
    Screen screen;
    while (g_ended == 0) {
      if (base::Clock::now() >= next) {
        (void)look(agent, view);
        next = base::Clock::now() + kEvery;
      }
      const TopSize size = Screen::size();
      Screen::show(top_screen(view, size, first, colour));
      const auto left = std::chrono::ceil<base::Millis>(next - base::Clock::now());
      if (!screen.wait(std::max(left, base::Millis{0}), keys) || !press(keys, size, first)) break;
    }
  }
  if (g_ended != 0) {  // as if this had not been here
    std::signal(g_ended, SIG_DFL);
    std::raise(g_ended);
  }
  return 0;
}

}  // namespace

std::string top_screen(const TopView& view, const TopSize& size, std::size_t& first, base::Colour colour) {
  const std::vector<std::string> lines = lines_of(view, colour);
  const std::size_t room = std::max<std::size_t>(size.rows, 2) - 1, rest = lines.size() - 1;
  first = std::min(first, rest - std::min(rest, room));
  std::string out = cut(lines[0], size.columns) + "\x1b[K";
  for (std::size_t i = first + 1; i < lines.size() && i <= first + room; ++i)
    out += "\r\n" + cut(lines[i], size.columns) + "\x1b[K";
  return out;
}

int run_top(const AgentAddress& agent, bool once) {
  if (!once && ::isatty(STDOUT_FILENO) == 1) return live(agent);
  TopView view;
  if (const auto asked = look(agent, view); !asked) {
    base::print(stderr, "fettle: {}\n", asked.error().text);
    return exit_code_of(asked.error());
  }
  for (const std::string& line : lines_of(view, colour_of_stdout())) base::print(stdout, "{}\n", line);
  const Json& services = list_of(view.services, "services");
  return std::any_of(services.begin(), services.end(), is_down) ? kFinding : 0;
}

}  // namespace cli
