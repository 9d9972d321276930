// HAProxy's runtime API, on its stats socket: one command a connection. A drain is `set server … state drain`, and it
// is over when HAProxy says that the server drains and has no session left. What it says is the proof; a command that
// was taken and had no effect is undone.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "base/ascii.h"
#include "base/text.h"
#include "config/schema.h"
#include "loop/scheduler.h"
#include "net/stream.h"
#include "recover/traffic/haproxy_stat.h"
#include "recover/traffic/traffic.h"

namespace recover {
namespace {

constexpr const char* kServers = "show stat -1 4 -1";  // of all backends: see traffic::parse_stat

constexpr base::Millis kLook{50};  // at sessions that are to end
constexpr std::size_t kLargest = 4 * 1024 * 1024;

struct Settings {
  std::string socket, backend, server;
  int min_live = 0;
  base::Millis in_flight{10'000};
  std::string host;  // of `socket`, if it is host:port
  std::uint16_t port = 0;
};

bool is_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:").find(c) != std::string_view::npos;
  });
}

// False if `socket` is neither a path nor host:port.
bool read_socket(Settings& s) {
  if (s.socket.starts_with("/")) return true;
  const std::size_t colon = s.socket.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  s.host = s.socket.substr(0, colon);
  if (s.host.size() > 2 && s.host.front() == '[' && s.host.back() == ']') s.host = s.host.substr(1, s.host.size() - 2);
  const char* end = s.socket.data() + s.socket.size();
  const auto read = std::from_chars(s.socket.data() + colon + 1, end, s.port);
  return read.ec == std::errc{} && read.ptr == end && s.port > 0;
}

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("haproxy")
          .required("socket", &Settings::socket,
                    "HAProxy's stats socket with level admin: an absolute path, or host:port.")
          .required("backend", &Settings::backend, "Name of the backend.")
          .required("server", &Settings::server, "Name of this service's server in it.")
          .optional("min_live", &Settings::min_live,
                    "Servers of the backend that must be left when this one is taken out; 0: half, at least one.")
          .optional("in_flight", &Settings::in_flight, "How long a drain waits for the sessions of the server to end.")
          .check([](const Settings& h, const config::Complain& complain) {
            Settings copy = h;
            if (!read_socket(copy)) complain("socket", "must be an absolute path or host:port");
            if (!is_name(h.backend)) complain("backend", "must be a name of letters, digits and -_.:");
            if (!is_name(h.server)) complain("server", "must be a name of letters, digits and -_.:");
            if (h.min_live < 0) complain("min_live", "must not be negative");
          });
  return s;
}

using Text = base::Result<std::string>;

// One command and its answer at a time, each over a connection of its own.
class RuntimeSession {
 public:
  RuntimeSession(const Settings& settings, loop::Scheduler& scheduler, net::Dialer& dialer)
      : settings_(settings), scheduler_(scheduler), dialer_(dialer) {}

  // `then` once, in a later turn; a later command takes its place.
  void ask(const std::string& command, base::Instant deadline, std::function<void(Text)> then) {
    net::Dial dial;
    if (settings_.host.empty()) dial.unix_path = settings_.socket;
    dial.host = settings_.host;
    dial.port = settings_.port;
    dial.deadline = deadline;
    answer_.clear();
    then_ = std::move(then);
    connecting_ = dialer_.connect(std::move(dial), [this, command](net::Connected connected) {
      stream_ = std::move(connected.stream);
      if (!stream_) return asked(base::fail(base::Kind::unavailable, connected.failure.text));
      stream_->write(command + "\n", [this](const net::StreamFailure* failure) {
        if (failure != nullptr) asked(base::fail(base::Kind::unavailable, failure->text));
      });
      stream_->read([this](std::string_view bytes, const net::StreamFailure* failure) {
        answer_ += bytes;
        if (failure != nullptr) asked(base::fail(base::Kind::unavailable, failure->text));
        else if (answer_.size() > kLargest) asked(base::fail(base::Kind::limit, "the answer is too long"));
        else if (bytes.empty()) asked(std::move(answer_));
      });
    });
  }

 private:
  // The connection goes in a turn of its own: its callback is what runs.
  void asked(Text text) {
    if (!then_) return;
    next_ = scheduler_.after({}, [this, then = std::exchange(then_, nullptr), text = std::move(text)]() mutable {
      const loop::Handle own = std::move(next_);
      stream_.reset();
      connecting_.reset();
      then(std::move(text));
    });
  }

  const Settings& settings_;
  loop::Scheduler& scheduler_;
  net::Dialer& dialer_;
  std::function<void(Text)> then_;
  std::string answer_;
  std::unique_ptr<net::Stream> stream_;
  loop::Handle connecting_, next_;
};

class Runtime final : public Adapter {
 public:
  Runtime(Settings settings, const TrafficContext& context)
      : settings_(std::move(settings)),
        scheduler_(context.scheduler),
        dialer_(context.dialer),
        conversation_(settings_, scheduler_, dialer_) {}

