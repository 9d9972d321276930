#include "app/flight_recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "app/local_port.h"
#include "base/ascii.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "loop/blocking_pool.h"
#include "loop/scheduler.h"
#include "os/service_look.h"
#include "os/subprocess.h"
#include "os/systemd/systemd.h"

namespace app {
namespace {

using model::EvidenceSection;

constexpr std::size_t kLineLimit = 512, kMeasured = 20;
constexpr const char *kUnit = "unit", *kProcesses = "processes", *kJournal = "journal";

std::string run_text(const probe::Run& run) {
  const model::Outcome& outcome = run.outcome;
  std::string out = fmt::format("run at {}: {}", base::format_iso8601(run.started),
                                outcome.up ? std::string("up") : std::string(model::to_string(outcome.reason)));
  if (!outcome.text.empty()) out += ": " + outcome.text;
  out += fmt::format("; took {:.3f} s", base::seconds(outcome.took));
  for (const model::Phase& phase : outcome.phases)
    out += fmt::format(", {} {:.3f} s", phase.name, base::seconds(phase.took));
  return out;
}

void add_probe(const probe::Status& status, EvidenceSection& section) {
  section.lines.push_back(fmt::format("{}/{} at {}: {}, {} failures in a row", status.spec->service, status.spec->name,
                                      status.spec->settings->target(), model::to_string(status.health),
                                      status.consecutive_failures));
  if (!status.last) return;
  section.lines.push_back("  " + run_text(*status.last));
  if (status.last->event) section.lines.push_back("  event: " + status.last->event->text);
  const auto& measured = status.last->outcome.measurements;
  for (std::size_t i = 0; i < std::min(measured.size(), kMeasured); ++i)
    section.lines.push_back(fmt::format("  {}{} {}", measured[i].name,
                                        measured[i].labels.empty() ? "" : measured[i].labels.to_string(),
                                        measured[i].value));
}

// On a thread of the pool: long texts are searched for secrets, which may lie in files.
void make_text_fit(std::vector<EvidenceSection>& sections, const base::KnownSecrets& secrets) {
  base::SecretFilter filter(secrets);
  for (EvidenceSection& section : sections) {
    for (std::string& line : section.lines)
      line = base::foreign_text(base::without_secrets(filter.blotted(std::move(line))), kLineLimit);
    section.missing = base::foreign_text(base::without_secrets(filter.blotted(section.missing)), kLineLimit);
  }
}

}  // namespace

struct FlightRecorder::Gathering {
  std::string service;
  base::Instant began{};
  std::set<std::string> parts;  // that have not answered
  loop::Handle limit, unit, processes, journal, fit;
  model::Evidence evidence;
  model::FaultSigns signs;
  std::string unit_name;
  std::uint16_t port = 0;
  std::size_t max_size = 0;
  bool process_ended = false;  // an action destroys nothing that could be seen, and waits for nothing
  base::KnownSecrets secrets;
  std::vector<std::weak_ptr<std::function<void()>>> waiting;
};

FlightRecorder::FlightRecorder(Context context, const std::unique_ptr<probe::Schedule>& schedule, Callbacks callbacks)
    : context_(std::move(context)), schedule_(schedule), callbacks_(std::move(callbacks)) {}

FlightRecorder::~FlightRecorder() = default;

void FlightRecorder::configure(config::Evidence limits,
                               const std::vector<std::pair<std::string, config::Service>>& services) {
  limits_ = limits;
  services_.clear();
  for (const auto& [name, service] : services) services_[name] = {service.unit, service.depends_on};
}

void FlightRecorder::begin(const std::string& service, const std::string& recovery) {
  const auto known = services_.find(service);
  if (limits_.budget <= base::Millis{0} || known == services_.end()) return;
  for (const auto* all : {&open_, &told_})
    if (const auto there = all->find(service); there != all->end()) {
      if (!recovery.empty()) begun_[service].recovery = there->second->evidence.recovery = recovery;
      return;
    }
  const base::Instant now = context_.scheduler.now();
  if (const auto last = begun_.find(service); last != begun_.end()) {
    if (!recovery.empty() && last->second.recovery == recovery) return;
    last->second.recovery = recovery;
    if (now - last->second.at < kFresh) return;
  }
  std::string incident = callbacks_.incident_of(service);
  if (incident.empty()) return;
  if (open_.size() + told_.size() >= kAtOnce)
    return base::log::info("no evidence is gathered: that of many services is", {{"service", service}});
  begun_[service] = {now, recovery};
  const auto gathering = std::make_shared<Gathering>();
  open_[service] = gathering;
  gathering->service = service;
  gathering->began = now;
  gathering->max_size = limits_.max_size;
  gathering->unit_name = known->second.unit;
  gathering->evidence.incident = std::move(incident);
  gathering->evidence.service = service;
  gathering->evidence.recovery = recovery;
  gathering->evidence.at = context_.scheduler.wall_now();
  gathering->limit =
      context_.scheduler.after(limits_.budget, [this, gathering = gathering.get()] { close(*gathering); });
  note_probes(*gathering, known->second);
  gathering->parts = {kProcesses};
  if (gathering->unit_name.empty()) return look(*gathering, 0);
  gathering->parts.insert({kUnit, kJournal});
  ask_systemd(*gathering);
  read_journal(*gathering);
}

void FlightRecorder::note_probes(Gathering& gathering, const Known& known) {
  EvidenceSection probes{"probes", {}, ""}, dependencies{"dependencies", {}, ""};
  for (const probe::Status& status : schedule_->statuses(gathering.service)) {
    add_probe(status, probes);
    gathering.secrets.add(status.spec->secrets);
    if (const std::uint16_t port = local_port(status.spec->settings->target()); gathering.port == 0)
      gathering.port = port;
    if (!status.last || status.last->outcome.up) continue;
    if (gathering.signs.reason == model::Reason::none) gathering.signs.reason = status.last->outcome.reason;
    if (status.last->event && gathering.signs.death.empty()) gathering.signs.death = status.last->event->text;
  }
  for (const std::string& name : known.depends_on)
    for (const probe::Status& status : schedule_->statuses(name)) {
      add_probe(status, dependencies);
      gathering.secrets.add(status.spec->secrets);
      if (!status.last || status.last->outcome.up || !gathering.signs.dependency.empty()) continue;
      gathering.signs.dependency =
          base::without_secrets(fmt::format("{} does not answer: {}: {}", name,
                                            model::to_string(status.last->outcome.reason), status.last->outcome.text));
    }
  if (known.depends_on.empty()) dependencies.missing = "the service has no depends_on";
  gathering.evidence.sections = {std::move(probes), std::move(dependencies)};
}

void FlightRecorder::ask_systemd(Gathering& gathering) {
  const base::Instant deadline = gathering.began + limits_.budget;
  gathering.unit = context_.systemd.read_unit(
      gathering.unit_name, deadline, [this, &gathering](const base::Result<os::UnitState>& unit) {
        EvidenceSection section{kUnit, {}, ""};
        if (unit) {
          gathering.signs.unit_result = unit->result;
          section.lines = {
              fmt::format("{} is {} ({}), result {}", gathering.unit_name, unit->active, unit->sub, unit->result),
              fmt::format("main process {}, restarts {}, last end: code {}, status {}", unit->main_pid, unit->restarts,
                          unit->exec_main_code, unit->exec_main_status)};
        } else {
          section.missing = unit.error().text;
        }
        gathering.evidence.sections.push_back(std::move(section));
        // One that is active has processes even without a main one.
        gathering.process_ended =
            unit && unit->main_pid == 0 && unit->active != "active" && unit->active != "reloading";
        look(gathering, unit ? unit->main_pid : 0);
        done(gathering, kUnit);
      });
}

void FlightRecorder::look(Gathering& gathering, int main_pid) {
  if (gathering.process_ended) {
    gathering.evidence.sections.push_back({kProcesses, {}, "its process had ended"});
    go_on(gathering);
    return done(gathering, kProcesses);
  }
  const auto found = std::make_shared<os::ServiceLook>();
  gathering.processes = context_.pool.run(
      {gathering.service + "/evidence", "/proc"},
      [found, files = context_.files, question = os::ServiceQuestion{gathering.unit_name, main_pid, gathering.port}] {
        *found = os::look_at_service(question, files);
      },
      [this, &gathering, found](const base::Result<>& looked) {
        if (looked) {
          auto& sections = gathering.evidence.sections;
          std::move(found->sections.begin(), found->sections.end(), std::back_inserter(sections));
          found->signs.reason = gathering.signs.reason;
          found->signs.dependency = std::move(gathering.signs.dependency);
          found->signs.death = std::move(gathering.signs.death);
          found->signs.unit_result = std::move(gathering.signs.unit_result);
          gathering.signs = std::move(found->signs);
        } else {
          gathering.evidence.sections.push_back({kProcesses, {}, looked.error().text});
        }
        done(gathering, kProcesses);
      });
}

void FlightRecorder::read_journal(Gathering& gathering) {
  os::Command command;
  command.argv = {"journalctl", "-u", gathering.unit_name, "-n", "50", "-o", "short-iso", "--no-pager"};
  command.environment = {{"LANG", "C.UTF-8"}};
  command.limit = limits_.budget;
  command.grace = base::Millis{100};
  gathering.journal =
      context_.spawner.spawn(std::move(command), [this, &gathering](const base::Result<os::Finished>& finished) {
        EvidenceSection section{kJournal, {}, ""};
        if (!finished) section.missing = finished.error().text;
        std::string_view out = finished ? std::string_view(finished->out) : std::string_view();
        while (!out.empty()) section.lines.emplace_back(base::take_line(out));
        std::erase_if(section.lines, [](const std::string& line) { return line.empty() || line.starts_with("-- "); });
        if (finished && section.lines.empty())
          section.missing =
              finished->err.empty() ? "the journal has no line of it" : base::first_line(finished->err, kLineLimit);
        gathering.evidence.sections.push_back(std::move(section));
        done(gathering, kJournal);
      });
}

void FlightRecorder::done(Gathering& gathering, const char* part) {
  gathering.parts.erase(part);
  if (gathering.parts.empty()) close(gathering);
}

// Whoever waits goes on first; what is gathered is made fit and written beside that.
void FlightRecorder::close(Gathering& gathering) {
  const auto own = open_.extract(gathering.service).mapped();
  const loop::Handle limit = std::move(own->limit), unit = std::move(own->unit), processes = std::move(own->processes),
                     journal = std::move(own->journal);
  own->evidence.took = std::chrono::duration_cast<base::Millis>(context_.scheduler.now() - own->began);
  for (const std::string& part : own->parts)
    own->evidence.sections.push_back(
        {part, {}, fmt::format("did not answer within {}", base::format_duration(limits_.budget))});
  told_[own->service] = own;
  go_on(*own);
  make_fit(own);
}

void FlightRecorder::go_on(Gathering& gathering) {
  for (const auto& each : std::exchange(gathering.waiting, {}))
    if (const auto done = each.lock()) (*done)();
}

void FlightRecorder::make_fit(std::shared_ptr<Gathering> gathering) {
  const auto sections = std::make_shared<std::vector<EvidenceSection>>(std::move(gathering->evidence.sections));
  gathering->fit = context_.pool.run(
      {gathering->service + "/evidence", "secrets"},
      [sections, secrets = gathering->secrets] { make_text_fit(*sections, secrets); },
      [this, sections, gathering = gathering.get()](const base::Result<>& fit) {
        const auto own = told_.extract(gathering->service).mapped();
        const loop::Handle handle = std::move(own->fit);
        model::Evidence& evidence = own->evidence;
        evidence.fault = model::name_fault(own->signs);
        evidence.fault.why = base::foreign_text(
            base::without_secrets(own->secrets.blotted(std::move(evidence.fault.why))), model::kTextLimit);
        // Texts that were not searched for secrets are not kept.
        if (fit) evidence.sections = std::move(*sections);
        else evidence.sections = {{"all", {}, fit.error().text}};
        evidence.cut(own->max_size);
        callbacks_.on_evidence(std::move(evidence));
      });
}

namespace {

class Waiting final : public loop::Registration {
 public:
  explicit Waiting(std::shared_ptr<std::function<void()>> done) : done_(std::move(done)) {}

 private:
  std::shared_ptr<std::function<void()>> done_;
};

}  // namespace

loop::Handle FlightRecorder::wait(const std::string& service, std::function<void()> done) {
  const auto there = open_.find(service);
  if (there == open_.end() || there->second->process_ended) return {};
  auto kept = std::make_shared<std::function<void()>>(std::move(done));
  there->second->waiting.push_back(kept);
  return loop::Handle(std::make_unique<Waiting>(std::move(kept)));
}

}  // namespace app
