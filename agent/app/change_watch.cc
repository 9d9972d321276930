#include "app/change_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/config_lint.h"
#include "app/local_port.h"
#include "base/ascii.h"
#include "base/file.h"
#include "base/log.h"
#include "loop/blocking_pool.h"
#include "loop/scheduler.h"
#include "state/state.h"

namespace app {

using model::ChangeKind;
using model::NodeChange;
using nlohmann::json;
using state::Change;
using state::Table;

namespace {

constexpr std::string_view kChanges = "change/", kFiles = "files/", kBoot = "node/boot", kUntil = "node/looked_until";
constexpr std::size_t kLogLimit = 16 * 1024 * 1024;
constexpr int kRestless = 2;
const auto kept = [](const base::Result<>&) {};  // the state says what is wrong with the disk

std::string key_of(const NodeChange& change) {
  return fmt::format("{}{:013}/{}/{}/{}", kChanges, base::to_ms(change.at), change.service, to_string(change.kind),
                     change.what);
}

std::string to_json(const NodeChange& change) {
  const json out{{"at_ms", base::to_ms(change.at)},
                 {"service", change.service},
                 {"kind", to_string(change.kind)},
                 {"what", change.what}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

NodeChange read_change(const json& in) {
  const auto kind = model::parse_change_kind(in.at("kind").get_ref<const std::string&>());
  return {base::wall_from_ms(in.at("at_ms").get<std::int64_t>()), in.at("service"),
          kind.value_or(ChangeKind::configuration), in.at("what")};
}

std::string to_json(const std::vector<model::FileStamp>& stamps) {
  json out = json::array();
  for (const model::FileStamp& stamp : stamps)
    out.push_back({{"path", stamp.path},
                   {"kind", to_string(stamp.kind)},
                   {"modified_ns", stamp.modified_ns},
                   {"size", stamp.size},
                   {"inode", stamp.inode},
                   {"exists", stamp.exists}});
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<model::FileStamp> read_stamps(const json& in) {
  std::vector<model::FileStamp> out;
  for (const json& each : in) {
    model::FileStamp stamp;
    stamp.path = each.at("path");
    stamp.kind = model::parse_change_kind(each.at("kind").get_ref<const std::string&>()).value_or(stamp.kind);
    stamp.modified_ns = each.at("modified_ns");
    stamp.size = each.at("size");
    stamp.inode = each.at("inode");
    stamp.exists = each.at("exists");
    out.push_back(std::move(stamp));
  }
  return out;
}

}  // namespace

struct ChangeWatch::Found {
  std::map<std::string, std::vector<model::FileStamp>> files;
  std::vector<NodeChange> packages;
  base::WallTime at{};
};

ChangeWatch::ChangeWatch(Context context) : context_(std::move(context)) {
  for (const auto& [key, text] : context_.state.read(Table::evidence)) {
    try {
      if (key.starts_with(kChanges)) changes_.push_back(read_change(json::parse(text)));
      else if (key.starts_with(kFiles)) services_[key.substr(kFiles.size())].known = read_stamps(json::parse(text));
      else if (key == kUntil) looked_until_ = base::wall_from_ms(json::parse(text).get<std::int64_t>());
    } catch (const json::exception& e) {
      base::log::error("a record of changes is unreadable", {{"record", key}, {"error", e.what()}});
    }
  }
  const auto& records = context_.state.read(Table::evidence);
  const std::string boot(base::trim(base::read_file(context_.boot_id, 4096).value_or(""), " \n"));
  const auto last = records.find(std::string(kBoot));
  if (last != records.end() && last->second != boot && !boot.empty())
    add({context_.scheduler.wall_now(), "", ChangeKind::boot, "the node was booted"});
  if (!boot.empty()) context_.state.commit({Change::put(Table::evidence, std::string(kBoot), boot)}, kept);
}

void ChangeWatch::configure(const std::vector<std::pair<std::string, config::Service>>& services,
                            const probe::Schedule& schedule) {
  std::map<std::string, os::FilesQuestion> next;
  depends_on_.clear();
  for (const auto& [name, service] : services) {
    os::FilesQuestion& question = next[name];
    question.unit = service.unit;
    for (const probe::Status& status : schedule.statuses(name))
      if (question.port == 0) question.port = local_port(status.spec->settings->target());
    if (const auto known = services_.find(name); known != services_.end())
      question.known = std::move(known->second.known);
    depends_on_[name] = service.depends_on;
  }
  for (const auto& [name, question] : services_)
    if (!next.contains(name))
      context_.state.commit({Change::remove(Table::evidence, std::string(kFiles) + name)}, kept);
  services_ = std::move(next);
  look([] {});
}

void ChangeWatch::add(NodeChange change) {
  const auto same = [&](const NodeChange& each) { return key_of(each) == key_of(change); };
  if (std::any_of(changes_.begin(), changes_.end(), same)) return;
  base::log::info("something was changed", {{"what", change.what},
                                            {"kind", std::string(to_string(change.kind))},
                                            {"service", change.service},
                                            {"at", base::format_iso8601(change.at)}});
  std::vector<Change> records{Change::put(Table::evidence, key_of(change), to_json(change))};
  const auto behind = std::upper_bound(changes_.begin(), changes_.end(), change,
                                       [](const NodeChange& a, const NodeChange& b) { return a.at < b.at; });
  changes_.insert(behind, std::move(change));
  for (; changes_.size() > kKept; changes_.erase(changes_.begin()))
    records.push_back(Change::remove(Table::evidence, key_of(changes_.front())));
  context_.state.commit(std::move(records), kept);
}

void ChangeWatch::note_certificate(const probe::Run& run) {
  for (const model::Measurement& measured : run.outcome.measurements) {
    if (measured.name != "probe_ssl_earliest_cert_expiry") continue;
    const auto [known, first] = certificates_.try_emplace({run.spec->service, run.spec->name}, measured.value);
    if (first || std::exchange(known->second, measured.value) == measured.value) return;
    add({run.started, run.spec->service, ChangeKind::certificate,
         fmt::format("the certificate that {} shows ends {} now", run.spec->name,
                     base::format_iso8601(base::wall_from_ms(static_cast<std::int64_t>(measured.value) * 1000)))});
    return;
  }
}

void ChangeWatch::look(std::function<void()> done) {
  // The one that is under way may have read a file before it was changed.
  next_.push_back(std::move(done));
  if (!look_) begin();
}

void ChangeWatch::begin() {
  waiting_ = std::exchange(next_, {});
  timer_.reset();
  const auto found = std::make_shared<Found>();
  found->at = context_.scheduler.wall_now();
  // What was upgraded before the first look is not known to be new.
  const base::WallTime since = looked_until_ == base::WallTime{} ? found->at : looked_until_ - std::chrono::seconds{1};
  look_ = context_.pool.run(
      {"changes", "/proc"},
      [found, since, services = services_, folders = unit_folders(), dpkg = context_.dpkg_log] {
        found->files = os::stamps_of(services, folders);
        if (const auto log = base::read_file(dpkg, kLogLimit)) found->packages = os::package_changes(*log, since);
      },
      [this, found](const base::Result<>& result) {
        const loop::Handle own = std::move(look_);
        if (result) looked(*found);
        go_on();
      });
  limit_ = context_.scheduler.after(kLimit, [this] {
    base::log::warn("files of services cannot be looked at: one does not answer; changes are not known",
                    {{"within", base::format_duration(kLimit)}});
    look_.reset();
    go_on();
  });
}

void ChangeWatch::go_on() {
  const loop::Handle limit = std::move(limit_);
  for (const auto& each : std::exchange(waiting_, {})) each();
  if (look_) return;  // one of them has asked for another
  if (next_.empty()) look_later();
  else begin();
}

void ChangeWatch::look_later() {
  if (!look_) timer_ = context_.scheduler.after(kEvery, [this] { look([] {}); });
}

void ChangeWatch::looked(const Found& found) {
  const base::WallTime now = context_.scheduler.wall_now();
  for (const auto& [service, stamps] : found.files) {
    const auto there = services_.find(service);
    if (there == services_.end()) continue;
    std::map<std::string, int>& restless = restless_[service];
    std::map<std::string, int> again;
    // A first look knows no changes.
    auto news = there->second.known.empty()
                    ? std::vector<NodeChange>{}
                    : model::changes_between(service, there->second.known, stamps, looked_until_, now);
    for (NodeChange& change : news) {
      const int times = again[change.what] = restless[change.what] + 1;
      if (times <= kRestless) add(std::move(change));
    }
    // Looks that follow each other within a moment say nothing about how often a file changes.
    if (!news.empty() || now - looked_until_ >= kEvery / 2) restless = std::move(again);
    const std::string before = to_json(there->second.known);
    there->second.known = stamps;
    if (std::string text = to_json(stamps); text != before)
      context_.state.commit({Change::put(Table::evidence, std::string(kFiles) + service, std::move(text))}, kept);
  }
  for (const NodeChange& change : found.packages) add(change);
  looked_until_ = found.at;
  context_.state.commit({Change::put(Table::evidence, std::string(kUntil), std::to_string(base::to_ms(looked_until_)))},
                        kept);
}

std::vector<NodeChange> ChangeWatch::before(const std::string& service, base::WallTime started) const {
  const auto found = depends_on_.find(service);
  return model::suspects(changes_, service, found == depends_on_.end() ? std::vector<std::string>{} : found->second,
                         started);
}

std::optional<NodeChange> ChangeWatch::recent(const std::string& service) const {
  return model::recent_change(changes_, service, context_.scheduler.wall_now());
}

}  // namespace app
