#include "app/agent.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "app/recovery_desk.h"
#include "app/silence_desk.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/start_pages.h"
#include "base/version.h"
#include "config/redact.h"
#include "loop/signals.h"
#include "net/time_wait.h"
#include "net/unix_datagram.h"

namespace app {
namespace {

using namespace std::chrono_literals;
namespace log = base::log;

// Pages and event streams see at most ten snapshots a second, and drawing them takes at most a tenth of the loop's
// time.
constexpr auto kPublishEvery = 100ms;
constexpr auto kDrawingShare = 10;
constexpr auto kExpireEvery = 60s;
// Of the memory that the control group allows a quarter is for answers of the API.
constexpr std::size_t kLeastAnswerMemory = std::size_t{16} * 1024 * 1024;
// Probes' results are in the store as they come. This is for the agent's own counters, twenty for each probe, which no
// Prometheus would ask for more often.
constexpr base::Duration kOwnPageEvery = 10s;
constexpr base::Duration kOwnPageFirst = 1s;

// Runs `task` every `period` for as long as `slot` is held.
void every(loop::Scheduler& scheduler, loop::Handle& slot, base::Duration period, std::function<void()> task) {
  slot = scheduler.after(period, [&scheduler, &slot, period, task] {
    task();
    every(scheduler, slot, period, task);
  });
}

// An action as a label: "systemd restart", "command restart-order", without arguments, units and folders.
std::string action_label(const std::string& text) {
  const std::size_t blank = text.find(' ');
  const std::string kind = text.substr(0, blank);
  if (blank == std::string::npos) return kind;
  const std::string word = text.substr(blank + 1, text.find(' ', blank + 1) - blank - 1);
  return kind + ' ' + word.substr(word.rfind('/') + 1);
}

std::set<std::string> alert_names(const rules::Manager& rules) {
  std::set<std::string> names;
  for (const rules::GroupStatus& group : rules.groups())
    for (const rules::RuleStatus& rule : group.rules)
      if (rule.alerting) names.insert(rule.name);
  return names;
}

}  // namespace

Agent::Agent(AgentOptions options, config::AgentConfig config)
    : options_(std::move(options)),
      config_(std::move(config)),
      store_({config_.storage.retention, config_.storage.max_series}),
      samples_(store_, target_labels(config_.global)),
      started_(loop_.wall_now()) {}

// The loop turns no more. Workers that wait for it are told so first, as the server waits for its workers.
Agent::~Agent() {
  if (backend_) backend_->close();
  slot_.close();
  server_.reset();
}

base::Result<std::unique_ptr<Agent>> Agent::start(AgentOptions options, LoadedConfig loaded) {
  std::unique_ptr<Agent> agent(new Agent(std::move(options), loaded.config));
  TRY_VOID(agent->open_state());
  agent->make_rules();
  agent->make_notifications();
  agent->make_recovery();
  agent->make_schedule();
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
    self_.state_durable(false);
    return {};
  }
  std::string notice;
  TRY(state_, state::open(options_.storage_path, loop_, notice));
  if (!notice.empty()) log::error(notice);
  state_trouble_ = state_->trouble();
  self_.state_durable(state_trouble_.empty());
  return {};
}

void Agent::make_rules() {
  rules::Options options;
  options.engine = engine_options(options_, config_);
  options.evaluation_interval = config_.global.evaluation_interval;
  options.external_labels = config_.global.external_labels;
  options.external_url = external_url();
  options.node = config_.global.node;
  rules::Listener listener;
  listener.append = [this](const model::Labels& labels, model::Sample sample) {
    return samples_.append_rule(labels, sample);
  };
  listener.on_transitions = [this](const auto& transitions) { on_transitions(transitions); };
  listener.on_evaluated = [this](const std::string& group, const std::string&, base::Duration took, bool ok) {
    self_.rule_evaluated(group, took, ok);
    changed();
  };
  listener.on_group_evaluated = [this](base::Duration took) { self_.rule_group_evaluated(took); };
  listener.on_clock_set = [this](base::Millis step) { store_.shift(step.count()); };
  rules_ = std::make_unique<rules::Manager>(std::move(options), loop_, *state_, queryable_, std::move(listener));
}

