// The real metrics page, with the agent's own counters, before outside judges: promtool, and a strict reader of
// OpenMetrics (its specification, 1.0.0).
#include <doctest/doctest.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "self/self.h"
#include "unit/web/handlers.h"

namespace {

using namespace std::chrono_literals;

std::string page(const std::string& accept) {
  self::Self self("0.1.0", "abc");
  self.probe_finished("order", "http", model::Reason::refused);
  self.probe_lag(3ms);
  self.detected("event", 4ms);
  self.recovery_action("order", "systemd restart", model::ActionStatus::ok, model::RecoveryMode::enforce);
  self.recovery_blocked("order", "budget \"3 in 15m\"\\");
  self.notified("ops", "http://h", "sent");
  self.notifications_dropped("ops", "too_old", 1);
  self.rule_evaluated("services", 300us, false);
  self.rule_group_evaluated(2ms);
  self.loop_turn(2ms);
  self.published();
  self.config_loaded(base::wall_from_ms(fakes::kShopNow));
  self.store_counts({.series = 3, .samples = 20, .bytes = 400, .refused_old = 5, .refused_limit = 0});
  self.state_committed(500us);
  Handlers handlers;
  const model::MetricPage own = self.collect();
  handlers.backend.own = own.families;
  handlers.backend.own_blocks = own.blocks;
  web::Request request;
  request.path = "/metrics";
  request.headers = {{"Accept", accept}};
  return web::route(request, handlers.context).body;
}

// A strict reader of one page; `wrong` has what it did not like.
class OpenMetricsReader {
 public:
  std::vector<std::string> wrong;

  void read(const std::string& text) {
    if (!text.ends_with("# EOF\n")) wrong.push_back("does not end with # EOF");
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (ended_) wrong.push_back("after # EOF: " + line);
      if (line == "# EOF") ended_ = true;
      else if (line.starts_with("# TYPE ")) type(line);
      else if (line.starts_with("# HELP ")) help(line);
      else sample(line);
    }
    for (const auto& [key, bucket] : last_bucket_)
      if (!counts_.count(key) || counts_[key] != bucket) wrong.push_back("_count is not the +Inf bucket: " + key);
  }

