// An application's own metrics: a chosen few of what it shows to Prometheus are kept beside the probes' results, so
// that rules on this node can use them, also when no Prometheus is in reach.
#include <algorithm>
#include <set>
#include <utility>

#include "base/ascii.h"
#include "encoding/exposition_reader.h"
#include "http/http_client.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/http/fetch.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct PrometheusSettings : FetchSettings {
  std::vector<Pattern> metrics;
  std::map<std::string, std::string> match;
  std::vector<std::string> drop_labels;
  std::size_t sample_limit = 500;
  std::string prefix;
  std::vector<std::pair<std::string, base::Regex>> matchers;  // `match`, compiled
};

const config::Schema<PrometheusSettings>& schema() {
  static const auto schema = [] {
    auto keys = probe_schema<PrometheusSettings>("prometheus");
    add_fetch_keys(keys);
    keys.required("metrics", &PrometheusSettings::metrics,
                  "Names to keep: a list of regular expressions that match a whole name (x_bucket, x_sum and x_count "
                  "are names of their own).")
        .reach(config::Reach::listed)
        .optional("match", &PrometheusSettings::match,
                  "Labels that a sample must have, and regular expressions that match their whole values.")
        .reach(config::Reach::listed)
        .optional("drop_labels", &PrometheusSettings::drop_labels,
                  "Labels to leave out. Of samples that are the same without them only the first is kept.")
        .reach(config::Reach::listed)
        .optional("sample_limit", &PrometheusSettings::sample_limit,
                  "Most samples to keep; more of them fail the run with too_large, and none is kept.")
        .optional("prefix", &PrometheusSettings::prefix, "What to put before the names of what is kept.")
        .check([](const PrometheusSettings& scrape, const config::Complain& complain) {
          if (scrape.metrics.empty()) complain("metrics", "must name at least one metric");
          for (const auto& [label, regexp] : scrape.match) {
            if (!config::is_label_name(label)) complain("match", "'" + label + "' is no name of a label");
            if (const auto compiled = base::Regex::compile(regexp); !compiled) complain("match", compiled.error().text);
          }
          for (const std::string& label : scrape.drop_labels)
            if (!config::is_label_name(label)) complain("drop_labels", "'" + label + "' is no name of a label");
          if (!scrape.prefix.empty() && !config::is_label_name(scrape.prefix))
            complain("prefix", "must be letters, digits and _, and begin with no digit");
          if (scrape.prefix.starts_with("probe_") || scrape.prefix.starts_with("fettle_"))
            complain("prefix", "names that begin so are fettle's own");
        });
    return keys;
  }();
  return schema;
}

// The labels that fettle puts on everything; an application's own are renamed, as Prometheus does.
bool is_ours(std::string_view label) {
  return label == "service" || label == "probe" || label == "job" || label == "instance";
}

bool is_reserved(std::string_view name) {
  return name.starts_with("probe_") || name.starts_with("fettle_") || name.starts_with("ALERTS");
}

struct Prepared {
  PrometheusSettings settings;
  FetchRequest fetch;
  std::string target;
};

class PrometheusProbe final : public FetchProbe {
 public:
  PrometheusProbe(const Context& context, const Prepared& prepared)
      : FetchProbe(context, prepared.fetch), settings_(prepared.settings) {}

