#include "app/standby_election.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/percent.h"
#include "base/text.h"
#include "encoding/json_value.h"

namespace app {
namespace {

using cluster::Answered;
using encoding::json;
using recover::ElectionAnswer;
using recover::ElectionView;

constexpr const char* kNoStore = "no store of a fleet is configured";
constexpr std::size_t kLongest = 256;  // of a name that another agent wrote
constexpr std::size_t kMostNames = 16;

// No group of a fleet is called so.
std::string prefix_of(const std::string& service) { return fmt::format("_standby/{}/", base::percent_encode(service)); }
std::string right_key(const std::string& service) { return prefix_of(service) + "primary"; }
std::string record_key(const std::string& service) { return prefix_of(service) + "record"; }

std::string seen_prefix(const std::string& service) { return prefix_of(service) + "seen/"; }

template <typename T>
ElectionAnswer answer_of(const cluster::Answer<T>& answer) {
  const recover::Elected kind = answer.kind == Answered::yes  ? recover::Elected::yes
                                : answer.kind == Answered::no ? recover::Elected::no
                                                              : recover::Elected::unknown;
  return {kind, answer.text};
}

recover::StandbyObservation observation_of(const cluster::Entry& entry, const std::string& lease) {
  const json value = encoding::read_json(entry.value);
  recover::StandbyObservation out;
  out.node = base::foreign_text(encoding::text_of(encoding::member(value, "node")), kLongest);
  out.mine = !lease.empty() && entry.lease == lease;
  if (const json& names = encoding::member(value, "unreached"); names.is_array())
    for (const json& name : names)
      if (out.unreached.size() < kMostNames)
        out.unreached.push_back(base::foreign_text(encoding::text_of(name), kLongest));
  return out;
}

ElectionView view_of(const std::string& service, const cluster::Answer<cluster::Reading>& answer,
                     const std::string& lease) {
  ElectionView out;
  out.known = answer.kind == Answered::yes;
  out.trouble = answer.text;
  if (!out.known) return out;
  for (const cluster::Entry& entry : answer.value.entries) {
    if (entry.key.starts_with(seen_prefix(service))) out.observations.push_back(observation_of(entry, lease));
    if (entry.key != right_key(service)) continue;
    const json value = encoding::read_json(entry.value);
    out.right = {base::foreign_text(encoding::text_of(encoding::member(value, "node")), kLongest),
                 !lease.empty() && entry.lease == lease, entry.fence,
                 static_cast<std::int64_t>(encoding::number_of(encoding::member(value, "offset")).value_or(0))};
  }
  for (const cluster::Record& record : answer.value.records) {
    if (record.key != record_key(service)) continue;
    out.record = recover::parse_standby_record(record.value);
    out.unreadable = !out.record;
    out.revision = record.revision;
  }
  return out;
}

}  // namespace

bool StandbyElection::holds() const { return link_.fleet() != nullptr && link_.fleet()->joined(); }

std::string StandbyElection::store() const { return link_.fleet() == nullptr ? "" : link_.fleet()->store_name(); }

loop::Handle StandbyElection::without_store(std::function<void(ElectionAnswer)> done) {
  return scheduler_.after({}, [done = std::move(done)] { done({recover::Elected::unknown, kNoStore}); });
}

loop::Handle StandbyElection::read(const std::string& service, std::function<void(ElectionView)> done) {
  cluster::Store* store = link_.store();
  if (store == nullptr) {
    ElectionView nothing;
    nothing.trouble = kNoStore;
    return scheduler_.after({}, [done = std::move(done), nothing] { done(nothing); });
  }
  return store->read(prefix_of(service), [this, service, done = std::move(done)](const auto& answer) {
    done(view_of(service, answer, link_.fleet()->lease()));
  });
}

loop::Handle StandbyElection::take(const std::string& service, std::int64_t offset,
                                   std::function<void(ElectionAnswer)> done) {
  cluster::Store* store = link_.store();
  if (store == nullptr || !holds()) return without_store(std::move(done));
  const std::string value =
      json{{"node", link_.fleet()->node()}, {"offset", offset}}.dump(-1, ' ', false, json::error_handler_t::replace);
  return store->take(right_key(service), value, link_.fleet()->lease(),
                     [done = std::move(done)](const auto& answer) { done(answer_of(answer)); });
}

loop::Handle StandbyElection::drop(const std::string& service, std::function<void(ElectionAnswer)> done) {
  cluster::Store* store = link_.store();
  if (store == nullptr) return without_store(std::move(done));
  return store->drop(right_key(service), link_.fleet()->lease(),
                     [done = std::move(done)](const auto& answer) { done(answer_of(answer)); });
}

loop::Handle StandbyElection::write(const std::string& service, const recover::StandbyRecord& record,
                                    std::uint64_t revision, std::function<void(ElectionAnswer)> done) {
  cluster::Store* store = link_.store();
  if (store == nullptr) return without_store(std::move(done));
  return store->write(record_key(service), recover::to_json(record), revision,
                      [done = std::move(done)](const auto& answer) { done(answer_of(answer)); });
}

loop::Handle StandbyElection::observe(const std::string& service, const std::vector<std::string>& unreached,
                                      std::function<void(ElectionAnswer)> done) {
  cluster::Store* store = link_.store();
  if (store == nullptr || !holds()) return without_store(std::move(done));
  const std::string& node = link_.fleet()->node();
  const std::string value =
      json{{"node", node}, {"unreached", unreached}}.dump(-1, ' ', false, json::error_handler_t::replace);
  return store->take(seen_prefix(service) + base::percent_encode(node), value, link_.fleet()->lease(),
                     [done = std::move(done)](const auto& answer) { done(answer_of(answer)); });
}

}  // namespace app