  bool knows_drains() const override { return true; }
  bool can_forget() const override { return true; }
  loop::Handle look(base::Instant deadline, std::function<void(std::string)> done) override {
    auto question = std::make_unique<Question>(*this);
    question->conversation.ask(kServers, deadline, [this, done = std::move(done)](const Text& text) {
      const auto servers = text ? traffic::parse_stat(*text, settings_.backend) : text_error(text.error());
      if (!servers) return done(servers.error().text);
      done(self(*servers) == nullptr ? no_server(*servers) : "");
    });
    return loop::Handle(std::move(question));
  }
  loop::Handle ask_drained(Flow ours, base::Instant deadline, std::function<void(std::string)> done) override {
    auto question = std::make_unique<Question>(*this);
    question->conversation.ask(
        fmt::format("show servers state {}", settings_.backend), deadline,
        [this, ours, done = std::move(done)](const Text& text) { done(text ? taken_out(*text, ours) : ""); });
    return loop::Handle(std::move(question));
  }

  loop::Handle apply(const DesiredState& to, base::Instant deadline, std::function<void(ApplyResult)> done) override {
    to_ = to;
    deadline_ = deadline;
    done_ = std::move(done);
    look([this](const auto& servers) { to_.is_out() ? drain(servers) : give_back(servers); });
    struct Place final : loop::Registration {
      Place(Runtime& r, std::uint64_t n) : runtime(r), number(n) {}
      ~Place() override {
        if (runtime.number_ == number) runtime.done_ = nullptr;
      }
      Runtime& runtime;
      std::uint64_t number;
    };
    return loop::Handle(std::make_unique<Place>(*this, ++number_));
  }

 private:
  using Servers = std::vector<traffic::BackendServer>;
  // Beside a change that is under way.
  struct Question final : loop::Registration {
    explicit Question(const Runtime& r) : conversation(r.settings_, r.scheduler_, r.dialer_) {}
    RuntimeSession conversation;
  };

  // ---- one command

  void ask(const std::string& command, std::function<void(Text)> then) {
    conversation_.ask(command, deadline_, std::move(then));
  }

  // A command that answers nothing when it was obeyed.
  void tell(const std::string& command, std::function<void(const std::string& complaint)> then) {
    ask(command, [then = std::move(then)](Text text) {
      then(text ? base::first_line(base::trim(*text, "\r\n "), 300) : text.error().text);
    });
  }
  void tell_state(const char* state, std::function<void(const std::string& complaint)> then) {
    tell(fmt::format("set server {} state {}", name(), state), std::move(then));
  }

  void look(std::function<void(const Servers&)> then) {
    ask(kServers, [this, then = std::move(then)](Text text) {
      if (!text) return failed(text.error().text);
      const auto servers = traffic::parse_stat(*text, settings_.backend);
      if (!servers) return failed(servers.error().text);
      if (self(*servers) == nullptr) return failed(no_server(*servers));
      then(*servers);
    });
  }

  // ---- out

  void drain(const Servers& servers) {
    if (self(servers)->is_out()) {
      ApplyResult applied{ActionStatus::ok, fmt::format("{} is out already; {}", text(), counts(servers))};
      applied.externally_drained = applied.as_before = true;
      return answer(std::move(applied));
    }
    const int all = static_cast<int>(servers.size()), least = least_live(settings_.min_live, all);
    const int left = usable(servers) - (self(servers)->is_usable() ? 1 : 0);
    if (left < least)
      return answer(
          {ActionStatus::refused, fmt::format("{} of {} servers of backend {} would be usable and there must be {}; {} "
                                              "stays in",
                                              left, all, settings_.backend, least, settings_.server)});
    tell_state("drain", [this](const std::string& complaint) {
      if (!complaint.empty()) return undo(complaint);
      leave_by_ = std::min(deadline_, scheduler_.now() + settings_.in_flight);
      wait_for_sessions();
    });
  }

  void wait_for_sessions() {
    look([this](const Servers& servers) {
      const auto* server = self(servers);
      if (!server->is_out())
        return undo(fmt::format("HAProxy took the drain, and {} is {} all the same", settings_.server, server->status));
      if (server->sessions == 0)
        return answer({ActionStatus::ok, fmt::format("{} is out; {}", text(), counts(servers))});
      if (scheduler_.now() >= leave_by_)
        return answer({ActionStatus::ok, fmt::format("{} is out; {}; {} sessions still go on, and were given up",
                                                     text(), counts(servers), server->sessions)});
      next_ = scheduler_.after(kLook, [this] {
        const loop::Handle own = std::move(next_);
        wait_for_sessions();
      });
    });
  }

  // Whatever HAProxy made of it: back in.
  void undo(const std::string& complaint) {
    tell_state("ready", [this, complaint](const std::string& again) {
      failed(again.empty() ? complaint + "; it is in as before"
                           : fmt::format("{}; and it could not be put back: {}", complaint, again));
    });
  }

