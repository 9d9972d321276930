// What tools ask a Prometheus about itself: flags, the process, the store, its targets. In Prometheus' words; what an
// agent has not is empty.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <thread>

#include "base/text.h"
#include "promql/parser.h"
#include "web/api/answer.h"
#include "web/routes.h"

namespace web {
namespace {

using encoding::Json;

constexpr std::size_t kTop = 10;  // of each list of status/tsdb, unless `limit` says another number

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// The path of the admin socket is not shown to clients of the port.
class PlainAsker final : public Asker {
 public:
  PlainAsker(const Request& request, const Context& context)
      : request_(request), context_(context), deadline_(base::Clock::now() + context.options.engine.timeout) {}
  base::Result<> still_wanted() override {
    if (base::Clock::now() >= deadline_) return base::fail(base::Kind::timeout, "the request timed out");
    if (context_.stopping && context_.stopping->load())
      return base::fail(base::Kind::cancelled, "the request was canceled");
    return {};
  }
  base::Result<> admit(const Load& load) override {
    TRY(share_, context_.memory.take(load.series * 128 + load.bytes, deadline_, request_.abandoned, context_.stopping));
    return {};
  }

 private:
  const Request& request_;
  const Context& context_;
  base::Instant deadline_;
  AnswerMemory::Share share_;
};

using Counts = std::map<std::string, std::size_t>;

void write_top(std::string_view key, const Counts& counts, std::size_t limit, Json& json) {
  std::vector<std::pair<std::string, std::size_t>> all(counts.begin(), counts.end());
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  all.resize(std::min(all.size(), limit));
  json.key(key).array([&] {
    for (const auto& each : all)
      json.object([&] {
        json.key("name").string(each.first);
        json.key("value").integer(static_cast<std::int64_t>(each.second));
      });
  });
}

void write_target(const ServicePage& service, const ProbePage& probe, const Snapshot& snapshot, Json& json) {
  json.object([&] {
    json.key("discoveredLabels").object([] {});
    json.key("labels").labels({{"service", service.name}, {"probe", probe.name}, {"node", snapshot.node}});
    json.key("scrapePool").string(service.name);
    json.key("scrapeUrl").string(probe.target);
    json.key("globalUrl").string(probe.target);
    json.key("lastError").string(probe.health == model::Health::down ? probe.text : "");
    json.key("lastScrape").time(probe.last_run.value_or(base::WallTime{}));
    json.key("lastScrapeDuration").number(probe.took_seconds);
    json.key("health").string(model::to_string(probe.health));
    json.key("scrapeInterval").string(base::format_duration(probe.interval));
    json.key("scrapeTimeout").string("");
  });
}

}  // namespace

// An agent keeps no exemplars.
Response api_query_exemplars(const Request& request, const Context& context) {
  const promql::Parsed parsed = promql::parse(request.param("query"), context.options.engine.compat);
  if (!parsed.ok()) return api_error(ErrorType::bad_data, parsed.error_text());
  return api_success([](Json& json) { json.array([] {}); });
}

Response api_flags(const Request&, const Context& context) {
  const ServerOptions& options = context.options;
  return api_success([&](Json& json) {
    json.object([&] {
      json.key("query.lookback-delta").string(base::format_duration(base::Millis{options.engine.lookback_ms}));
      json.key("query.max-concurrency").string(fmt::to_string(options.max_queries));
      json.key("query.max-samples").string(fmt::to_string(options.engine.max_samples));
      json.key("query.timeout").string(base::format_duration(options.engine.timeout));
      json.key("web.external-url").string(options.external_url);
      json.key("web.listen-address").string(options.listen_address);
    });
  });
}

Response api_runtimeinfo(const Request&, const Context& context) {
  const auto snapshot = context.slot.load();
  return api_success([&](Json& json) {
    json.object([&] {
      json.key("startTime").time(snapshot->started);
      json.key("CWD").string("/");
      json.key("hostname").string(host_name());
      json.key("serverTime").time(context.now());
      json.key("reloadConfigSuccess").boolean(snapshot->config.last_reload_ok);
      json.key("lastConfigTime").time(snapshot->config.loaded);
      json.key("corruptionCount").integer(0);
      json.key("goroutineCount").integer(0);
      json.key("GOMAXPROCS").integer(std::thread::hardware_concurrency());
      json.key("GOMEMLIMIT").integer(0);
      json.key("GOGC").string("");
      json.key("GODEBUG").string("");
      json.key("storageRetention").string(base::format_duration(snapshot->retention));
    });
  });
}

Response api_tsdb(const Request& request, const Context& context) {
  auto limit = limit_param(request);
  if (!limit) return invalid_parameter("limit", limit.error().text);
  if (request.param("limit").empty()) limit = kTop;
  PlainAsker asker(request, context);
  const auto found = context.backend.select_series({{}}, 0, 9'000'000'000'000'000, asker);
  if (!found) return api_error(found.error());
  Counts by_name, values_of, bytes_of, by_pair;
  for (const model::Labels& labels : *found)
    for (const model::Label label : labels) {
      const std::string pair = fmt::format("{}={}", label.name, label.value);
      if (label.name == model::kMetricName) ++by_name[std::string(label.value)];
      if (++by_pair[pair] > 1) continue;
      ++values_of[std::string(label.name)];
      bytes_of[std::string(label.name)] += label.value.size();
    }
  return api_success([&](Json& json) {
    json.object([&] {
      json.key("headStats").object([&] {
        json.key("numSeries").integer(static_cast<std::int64_t>(found->size()));
        json.key("numLabelPairs").integer(static_cast<std::int64_t>(by_pair.size()));
        json.key("chunkCount").integer(0);
        json.key("minTime").integer(base::to_ms(context.now() - context.slot.load()->retention));
        json.key("maxTime").integer(base::to_ms(context.now()));
      });
      write_top("seriesCountByMetricName", by_name, *limit, json);
      write_top("labelValueCountByLabelName", values_of, *limit, json);
      write_top("memoryInBytesByLabelName", bytes_of, *limit, json);
      write_top("seriesCountByLabelValuePair", by_pair, *limit, json);
    });
  });
}

// Each probe is one.
Response api_targets(const Request& request, const Context& context) {
  const std::string state = request.param("state"), pool = request.param("scrapePool");
  const auto snapshot = context.slot.load();
  const bool active = state != "dropped";
  return api_success([&](Json& json) {
    json.object([&] {
      json.key("activeTargets").array([&] {
        for (const ServicePage& service : snapshot->services)
          for (const ProbePage& probe : service.probes)
            if (active && (pool.empty() || pool == service.name)) write_target(service, probe, *snapshot, json);
      });
      json.key("droppedTargets").array([] {});
      json.key("droppedTargetCounts").object([] {});
    });
  });
}

}  // namespace web
