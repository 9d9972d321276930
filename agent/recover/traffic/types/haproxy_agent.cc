// HAProxy's agent-check: HAProxy asks us, every agent-inter, and is told how the service stands. Works with every
// HAProxy that can reach the node and says the same again after HAProxy was reloaded. A change is over when everybody
// who asks has been told.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"
#include "config/schema.h"
#include "loop/scheduler.h"
#include "net/agent_check_server.h"
#include "recover/traffic/agent_line.h"
#include "recover/traffic/traffic.h"

namespace recover {
namespace {

constexpr base::Millis kForgotten{60'000};  // a HAProxy that has not asked for so long is gone

struct Settings {
  std::string listen;
  traffic::AgentWords words;
  base::Millis asked_within{10'000};
  base::Millis in_flight{2'000};
};

const auto& schema() {
  static const auto read_word = [](std::vector<std::string> words, std::string traffic::AgentWords::*member) {
    return [words = std::move(words), member](const config::Node& node, Settings& s, const std::string& path,
                                              config::Errors& errors) {
      std::size_t index = 0;
      std::string why;
      if (config::read_one_of(node, words, index, why)) s.words.*member = words[index];
      else errors.add(node.mark(), path, why);
    };
  };
  static const auto s =
      config::Schema<Settings>("haproxy_agent")
          .required("listen", &Settings::listen,
                    "Where HAProxy's agent-check asks (agent-addr, agent-port): address:port, :port for every address, "
                    "or unix:/path.")
          .custom("drained", "What is said of a drained service: drain, or maint, which also stops HAProxy's checks.",
                  "drain", read_word({"drain", "maint"}, &traffic::AgentWords::drained))
          .custom("down", "What is said of a service that is down: down, fail or stopped, with the reason.", "down",
                  read_word({"down", "fail", "stopped"}, &traffic::AgentWords::down))
          .optional("asked_within", &Settings::asked_within,
                    "A turn fails if some HAProxy has not asked so long: longer than its agent-inter.")
          .optional("in_flight", &Settings::in_flight,
                    "How long a drain waits after that, for requests under way to be answered.")
          .check([](const Settings& a, const config::Complain& complain) {
            const bool is_unix = a.listen.starts_with("unix:/");
            if (!is_unix && a.listen.find_last_of(':') == std::string::npos)
              complain("listen", "must be address:port, :port or unix:/path, such as 10.0.0.11:9199");
            if (a.asked_within <= base::Millis{0}) complain("asked_within", "must be longer than 0s");
          });
  return s;
}

class AgentCheck final : public Adapter {
 public:
  AgentCheck(Settings settings, std::string service, const TrafficContext& context)
      : settings_(std::move(settings)),
        service_(std::move(service)),
        scheduler_(context.scheduler),
        agent_checks_(context.agent_checks) {
    if (const auto opened = listen(); !opened)
      base::log::error("HAProxy cannot ask for a service", {{"service", service_}, {"error", opened.error().text}});
  }

  loop::Handle apply(const DesiredState& to, base::Instant deadline, std::function<void(ApplyResult)> done) override {
    desired_ = to;
    done_ = std::move(done);
    waits_ = true;
    ++number_;
    deadline_ = std::min(deadline, scheduler_.now() + settings_.asked_within);
    if (const auto opened = listen(); !opened) {
      answer({ActionStatus::failed, opened.error().text});
    } else {
      limit_ = scheduler_.at(deadline_, [this] { give_up(); });
    }
    struct Place final : loop::Registration {
      Place(AgentCheck& a, std::uint64_t n) : agent(a), number(n) {}
      ~Place() override {
        if (agent.number_ == number) agent.done_ = nullptr;
      }
      AgentCheck& agent;
      std::uint64_t number;
    };
    return loop::Handle(std::make_unique<Place>(*this, number_));
  }

 private:
  base::Result<> listen() {
    if (server_) return {};
    TRY(server_, agent_checks_.serve(settings_.listen, [this](const std::string& peer) { return tell(peer); }));
    return {};
  }

  std::string tell(const std::string& peer) {
    asked_[peer] = {scheduler_.now(), number_};
    std::erase_if(asked_, [&](const auto& entry) { return scheduler_.now() - entry.second.when > kForgotten; });
    if (waits_ && all_told()) {
      const bool drains = desired_.flow == Flow::drained;
      const std::string text = fmt::format(
          "haproxy agent {}: {} told {}", settings_.listen,
          asked_.size() == 1 ? "one HAProxy was" : fmt::format("{} HAProxies were", asked_.size()), told_text());
      waits_ = false;
      after_ = scheduler_.after(drains ? settings_.in_flight : base::Millis{0}, [this, text] {
        answer_now({ActionStatus::ok, text});
      });
      limit_.reset();
    }
    return traffic::agent_line(desired_, settings_.words);
  }

  bool all_told() const {
    return std::all_of(asked_.begin(), asked_.end(), [&](const auto& entry) { return entry.second.change == number_; });
  }

  std::string told_text() const {
    std::string line = traffic::agent_line(desired_, settings_.words);
    line.pop_back();
    return "'" + line + "'";
  }

  void give_up() {
    std::string late;
    for (const auto& [peer, last] : asked_)
      if (last.change != number_) late += (late.empty() ? "" : ", ") + peer;
    answer({ActionStatus::failed,
            fmt::format("haproxy agent {}: {} has not asked within {}; is `agent-check` on the server line, with "
                        "agent-addr and agent-port of here?",
                        settings_.listen, late.empty() ? "HAProxy" : late,
                        base::format_duration(settings_.asked_within))});
  }

  void answer(ApplyResult applied) {
    waits_ = false;
    after_ = scheduler_.after({}, [this, applied = std::move(applied)] { answer_now(applied); });
  }
  void answer_now(const ApplyResult& applied) {
    const loop::Handle own = std::move(after_), limit = std::move(limit_);
    if (const auto done = std::exchange(done_, nullptr)) done(applied);
  }

  Settings settings_;
  std::string service_;
  loop::Scheduler& scheduler_;
  net::AgentCheckServer& agent_checks_;
  DesiredState desired_;
  struct Asked {
    base::Instant when;
    std::uint64_t change;
  };
  std::map<std::string, Asked> asked_;  // last, by peer
  std::uint64_t number_ = 0;            // of the change
  bool waits_ = false;
  base::Instant deadline_{};
  std::function<void(ApplyResult)> done_;
  loop::Handle server_, limit_, after_;
};

class AgentPlace final : public TrafficPlace {
 public:
  explicit AgentPlace(Settings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<Adapter> start(const TrafficContext& context, const std::string& service) const override {
    return std::make_unique<AgentCheck>(settings_, service, context);
  }
  bool follows_health() const override { return true; }
  std::string text() const override { return "haproxy agent " + settings_.listen; }

 private:
  Settings settings_;
};

std::unique_ptr<const TrafficPlace> parse(const config::Node& node, const std::string& path, config::Errors& errors) {
  return schema().make<AgentPlace>(node, path, errors);
}

const std::vector<config::KeyReference>& reference() { return schema().reference(); }

}  // namespace

extern const TrafficType haproxy_agent_traffic;
const TrafficType haproxy_agent_traffic{"haproxy_agent",
                                        "HAProxy asks how the service stands (agent-check): health, drain, slow start.",
                                        "{haproxy_agent: {listen: \"10.0.0.11:9199\"}}", reference, parse};

}  // namespace recover