 private:
  void type(const std::string& line) {
    std::istringstream words(line.substr(7));
    words >> family_ >> type_;
    if (!families_.insert(family_).second) wrong.push_back("a family twice: " + family_);
    if (!std::set<std::string>{"gauge", "counter", "histogram", "summary", "info", "unknown"}.count(type_))
      wrong.push_back("no such type: " + line);
    for (const char* reserved : {"_total", "_created", "_bucket", "_count", "_sum", "_info"})
      if (family_.ends_with(reserved)) wrong.push_back("a reserved ending: " + family_);
  }
  void help(const std::string& line) {
    const std::string text = line.substr(line.find(' ', 7) + 1);
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\\' && std::string("\\n\"").find(text[++i]) == std::string::npos)
        wrong.push_back("a bad escape: " + line);
      else if (text[i] == '"' && (i == 0 || text[i - 1] != '\\')) wrong.push_back("a bare quote: " + line);
  }
  // {name="value",…} from `at`; moves it behind the brace.
  std::map<std::string, std::string> labels(const std::string& line, std::size_t& at) {
    std::map<std::string, std::string> out;
    while (line[at] != '}') {
      ++at;  // { or ,
      const std::size_t equals = line.find("=\"", at);
      const std::string name = line.substr(at, equals - at);
      std::string value;
      for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\') ++at;
        value += line[at];
      }
      if (++at >= line.size() || (line[at] != ',' && line[at] != '}')) {
        wrong.push_back("bad labels: " + line);
        at = line.size();
        return out;
      }
      if (!out.emplace(name, value).second) wrong.push_back("a label twice: " + line);
    }
    ++at;
    return out;
  }
  void sample(const std::string& line) {
    std::size_t at = std::min(line.find('{'), line.find(' '));
    const std::string name = line.substr(0, at);
    std::map<std::string, std::string> set;
    if (line[at] == '{') set = labels(line, at);
    if (at >= line.size() || line[at] != ' ') return wrong.push_back("no value: " + line);
    const std::string value = line.substr(at + 1);
    double number = 0;
    const auto [end, error] =
        std::from_chars(value.data() + (value[0] == '+' ? 1 : 0), value.data() + value.size(), number);
    if (value != "NaN" && (error != std::errc{} || end != value.data() + value.size()))
      wrong.push_back("no number: " + line);
    if (!series_.insert(line.substr(0, at)).second) wrong.push_back("a series twice: " + line);
    if (!name.starts_with(family_)) return wrong.push_back("a sample outside its family: " + line);
    const std::string suffix = name.substr(family_.size());
    const std::map<std::string, std::set<std::string>> allowed{{"gauge", {""}},
                                                               {"unknown", {""}},
                                                               {"counter", {"_total"}},
                                                               {"info", {"_info"}},
                                                               {"histogram", {"_bucket", "_sum", "_count"}},
                                                               {"summary", {"", "_sum", "_count"}}};
    if (!allowed.at(type_).count(suffix)) wrong.push_back("a suffix that its type has not: " + line);
    if (type_ == "counter" && !(number >= 0)) wrong.push_back("a negative counter: " + line);
    if (type_ == "info" && number != 1) wrong.push_back("an info that is not 1: " + line);
    if (type_ == "summary" && suffix.empty() && set["quantile"].find('.') == std::string::npos)
      wrong.push_back("quantile is no canonical float: " + line);
    if (type_ == "histogram") bucket(line, suffix, set, number);
  }
  void bucket(const std::string& line, const std::string& suffix, std::map<std::string, std::string> set,
              double number) {
    const std::string le = set["le"];
    set.erase("le");
    std::string key = family_;
    for (const auto& [name, value] : set) key += ' ' + name + '=' + value;
    if (suffix == "_count") counts_[key] = number;
    if (suffix != "_bucket") return;
    if (le != "+Inf" && le.find_first_of(".e") == std::string::npos)
      wrong.push_back("le is no canonical float: " + line);
    if (last_bucket_.count(key) && number < last_bucket_[key]) wrong.push_back("buckets go down: " + line);
    last_bucket_[key] = number;
  }

  bool ended_ = false;
  std::string family_, type_;
  std::set<std::string> families_, series_;
  std::map<std::string, double> last_bucket_, counts_;
};

}  // namespace

TEST_CASE("promtool has nothing to say about the metrics page") {
  if (std::system("command -v promtool >/dev/null") != 0) {
    MESSAGE("skipped: promtool is not installed (apt-get install prometheus)");
    return;
  }
  char name[] = "/tmp/fettle-metrics.XXXXXX";
  REQUIRE(::mkstemp(name) >= 0);
  std::ofstream(name) << page("");
  FILE* pipe = ::popen((std::string("promtool check metrics < ") + name + " 2>&1").c_str(), "re");
  char said[4096];
  const std::string words(said, std::fread(said, 1, sizeof said, pipe));
  CHECK(::pclose(pipe) == 0);
  CHECK(words == "");
  std::filesystem::remove(name);
}

TEST_CASE("a strict reader of OpenMetrics has nothing to say about it") {
  OpenMetricsReader reader;
  reader.read(page("application/openmetrics-text"));
  CHECK(reader.wrong == std::vector<std::string>{});
}

TEST_CASE("the strict reader does complain about what is wrong") {
  const char* const pages[] = {
      "# TYPE a gauge\na 1\n",
      "# TYPE a counter\na 1\n# EOF\n",
      "# TYPE a_total counter\na_total 1\n# EOF\n",
      "# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n# EOF\n",
      "# TYPE a gauge\na 1\na 2\n# EOF\n",
      "# TYPE a gauge\na one\n# EOF\n",
      "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 1\n# EOF\n",
      "# TYPE a histogram\na_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 1\n# EOF\n",
      "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 2\na_sum 1\n# EOF\n",
  };
  for (const char* text : pages) {
    CAPTURE(text);
    OpenMetricsReader reader;
    reader.read(text);
    CHECK_FALSE(reader.wrong.empty());
  }
}
