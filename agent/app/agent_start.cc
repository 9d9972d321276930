// How the agent is put together, in dependency order, and how it starts and stops.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "app/action_label.h"
#include "app/admin_handlers.h"
#include "app/agent.h"
#include "app/incident_facts.h"
#include "app/plan_work.h"
#include "app/until_healthy.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/start_pages.h"
#include "base/version.h"
#include "loop/signals.h"
#include "net/unix_datagram.h"

namespace app {
namespace {

using namespace std::chrono_literals;
namespace log = base::log;

constexpr auto kExpireEvery = 60s;
constexpr store::SeriesId kExpireAtOnce = 512;
constexpr auto kHeartbeatsAgain = 5s;
// Of the memory that the control group allows a quarter is for answers of the API.
constexpr std::size_t kLeastAnswerMemory = std::size_t{16} * 1024 * 1024;
// Probes' results are in the store as they come. This is for the agent's own counters, twenty for each probe, which no
// Prometheus would ask for more often.
constexpr base::Millis kOwnPageEvery = 10s;
constexpr base::Duration kOwnPageFirst = 1s;

// Runs `task` every `period` for as long as `slot` is held.
void every(loop::Scheduler& scheduler, loop::Handle& slot, base::Duration period, std::function<void()> task) {
  slot = scheduler.after(period, [&scheduler, &slot, period, task] {
    task();
    every(scheduler, slot, period, task);
  });
}

}  // namespace

Agent::Agent(AgentOptions options, config::AgentConfig config)
    : options_(std::move(options)),
      config_(std::move(config)),
      first_config_(config_),
      store_({config_.storage.retention, config_.storage.max_series}),
      samples_(store_, target_labels(config_.global)),
      started_(loop_.wall_now()) {}

// The loop turns no more. Workers that wait for it are told so first, as the server waits for its workers.
Agent::~Agent() {
  if (backend_) backend_->close();
  slot_.close();
  metrics_slot_.close();
  server_.reset();
}

base::Result<std::unique_ptr<Agent>> Agent::start(AgentOptions options, LoadedConfig loaded) {
  loaded = without_document(std::move(loaded));
  std::unique_ptr<Agent> agent(new Agent(std::move(options), loaded.config));
  TRY_VOID(agent->open_state());
  agent->make_rules();
  agent->make_notifications();
  agent->make_recovery();
  agent->make_drills();
  agent->make_fault_drills();
  agent->make_standbys();
  agent->make_schedule();
  agent->make_incidents();
  TRY_VOID(agent->open_sockets());
  TRY_VOID(agent->open_server());
  agent->apply(std::move(loaded));
  agent->start_timers();
  agent->ready_ = true;
  agent->publish();
  return agent;
}

base::Result<> Agent::open_state() {
  if (options_.storage_path.empty()) {
    log::warn("nothing is durable: --storage.path is empty; budgets and alerts are lost at the next start");
    state_ = state::in_memory(loop_);
    audit_ = std::make_unique<state::AuditTrail>(*state_, loop_);
    self_.state_durable(false);
    return {};
  }
  std::string notice;
  TRY(state_,
      state::open(options_.storage_path, loop_, notice, [this](base::Duration took) { self_.state_committed(took); }));
  if (!notice.empty()) log::error(notice);
  audit_ = std::make_unique<state::AuditTrail>(*state_, loop_);
  state_trouble_ = state_->trouble();
  self_.state_durable(state_trouble_.empty());
  damaged_state_files_ = state_->damage().files;
  self_.state_damaged(damaged_state_files_);
  return {};
}

void Agent::make_rules() {
  rules::Options options;
  options.engine = engine_options(options_, config_);
  options.evaluation_interval = config_.global.evaluation_interval;
  options.external_labels = config_.global.external_labels;
  options.external_url = external_url();
  options.node = config_.global.node;
  rules::Callbacks callbacks;
  callbacks.append = [this](const model::Labels& labels, model::Sample sample) {
    return samples_.append_rule(labels, sample);
  };
  callbacks.on_transitions = [this](const auto& transitions) { on_transitions(transitions); };
  callbacks.on_evaluated = [this](const std::string& group, const std::string&, base::Duration took, bool ok) {
    self_.rule_evaluated(group, took, ok);
    changed();
  };
  callbacks.on_group_evaluated = [this](base::Duration took) { self_.rule_group_evaluated(took); };
  callbacks.on_clock_set = [this](base::Millis step) {
    samples_.finish_page();  // by the clock that it began with
    store_.shift(step.count());
    if (changes_ && std::chrono::abs(step) >= 1s)
      changes_->add({loop_.wall_now(), "", model::ChangeKind::clock,
                     fmt::format("the clock was set by {:.1f} s", base::seconds(step))});
  };
  rules_ = std::make_unique<rules::Manager>(std::move(options), loop_, *state_, queryable_, std::move(callbacks));
}

void Agent::make_notifications() {
  if (!silences_) silences_ = std::make_unique<notify::Silences>(*state_, loop_, base::Random::from_entropy().next());
  silences_->on_change([this] {
    notifications_->on_silences();
    changed();
  });
  notify::Callbacks callbacks;
  callbacks.on_result = [this](const std::string& receiver, const std::string& target, notify::SendResult result) {
    self_.notified(receiver, target, std::string(to_string(result)));
    if (!told_of_drill_.empty()) drill_delivery_ = loop_.after({}, [this] { fault_drills_->on_delivery(); });
    changed();
  };
  callbacks.on_dropped = [this](const std::string& receiver, notify::DropReason reason, std::size_t messages) {
    self_.notifications_dropped(receiver, std::string(to_string(reason)), messages);
    changed();
  };
  callbacks.on_decided = [this](const std::string& receiver, const std::string& group, const std::string& message) {
    audit_->add(model::AuditKind::notification, "fettle", "",
                fmt::format("message {} for {} about {}", message, receiver, group));
  };
  callbacks.on_message = [this](const std::string& incident, const model::IncidentMessage& message) {
    incidents_->on_message(incident, message);
  };
  callbacks.on_fate = [this](const std::string& message, std::string_view fate) {
    audit_->add(model::AuditKind::notification, "fettle", "", fmt::format("message {}: {}", message, fate));
    incidents_->on_fate(message, fate);
  };
  notifications_ = std::make_unique<notify::Notifications>(
      notify::Options{config_.global.node, external_url(), config_.global.external_labels, base::Random::from_entropy(),
                      silences_.get(),
                      model::Labels{{"job", config_.global.job}, {"instance", config_.global.instance}}},
      notify::Context{loop_, http_, spawner_, dialer_}, *state_, std::move(callbacks));
  settled_ = false;
}

void Agent::make_recovery() {
  recover::Callbacks callbacks;
  callbacks.on_report = [this](const model::RecoveryReport& report) { on_report(report); };
  callbacks.on_action = [this](const std::string& service, const std::string& action, model::ActionStatus result,
                               model::RecoveryMode mode) {
    self_.recovery_action(service, action_label(action), result, mode);
  };
  callbacks.on_blocked = [this](const std::string& service, recover::GuardName reason) {
    self_.recovery_blocked(service, to_string(reason));
    incidents_->on_blocked(service, std::string(to_string(reason)));
    fault_drills_->on_blocked(service, std::string(to_string(reason)));
    changed();
  };
  const auto page = [this](const std::string& service, const std::string& what) {
    const std::string text = marked(service, what);
    using Grouping = notify::Notifications::Grouping;
    notifications_->page(service, text, incidents_->on_demand(service, text) ? Grouping::in_incident : Grouping::alone);
  };
  traffic_controller_ = std::make_unique<recover::TrafficController>(
      recover::TrafficContext{loop_, systemd_, spawner_, dialer_, agent_checks_, nullptr, &http_}, *state_);
  recorder_ = std::make_unique<FlightRecorder>(
      FlightRecorder::Context{loop_, blocking_pool_, spawner_, systemd_}, schedule_,
      FlightRecorder::Callbacks{[this](const std::string& service) { return incidents_->incident_of(service); },
                                [this](model::Evidence evidence) { on_evidence(std::move(evidence)); }});
  dispatcher_ = std::make_unique<recover::Dispatcher>(
      recover::Options{config_.global.node, base::Random::from_entropy().next(), {}, &fleet_.slots()},
      recover::Context{loop_, systemd_, spawner_, page, traffic_controller_.get(), &http_, &pids_, &logind_,
                       recorder_.get()},
      *state_, service_view_, std::move(callbacks));
  rollouts_ = std::make_unique<Rollouts>(
      loop_, base::Random::from_entropy(), fleet_, *dispatcher_,
      [this](const std::string& group, const cluster::RolloutNews& news) { on_rollout(group, news); });
}

void Agent::make_drills() {
  recover::DrillCallbacks callbacks;
  callbacks.busy = [this]() -> std::string {
    if (const auto paused = dispatcher_->paused("")) return *paused;
    if (const std::string fault = fault_drills_->running(); !fault.empty()) return fault;
    for (const recover::PlanStatus& plan : dispatcher_->statuses())
      if (is_under_way(plan))
        return fmt::format("the recovery of {} is under way; drills wait for its end", plan.service);
    return "";
  };
  callbacks.on_report = [this](const auto& drill, const auto& report) { on_drill(drill, report); };
  callbacks.on_change = [this] { changed(); };
  drills_ = std::make_unique<recover::Drills>(recover::DrillContext{loop_, spawner_, blocking_pool_}, *state_,
                                              std::move(callbacks));
}

void Agent::make_standbys() {
  recover::StandbyCallbacks callbacks;
  callbacks.health = [this](const std::string& service) {
    const auto found = health_table_.all().find(service);
    return found == health_table_.all().end() ? model::Health::unknown : found->second.health;
  };
  callbacks.maintenance = [this](const std::string& service) { return dispatcher_->maintenance(service); };
  callbacks.paused = [this](const std::string& service) { return dispatcher_->paused(service); };
  callbacks.on_event = [this](const std::string& service, const std::string& text) { on_standby(service, text); };
  callbacks.on_change = [this] { changed(); };
  standbys_ = std::make_unique<recover::Standbys>(recover::StandbyContext{loop_, dialer_, spawner_, election_},
                                                  config_.global.node, std::move(callbacks));
}

void Agent::make_incidents() {
  const auto facts = [this](const std::string& service) {
    incident::Facts known = incident_facts(service, config_, health_table_, *schedule_, *dispatcher_, fleet_.fleet(),
                                           loop_.now(), loop_.wall_now());
    if (const auto fault = fault_drills_->rehearsed(service)) known.drill = to_string(*fault);
    return known;
  };
  incident::Callbacks callbacks;
  callbacks.on_changed = [this](const model::Incident& incident) {
    notifications_->on_incident(incident);
    fleet_.told(incident.service, incident.is_open() && incident.told.has_value());
    changed();
  };
  callbacks.on_ended = [this](const model::Incident& incident) {
    self_.incident_ended(incident.service, to_string(incident.end), *incident.ended - incident.started);
    if (incident.drill.empty())
      for (const std::string& objective : incident.missed) self_.objective_missed(incident.service, objective);
  };
  incidents_ = std::make_unique<incident::Incidents>(incident::Options{base::Random::from_entropy()}, loop_, *state_,
                                                     facts, std::move(callbacks));
  evidence_ = std::make_unique<incident::EvidenceStore>(*state_);
  changes_ = std::make_unique<ChangeWatch>(ChangeWatch::Context{loop_, blocking_pool_, *state_});
  availability_ = std::make_unique<Availability>(
      *state_, loop_, [this](const std::string& service) { return dispatcher_->maintenance(service).has_value(); });
}

void Agent::make_schedule() {
  probe::Callbacks callbacks;
  callbacks.on_run = [this](const probe::Run& run, const probe::Status& status) { on_run(run, status); };
  callbacks.on_change = [this](const model::HealthChange& change, const probe::Run& run) {
    on_probe_change(change, run);
  };
  callbacks.on_overrun = [this](const probe::Spec& spec) { self_.probe_overrun(spec.service, spec.name); };
  schedule_ = std::make_unique<probe::Schedule>(config_.global.node, probe_context_, std::move(callbacks));
}

base::Result<> Agent::open_sockets() {
  TRY(auto signals, loop::watch_signals(loop_, [this](int signal) {
        const auto note = [this](const base::Result<std::string>& answer) {
          audit_change({"signal SIGHUP", "", "reload"}, answer);
        };
        if (signal == SIGHUP) reload(note);
        else fault_drills_->finish([this] { loop_.stop(); });
      }));
  handles_.push_back(std::move(signals));
  open_heartbeats();
  return {};
}

base::Result<> Agent::bind_heartbeats(const std::string& path) {
  heartbeat_retry_.reset();
  heartbeat_socket_.reset();
  if (path.empty()) return {};
  TRY(heartbeat_socket_,
      net::receive_datagrams(loop_, path, [this](std::string_view bytes, const net::DatagramSender& sender) {
        using Received = probe::Heartbeats::Received;
        const Received received = heartbeats_.receive(bytes, {sender.user, sender.process});
        const std::string uid = fmt::to_string(sender.user);
        if (received == Received::no_name) log::debug("a heartbeat that names no service was dropped", {{"uid", uid}});
        if (received == Received::wrong_sender && strange_senders_.insert(sender.user).second)
          log::warn("heartbeats of a user who is not the service's are dropped",
                    {{"uid", uid}, {"pid", fmt::to_string(sender.process)}});
      }));
  if (!heartbeats_.trouble().empty()) {
    log::info("heartbeats are received now", {{"socket", path}});
    heartbeats_.hear();
  }
  return {};
}

// Without its socket services that send heartbeats are not judged; all else goes on. Its folder may come later.
void Agent::open_heartbeats() {
  const auto bound = bind_heartbeats(config_.heartbeat_socket);
  if (bound) return;
  if (heartbeats_.trouble() != bound.error().text)
    log::error("heartbeats are not received; services that send them are not judged until that is mended",
               {{"error", bound.error().text}});
  heartbeats_.hear_nothing(bound.error().text);
  heartbeat_retry_ = loop_.after(kHeartbeatsAgain, [this] { open_heartbeats(); });
}

base::Result<> Agent::open_server() {
  admin_ = make_admin_handlers({health_table_, *dispatcher_, *rollouts_, *drills_, *fault_drills_, *standbys_,
                                *silences_, options_.config_file, [this](auto done) { reload(std::move(done)); },
                                [this] { changed(); }, [this] { publish(); }});
  const auto heartbeat = [this](const std::string& service, bool failed, std::string text) -> base::Result<> {
    if (!health_table_.knows(service))
      return base::fail(base::Kind::not_found,
                        fmt::format("there is no service '{}' in {}", service, options_.config_file));
    heartbeats_.beat(service, failed, std::move(text));
    return {};
  };
  slot_.on_wanted([this] { loop_.post([this] { publish(); }); });
  metrics_slot_.on_wanted([this] { loop_.post([this] { publish_metrics(); }); });
  backend_ = std::make_unique<Backend>(LoopParts{
      loop_, store_, *admin_, probe_endpoint_, heartbeat,
      [this] {
        return web::Metrics{self_.collect(), metrics_slot_.load()};
      },
      [this] { return fleet_.shared(); },
      [this](const web::Asked& asked, const base::Result<std::string>& answer) { audit_change(asked, answer); },
      [this](const web::AuditQuestion& q) { return audit_->entries(q.limit, q.before, q.service); }});
  web::ServerOptions options;
  options.listen_address = options_.listen_address;
  options.web_config_file = options_.web_config_file;
  options.admin_socket = options_.admin_socket;
  options.external_url = options_.external_url;
  options.max_queries = options_.max_queries;
  if (const auto limit = base::memory_limit())
    options.answer_memory = std::clamp(*limit / 4, kLeastAnswerMemory, options.answer_memory);
  options.engine = engine_options(options_, config_);
  TRY(server_, web::Server::start(std::move(options), slot_, *backend_));
  return {};
}

void Agent::start_timers() {
  scrape_timer_ = loop_.after(kOwnPageFirst, [this, own = std::max(config_.global.interval, kOwnPageEvery)] {
    scrape_self(own);
    every(loop_, scrape_timer_, own, [this, own] { scrape_self(own); });
  });
  every(loop_, second_timer_, model::SelfCheck::kEvery, [this] {
    look_at_loop();
    end_where_healthy(health_table_, *silences_, *dispatcher_);
  });
  every(loop_, expire_timer_, kExpireEvery, [this] {
    turns_.add([this, now = base::to_ms(loop_.wall_now()), next = store::SeriesId{0}]() mutable {
      next = store_.expire(now, next, kExpireAtOnce);
      return next < store_.end();
    });
  });
  if (const base::Duration interval = os::watchdog_interval(); interval.count() > 0)
    every(loop_, watchdog_timer_, interval, [] { os::notify_systemd("WATCHDOG=1"); });
}

void Agent::run() {
  // Who may read here is to be seen at once: the default is everybody who reaches the port.
  const web::PortAccess access = web::port_access(options_.web_config_file);
  log::info("fettle is ready", {{"version", std::string(base::version())},
                                {"node", config_.global.node},
                                {"url", external_url()},
                                {"listen", options_.listen_address},
                                {"login", access.login ? "asked for" : "none"},
                                {"services", fmt::to_string(config_.services.size())}});
  os::notify_systemd("READY=1");
  base::give_back_start_pages();
  loop_.run();
  os::notify_systemd("STOPPING=1");
  log::info("fettle stops; what is durable is durable");
}

void Agent::stop() { loop_.stop(); }

std::string Agent::external_url() const {
  if (!options_.external_url.empty()) return options_.external_url;
  const std::size_t colon = options_.listen_address.rfind(':');
  const int port = server_ ? server_->port()
                           : std::atoi(options_.listen_address.c_str() + (colon == std::string::npos ? 0 : colon + 1));
  return fmt::format("{}://{}:{}", web::port_access(options_.web_config_file).tls ? "https" : "http",
                     config_.global.node, port);
}

}  // namespace app