void Agent::make_notifications() {
  if (!silences_) silences_ = std::make_unique<notify::Silences>(*state_, loop_, base::Random::from_entropy().next());
  silences_->on_change([this] {
    notifications_->on_silences();
    changed();
  });
  notify::Listener listener;
  listener.on_result = [this](const std::string& receiver, const std::string& target, notify::SendResult result) {
    self_.notified(receiver, target, std::string(to_string(result)));
    changed();
  };
  listener.on_dropped = [this](const std::string& receiver, notify::DropReason reason, std::size_t messages) {
    self_.notifications_dropped(receiver, std::string(to_string(reason)), messages);
    changed();
  };
  notifications_ = std::make_unique<notify::Notifications>(
      notify::Options{config_.global.node, external_url(), config_.global.external_labels, base::Random::from_entropy(),
                      silences_.get()},
      notify::Context{loop_, http_, spawner_}, *state_, std::move(listener));
  settled_ = false;
}

void Agent::make_recovery() {
  recover::Listener listener;
  listener.on_report = [this](const model::RecoveryReport& report) { on_report(report); };
  listener.on_action = [this](const std::string& service, const std::string& action, const std::string& result,
                              const std::string& mode) {
    self_.recovery_action(service, action_label(action), result, mode);
  };
  listener.on_blocked = [this](const std::string& service, recover::GuardName reason) {
    self_.recovery_blocked(service, to_string(reason));
    changed();
  };
  const auto page = [this](const std::string& service, const std::string& text) {
    notifications_->page(service, text);
  };
  traffic_controller_ = std::make_unique<recover::TrafficController>(
      recover::TrafficContext{loop_, systemd_, spawner_, dialer_, agent_checks_}, *state_);
  dispatcher_ = std::make_unique<recover::Dispatcher>(
      recover::Options{config_.global.node, base::Random::from_entropy().next(), {}},
      recover::Context{loop_, systemd_, spawner_, page, traffic_controller_.get(), &http_, &pids_, &logind_}, *state_,
      service_view_, std::move(listener));
}

void Agent::make_schedule() {
  probe::Listener listener;
  listener.on_run = [this](const probe::Run& run, const probe::Status& status) { on_run(run, status); };
  listener.on_change = [this](const model::HealthChange& change, const probe::Run& run) {
    on_probe_change(change, run);
  };
  listener.on_overrun = [this](const probe::Spec& spec) { self_.probe_overrun(spec.service, spec.name); };
  schedule_ = std::make_unique<probe::Schedule>(config_.global.node, probe_context_, std::move(listener));
}

base::Result<> Agent::open_sockets() {
  TRY(auto signals, loop::watch_signals(loop_, [this](int signal) {
        if (signal == SIGHUP) (void)reload();  // the answer is in the log and on the page
        else loop_.stop();
      }));
  handles_.push_back(std::move(signals));
  if (config_.heartbeat_socket.empty()) return {};
  TRY(auto heartbeats,
      net::receive_datagrams(loop_, config_.heartbeat_socket,
                             [this](std::string_view bytes, const net::DatagramSender& sender) {
                               using Received = probe::Heartbeats::Received;
                               const Received received = heartbeats_.receive(bytes, {sender.user, sender.process});
                               const std::string uid = fmt::to_string(sender.user);
                               if (received == Received::no_name)
                                 log::debug("a heartbeat that names no service was dropped", {{"uid", uid}});
                               if (received == Received::wrong_sender && strange_senders_.insert(sender.user).second)
                                 log::warn("heartbeats of a user who is not the service's are dropped",
                                           {{"uid", uid}, {"pid", fmt::to_string(sender.process)}});
                             }));
  handles_.push_back(std::move(heartbeats));
  return {};
}

