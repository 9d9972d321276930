// From outcomes to series: stamps the labels that a scrape would add, appends to the store at the time the run started
// (see aligned), and ends series that a run no longer has with a stale marker. Loop thread.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/health.h"
#include "model/metric_family.h"
#include "probe/schedule.h"
#include "store/store.h"

namespace app {

class Samples {
 public:
  // `target`: job and instance, as the central Prometheus' scrape has them.
  Samples(store::Store& store, model::Labels target)
      : store_(store),
        target_(std::move(target)),
        page_writer_(store.add_writer("the page about the agent")),
        self_writer_(store.add_writer("the agent itself", store::Rank::self)) {}

  // probe_success, probe_duration_seconds and the type's measurements. The first is health and always has room in the
  // store, the others have what the probes share.
  // `at`: the start of the run that is stored so, or of a later one that could not look and says what this one found.
  void append_run(const probe::Run& run, base::WallTime at);
  // fettle_service_up: 1 up, 0 down; the series ends while unknown.
  void append_service(const std::string& service, model::Health health, base::WallTime at);
  // What a scrape of our own page would bring, but for the series that the two above write. `every`: how often it is
  // called. Twenty series of each of ten thousand probes are too many for one turn of the loop: append_page_part() does
  // some hundred of them, and returns false when there is nothing left to do.
  void begin_page(model::MetricPage page, base::WallTime at, base::Millis every);
  bool append_page_part();
  void finish_page();
  // One sample of a rule (ALERTS, a recording), as it is: a rule that aggregates the instance away does so here too, or
  // rules over its result would give other alerts than in the centre. Each alert and each recording has room of its
  // own in the store, by its name. False if the store refused.
  bool append_rule(const model::Labels& labels, model::Sample sample);
  // Other values of job and instance: every series ends, and goes on under its new labels with its next sample.
  void retarget(model::Labels target, base::WallTime at);
  // Ends all series of probes and services that are not among these any more, and of probes that are labelled anew.
  void keep_only(const probe::Statuses& statuses, base::WallTime at);

  // The series that a change of this service's health touches, for rules::Manager::touched.
  std::vector<model::Labels> touched_by(const std::string& service) const;

 private:
  // A series that was written: what the writer called it (its own labels, and the name in `stamped`), and what it is
  // called in the store.
  struct Entry {
    model::Labels own;
    model::Labels stamped;
    store::Writer writer = store::kHealth;
    store::SeriesId id = 0;        // right as long as the store's generation is this one
    std::uint64_t generation = 0;  // 0: not asked for yet
  };
  struct ProbeSeries {
    model::Labels common;   // probe_labels() when they were stamped
    std::int64_t last = 0;  // time of the last samples
    std::vector<Entry> entries;
    store::Writer writer = store::kHealth;  // until it is added
  };
  struct Value {
    std::string_view name;
    const model::Labels* own;
    double value;
    store::Writer writer = store::kHealth;
  };
  // Samples of one time on their way into the store.
  struct Batch {
    std::vector<Entry> known;  // series of the batch before; what was found again is moved from
    std::vector<Entry> next;   // those of this one
    std::size_t guess = 0;     // runs name the same series in the same order, nearly always
    std::unordered_multimap<std::size_t, std::size_t> places{};  // of `known` by hash, where it is long and was needed

    // The labels of new series beside their metric name: of those without own labels, and of the last with some.
    // Shared.
    std::optional<model::Labels> common{};
    model::Labels last_own{}, last{};

    bool find(const Value& value, std::size_t& place);
  };
  struct Page {
    model::MetricPage page;
    std::int64_t at = 0;
    Batch batch;
    bool has_families = false;
    std::size_t block = 0, in_block = 0;  // what comes next
  };
  // {__name__="NAME"}, one for all series of this name.
  model::Labels named(std::string_view name);
  // common() makes the labels that all of `values` share; it is asked only when a series is new.
  template <typename CommonLabels>
  model::Labels stamped(Batch& batch, CommonLabels common, const Value& value);
  template <typename CommonLabels>
  void append(Batch& batch, CommonLabels common, const std::vector<Value>& values, std::int64_t at);
  // Ends what the batch did not find again, and returns its series.
  std::vector<Entry> finish(Batch& batch, std::int64_t at);
  template <typename CommonLabels>
  void append_all(std::vector<Entry>& known, CommonLabels common, const std::vector<Value>& values, std::int64_t at);
  void add_point(const std::string& family, std::string_view suffix, const model::Labels& labels, double value,
                 std::deque<std::string>& names, std::vector<Value>& values) const;
  // Who writes the series of the rule.
  store::Writer rule_writer(const model::Labels& labels);
  // A refusal is counted by the store; StoreWatch says so.
  void append(Entry& entry, model::Sample sample);
  void end(const std::vector<Entry>& entries, std::int64_t at);

  store::Store& store_;
  model::Labels target_;
  std::unordered_map<std::string, model::Labels> names_;
  std::map<std::pair<std::string, std::string>, ProbeSeries> probes_;  // by service and probe
  std::map<std::string, std::vector<Entry>> services_;
  std::vector<Entry> page_;
  std::int64_t page_last_ = 0;    // time of its last samples
  std::optional<Page> page_now_;  // the one that is being appended; page_ is in its batch then
  store::Writer page_writer_, self_writer_;
  std::map<std::pair<store::Rank, std::string>, store::Writer> rules_;  // by name
};

// The labels that a scrape of this agent adds: job and instance.
model::Labels target_labels(const config::Global& global);
// The labels that every sample of a probe carries: service, probe and the probe's own.
model::Labels probe_labels(const probe::Spec& spec);
// `own` are of a measurement: what a service, a database or a peer said. They stand beside `ours` and take the place of
// none: one of the same name becomes exported_NAME, as when Prometheus scrapes, and __name__ is left out.
model::Labels with_own_renamed(const model::Labels& ours, const model::Labels& own);

// The time of samples that came at `at`, milliseconds since the epoch: `every` after those before, `last`, if they are
// at most 2 ms and a hundredth of `every` late, as Prometheus has it for scrapes. Never later than `at`: a rule that is
// evaluated now shall find them. A store takes hardly a bit for times that are evenly apart.
std::int64_t aligned(std::int64_t last, base::Millis every, std::int64_t at);

}  // namespace app