  // ---- in

  // The weight before the state: what comes back gets its small share at once.
  void give_back(const Servers&) {
    const bool whole = to_.share == DesiredState::kAll;
    if (whole && !weighed_) return ready("");
    tell(fmt::format("set server {} weight {}%", name(), to_.share), [this, whole](const std::string& complaint) {
      weighed_ = !whole && complaint.empty();
      // A static balancing algorithm knows no shares: all of it, then, rather than none.
      ready(complaint.empty() ? "" : "; with its whole weight: " + complaint);
    });
  }
  void ready(const std::string& note) {
    tell_state("ready", [this, note](const std::string& complaint) {
      if (!complaint.empty()) return failed(complaint);
      look([this, note](const Servers& servers) {
        const auto* server = self(servers);
        if (server->is_out())
          return failed(
              fmt::format("HAProxy took it back, and {} is {} all the same", settings_.server, server->status));
        const std::string share = weighed_ ? fmt::format(" with {} % of its weight", to_.share) : "";
        answer({ActionStatus::ok,
                fmt::format("{} is in{} ({}); {}{}", text(), share, server->status, counts(servers), note)});
      });
    });
  }

  // Fettle drains and never puts into maintenance.
  std::string taken_out(const std::string& table, Flow ours) const {
    const auto state = traffic::parse_admin_state(table, settings_.server);
    if (!state || *state == traffic::AdminState::ready) return "";
    const bool drained = *state == traffic::AdminState::drain;
    if (drained && ours == Flow::drained) return "";
    return fmt::format("{} is {}, not by fettle; to have it back: set server {} state ready", text(),
                       drained ? "drained" : "in maintenance", name());
  }

  // ---- words

  std::string no_server(const Servers& servers) const {
    std::string known;
    for (const auto& server : servers) known += (known.empty() ? "" : ", ") + server.name;
    return fmt::format("backend {} has no server {}{}", settings_.backend, settings_.server,
                       known.empty() ? "" : "; there are: " + known);
  }
  static base::Result<Servers> text_error(const base::Error& error) { return tl::unexpected<base::Error>(error); }

  std::string name() const { return settings_.backend + "/" + settings_.server; }
  std::string text() const { return "haproxy " + name(); }
  const traffic::BackendServer* self(const Servers& servers) const {
    const auto found =
        std::find_if(servers.begin(), servers.end(), [&](const auto& s) { return s.name == settings_.server; });
    return found == servers.end() ? nullptr : &*found;
  }
  static int usable(const Servers& servers) {
    return static_cast<int>(std::count_if(servers.begin(), servers.end(), [](const auto& s) { return s.is_usable(); }));
  }
  static std::string counts(const Servers& servers) {
    return fmt::format("{} of {} servers usable", usable(servers), servers.size());
  }

  void failed(const std::string& why) { answer({ActionStatus::failed, fmt::format("{}: {}", text(), why)}); }
  void answer(const ApplyResult& applied) {
    if (const auto done = std::exchange(done_, nullptr)) done(applied);
  }

  Settings settings_;
  loop::Scheduler& scheduler_;
  net::Dialer& dialer_;
  DesiredState to_;
  std::uint64_t number_ = 0;  // of the change
  base::Instant deadline_{}, leave_by_{};
  bool weighed_ = false;  // has a part of its weight, by us
  std::function<void(ApplyResult)> done_;
  RuntimeSession conversation_;
  loop::Handle next_;
};

class HaproxyPlace final : public TrafficPlace {
 public:
  explicit HaproxyPlace(Settings settings) : settings_(std::move(settings)) { read_socket(settings_); }
  std::unique_ptr<Adapter> start(const TrafficContext& context, const std::string&) const override {
    return std::make_unique<Runtime>(settings_, context);
  }
  bool follows_health() const override { return false; }  // HAProxy checks for itself
  std::string text() const override { return fmt::format("haproxy {}/{}", settings_.backend, settings_.server); }
  // Only what cannot become right by a start of HAProxy.
  std::string complaint() const override {
    std::error_code ignored;
    const bool other = settings_.host.empty() && std::filesystem::exists(settings_.socket, ignored) &&
                       !std::filesystem::is_socket(settings_.socket, ignored);
    return other ? fmt::format("{} is no socket", settings_.socket) : "";
  }

 private:
  Settings settings_;
};

std::unique_ptr<const TrafficPlace> parse(const config::Node& node, const std::string& path, config::Errors& errors) {
  return schema().make<HaproxyPlace>(node, path, errors);
}

const std::vector<config::KeyReference>& reference() { return schema().reference(); }

}  // namespace

extern const TrafficType haproxy_traffic;
const TrafficType haproxy_traffic{"haproxy", "A server of a HAProxy backend, by HAProxy's runtime API.",
                                  "{haproxy: {socket: /run/haproxy/admin.sock, backend: order, server: order1}}",
                                  reference, parse};

}  // namespace recover