base::Result<> Agent::open_server() {
  LoopSide side;
  side.heartbeat = [this](const std::string& service, bool failed, std::string text) -> base::Result<> {
    if (!health_table_.knows(service))
      return base::fail(base::Kind::not_found,
                        fmt::format("there is no service '{}' in {}", service, options_.config_file));
    heartbeats_.beat(service, failed, std::move(text));
    return {};
  };
  side.probe = [this](const web::ProbeQuestion& question, auto done) {
    probe_endpoint_.run(question, std::move(done));
  };
  side.reload = [this] { return reload(); };
  open_recovery_desk(side, health_table_, *dispatcher_, options_.config_file, [this] { changed(); });
  open_silence_desk(side, *silences_, [this] { publish(); });
  slot_.on_wanted([this] { loop_.post([this] { publish(); }); });
  backend_ = std::make_unique<Backend>(loop_, store_, std::move(side), [this] { return self_.collect(); });
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
  scrape_timer_ = loop_.after(kOwnPageFirst, [this] {
    scrape_self();
    every(loop_, scrape_timer_, std::max<base::Duration>(config_.global.interval, kOwnPageEvery),
          [this] { scrape_self(); });
  });
  every(loop_, second_timer_, model::SelfCheck::kEvery, [this] { look_at_loop(); });
  every(loop_, expire_timer_, kExpireEvery, [this] { store_.expire(base::to_ms(loop_.wall_now())); });
  if (const base::Duration interval = os::watchdog_interval(); interval.count() > 0)
    every(loop_, watchdog_timer_, interval, [] { os::notify_systemd("WATCHDOG=1"); });
}

void Agent::run() {
  log::info("fettle is ready", {{"version", std::string(base::version())},
                                {"node", config_.global.node},
                                {"url", external_url()},
                                {"services", fmt::to_string(config_.services.size())}});
  os::notify_systemd("READY=1");
  base::give_back_start_pages();
  loop_.run();
  os::notify_systemd("STOPPING=1");
  log::info("fettle stops; what is durable is durable");
}

void Agent::stop() { loop_.stop(); }

// ---- the walk of one probe result ----

void Agent::on_run(const probe::Run& run, const probe::Status&) {
  const probe::Spec& spec = *run.spec;
  rules_->follow_clock();
  const base::WallTime now = loop_.wall_now();
  samples_.append_run(run);
  self_.probe_finished(spec.service, spec.name, run.outcome.reason);
  if (run.outcome.left_out > 0) self_.probe_samples_left_out(spec.service, spec.name, run.outcome.left_out);
  self_.probe_lag(run.lateness);
  blind_probes_.saw(spec, run.outcome, loop_.now());
  if (const auto start = health_table_.new_start(run))
    schedule_->service_started(spec.service, loop_.now() - (now - *start));
  const model::Health health = schedule_->service_health(spec.service);
  samples_.append_service(spec.service, health, now);
  if (const auto change = health_table_.update(run, health, loop_.now(), now)) {
    log::info(fmt::format("service is {}", model::to_string(health)),
              {{"service", spec.service}, {"text", change->text}});
    traffic_controller_->on_health(spec.service, health, change->text);
    dispatcher_->on_health(*change);
  }
  dispatcher_->on_run(spec.service, spec.name, run.outcome.up);
  changed();
}

// After on_run of the same run: the store has what the rules are to see.
void Agent::on_probe_change(const model::HealthChange& change, const probe::Run& run) {
  if (change.to == model::Health::down) {
    const std::string source = run.event ? run.event->source : "probe";
    const base::Duration latency = health_table_.detection_latency(run, loop_.now());
    self_.detected(source, latency);
    log::warn("probe is down", {{"service", change.service},
                                {"probe", change.probe},
                                {"reason", std::string(model::to_string(change.reason))},
                                {"text", change.text},
                                {"source", source},
                                {"latency_seconds", fmt::format("{:.6f}", base::seconds(latency))}});
  } else {
    log::info("probe is up", {{"service", change.service}, {"probe", change.probe}, {"text", change.text}});
  }
  rules_->touched(samples_.touched_by(change.service));
}