 private:
  Outcome judge(const http::HttpResponse& response) override {
    encoding::ExpositionFormat format = encoding::ExpositionFormat::text;
    for (const auto& [name, value] : response.headers)
      if (base::same_word(name, "Content-Type") && value.starts_with("application/openmetrics-text"))
        format = encoding::ExpositionFormat::open_metrics;
    const auto count = encoding::read_exposition(response.body, format,
                                                 {[this](std::string_view name) { return wanted(name); },
                                                  [this](const encoding::ScrapedSample& sample) { take(sample); }});
    if (!count) return Outcome::failure(Reason::protocol_error, count.error().text);
    Outcome outcome;
    if (kept_.size() > settings_.sample_limit) {
      outcome =
          Outcome::failure(Reason::too_large, std::to_string(kept_.size()) + " samples are chosen, sample_limit is " +
                                                  std::to_string(settings_.sample_limit));
      kept_.clear();
    } else {
      outcome = Outcome::success(std::to_string(kept_.size()) + " of " + std::to_string(*count) + " samples kept");
    }
    outcome.measurements = std::move(kept_);
    const auto measure = [&](const char* name, std::size_t value, model::Labels labels = {}) {
      outcome.measurements.push_back({name, static_cast<double>(value), std::move(labels)});
    };
    measure("probe_prometheus_samples_scraped", *count);
    measure("probe_prometheus_samples_left_out", duplicates_, {{"why", "duplicate"}});
    measure("probe_prometheus_samples_left_out", reserved_, {{"why", "reserved"}});
    measure("probe_prometheus_body_bytes", response.body.size());
    return outcome;
  }

  bool wanted(std::string_view name) {
    // An exposition has the samples of one metric together.
    if (name == last_name_) return last_wanted_;
    last_name_ = name;
    last_wanted_ = std::any_of(settings_.metrics.begin(), settings_.metrics.end(),
                               [&](const Pattern& pattern) { return pattern.regex->matches_fully(name); });
    return last_wanted_;
  }

  void take(const encoding::ScrapedSample& sample) {
    for (const auto& [label, regexp] : settings_.matchers) {
      const auto found = std::find_if(sample.labels.begin(), sample.labels.end(),
                                      [&, &wanted = label](const auto& own) { return own.first == wanted; });
      if (!regexp.matches_fully(found == sample.labels.end() ? "" : std::string_view(found->second))) return;
    }
    std::string name = settings_.prefix + std::string(sample.name);
    if (is_reserved(name)) {
      ++reserved_;
      return;
    }
    // More than the limit need not be kept to be counted; twice of it bounds what a run may take.
    if (kept_.size() > 2 * settings_.sample_limit) return;
    std::vector<std::string> renamed;
    renamed.reserve(sample.labels.size());
    std::vector<model::Label> labels;
    for (const auto& [label, value] : sample.labels) {
      const auto& dropped = settings_.drop_labels;
      if (std::find(dropped.begin(), dropped.end(), label) != dropped.end()) continue;
      if (is_ours(label)) labels.push_back({renamed.emplace_back("exported_" + label), value});
      else labels.push_back({label, value});
    }
    model::Labels set(std::move(labels));
    if (!seen_.insert({name, set}).second) {
      ++duplicates_;
      return;
    }
    kept_.push_back({std::move(name), sample.value, std::move(set), sample.type});
  }

  const PrometheusSettings& settings_;
  std::string_view last_name_;
  bool last_wanted_ = false;
  Measurements kept_;
  std::set<std::pair<std::string, model::Labels>> seen_;
  std::size_t duplicates_ = 0, reserved_ = 0;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared;
  prepared.settings = schema().parse(node, path, errors);
  for (const auto& [label, regexp] : prepared.settings.match)
    if (auto compiled = base::Regex::compile(regexp))
      prepared.settings.matchers.emplace_back(label, std::move(*compiled));
  prepared.fetch = fetch_request(prepared.settings, node, path, errors);
  prepared.fetch.request.headers.emplace_back(
      "Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1");
  prepared.target = prepared.settings.url;
  return std::make_unique<PreparedSettings<PrometheusProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type prometheus_type{
    .name = "prometheus",
    .summary = "Scrapes a service's /metrics and keeps a selection of it, so that rules on this node can use it.",
    .example = R"yaml(name: metrics
type: prometheus
interval: 15s
timeout: 2s
url: http://127.0.0.1:8081/metrics
metrics: [orders_total, "queue_(depth|age_seconds)", "http_request_duration_seconds_(sum|count)"]
match: {code: "|5.."}
drop_labels: [pod]
sample_limit: 100
)yaml",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_prometheus_samples_scraped", "probe_prometheus_samples_left_out",
                     "probe_prometheus_body_bytes"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"url", std::string(target)}};
    },
};

}  // namespace probe