void Agent::on_transitions(const std::vector<model::AlertTransition>& transitions) {
  // First recover, so that the notification can say what was tried.
  for (const model::AlertTransition& transition : transitions) dispatcher_->on_alert(transition);
  notifications_->on_transitions(transitions);
  // The log says it when the alert and its messages are durable: what it says is told, whatever happens to the agent.
  state_->commit({}, [transitions](const base::Result<>&) {
    for (const model::AlertTransition& transition : transitions)
      log::info(fmt::format("alert is {}", model::to_string(transition.alert.state)),
                {{"alert", transition.alert.labels.to_string()}});
  });
  changed();
}

void Agent::on_report(const model::RecoveryReport& report) {
  notifications_->on_recovery(report);
  if (!report.actions.empty() || report.ended) {
    const bool acted = !report.actions.empty();
    log::info("recovery", {{"service", report.service},
                           {"id", report.id},
                           {"mode", report.mode},
                           {"state", report.state},
                           {"reason", report.reason},
                           {"action", acted ? report.actions.back().action : ""},
                           {"result", acted ? report.actions.back().result : ""}});
  }
  changed();
}

// ---- reload, upkeep, snapshots ----

void Agent::apply(LoadedConfig loaded) {
  discoveries_.replace(std::move(loaded.discoveries), loaded.probes);
  for (probe::Spec& spec : discoveries_.specs(loaded.modules)) loaded.probes.push_back(std::move(spec));
  if (loaded.probes.empty())
    log::warn("no probe is configured: add services to the configuration", {{"file", options_.config_file}});
  std::vector<const probe::Spec*> probes;
  for (const probe::Spec& spec : loaded.probes) probes.push_back(&spec);
  if (const std::string text = too_many_series(probes, loaded.config.storage.max_series); !text.empty())
    log::warn(text, {{"file", options_.config_file}});
  forget_missing(loaded);
  config_ = std::move(loaded.config);
  config_page_.file = options_.config_file;
  config_page_.redacted_text = config::shown_config(config_.root);
  config_page_.loaded = loop_.wall_now();
  self_.config_loaded(config_page_.loaded);
  config_page_.left_out = loaded.left_out;
  if (!loaded.left_out.empty()) {
    self_.config_refused();
    log::error("parts of the configuration have mistakes and are left out; the rest runs",
               {{"mistakes", loaded.left_out}});
  }
  health_table_.keep_only(config_.services, config_page_.loaded);
  notifications_->replace(std::move(loaded.receivers));
  for (const auto& plan : loaded.plans)
    for (const auto* steps : {&plan->steps, &plan->finally})
      for (const recover::Step& step : *steps)
        self_.recovery_added(plan->service, action_label(step.text), recover::to_string(plan->mode));
  dispatcher_->limit({config_.global.recovery.plans_at_once, config_.global.recovery.actions_per_hour,
                      config_.global.recovery.pause_file});
  traffic_controller_->replace(std::move(loaded.traffic));
  for (const auto& [name, known] : health_table_.all()) traffic_controller_->on_health(name, known.health, known.text);
  dispatcher_->replace(std::move(loaded.plans));
  rules_->replace(std::move(loaded.groups));
  dispatcher_->know_alerts(alert_names(*rules_));
  if (!std::exchange(settled_, true)) notifications_->settle(rules_->known_alerts());
  probe_endpoint_.replace(std::move(loaded.modules), config_.blackbox, loaded.probes);
  schedule_->limit(std::move(loaded.limits));
  schedule_->replace(std::move(loaded.probes));
  samples_.keep_only(schedule_->statuses(), config_page_.loaded);
  for (const probe::Status& status : schedule_->statuses()) self_.probe_added(status.spec->service, status.spec->name);
  changed();
  publish();  // at once: who may send heartbeats is read from the latest snapshot, however old
}

void Agent::scrape_self() {
  rules_->follow_clock();
  std::vector<model::MetricFamily> page = metric_families(facts(), Outcomes::left_out);
  for (model::MetricFamily& family : self_.collect()) page.push_back(std::move(family));
  samples_.append_page(page, loop_.wall_now());
}

void Agent::look_at_loop() {
  const base::Duration longest = loop_.take_longest_turn();
  self_.loop_turn(longest);
  self_.published();
  self_.connections_left(net::count_left_behind());
  const store::Stats stats = store_.stats();
  self_.store_counts({stats.series, stats.samples, stats.bytes, stats.refused_old, stats.refused_limit,
                      stats.max_series, stats.evicted});
  store_watch_.look(loop_.now());
  server_->look_at_files();
  service_view_.look(longest);
  look_at_state();
}

void Agent::look_at_state() {
  if (state_->trouble() == state_trouble_) return;
  const bool was_durable = std::exchange(state_trouble_, state_->trouble()).empty();
  self_.state_durable(state_trouble_.empty());
  if (state_trouble_.empty()) log::info("the state is durable again", {{"folder", options_.storage_path}});
  else if (was_durable)
    log::error("nothing is durable until this is mended: the agent probes and tells, and takes no recovery action",
               {{"error", state_trouble_}});
  changed();
}

// The last snapshot is not true any more. Nothing is drawn yet: pages and streams ask when they want to look.
void Agent::changed() {
  if (dirty_) return;
  dirty_ = true;
  slot_.outdate();
  if (!server_) return;
  if (good_until_ <= loop_.now()) return server_->snapshot_changed();
  publish_timer_ = loop_.at(good_until_, [this] { server_->snapshot_changed(); });
}

void Agent::publish() {
  const base::Instant began = loop_.now();
  auto next = std::make_shared<web::Snapshot>();
  fill(*next, facts());
  next->number = ++published_;
  next->version = base::version();
  next->started = started_;
  next->ready = ready_;
  next->config = config_page_;
  next->state_trouble = state_trouble_;
  next->store_troubles = store_watch_.troubles();
  next->heartbeat_token_file = config_.heartbeat_token_file;
  for (const SourceStatus& each : discoveries_.statuses())
    if (!each.error.empty())
      next->config.broken_sources.push_back(
          {config::first_lines(each.error, config::Errors::kShown), each.failing_since});
  const base::Instant drawn = loop_.now();
  good_until_ = drawn + std::max<base::Duration>(kPublishEvery, (drawn - began) * kDrawingShare);
  slot_.store(std::move(next), good_until_);
  dirty_ = false;
}

SnapshotFacts Agent::facts() const {
  SnapshotFacts facts{config_,
                      health_table_.all(),
                      schedule_->statuses(),
                      dispatcher_->statuses(),
                      dispatcher_->reports(),
                      rules_->groups(),
                      rules_->active_alerts(),
                      {}};
  facts.node_actions_left = dispatcher_->node_actions_left();
  facts.load = schedule_->load();
  facts.sources = discoveries_.statuses();
  facts.now = loop_.now();
  facts.wall_now = loop_.wall_now();
  add_silences(facts, *silences_);
  facts.receivers = notifications_->statuses();
  for (const auto& [name, service] : config_.services)
    if (auto comment = dispatcher_->maintenance(name)) facts.maintenance.emplace(name, *comment);
  return facts;
}

std::string Agent::external_url() const {
  if (!options_.external_url.empty()) return options_.external_url;
  const std::size_t colon = options_.listen_address.rfind(':');
  const int port = server_ ? server_->port()
                           : std::atoi(options_.listen_address.c_str() + (colon == std::string::npos ? 0 : colon + 1));
  return fmt::format("http://{}:{}", config_.global.node, port);
}

}  // namespace app
