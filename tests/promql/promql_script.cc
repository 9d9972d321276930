// Runs scripts of PromQL tests: promql_script FILE... A script is read line by line; '#' starts a comment.
//
//   compat 2                      the following evaluations; 3 at the start of every script
//   clear                         forgets all series
//   load 1m                       indented lines follow: a series and its values, one per interval from time 0;
//     up{job="a"} 1 2 _ stale 0+10x3 5x2     '_' is no sample, 0+10x3 is 0 10 20 30, 5x2 is 5 5 5
//   eval 5m EXPR                  at 5 minutes; the indented lines are the elements wanted, in any order; a scalar or
//     {job="a"} 3                 string is wanted as "scalar 3" or "string abc"
//   ordered 5m EXPR               the same in this order
//   range 0 10m 1m EXPR           start, end, step; each wanted line has one value, or '_', for every step
//   matrix 5m EXPR                an instant query for a range vector: value@seconds for every sample
//   error 5m EXPR                 parsing or evaluating fails with the text of the indented line
//   remark 5m EXPR                evaluating succeeds with the remark of the indented line
//   print EXPR                    the canonical form is the indented line
//
// Values agree within a relative difference of 1e-9. Exit code 1 and one message for every disagreement.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/time.h"
#include "promql/engine.h"
#include "promql/parser.h"

namespace {

using promql::Compat;

struct Wrong {
  std::string why;
};

double number(const std::string& word) {
  if (word == "stale") return model::stale_marker();
  if (word == "NaN") return std::nan("");
  if (word == "Inf" || word == "+Inf") return INFINITY;
  if (word == "-Inf") return -INFINITY;
  std::size_t used = 0;
  double v = 0;
  try {
    v = std::stod(word, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used != word.size()) throw Wrong{"not a value: " + word};
  return v;
}

std::int64_t milliseconds(const std::string& word) {
  const auto parsed = base::parse_duration(word);
  if (!parsed) throw Wrong{parsed.error().text};
  return parsed->count();
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

// What stands before the first blank outside of braces and quotes, and the rest.
std::pair<std::string, std::string> split_series(const std::string& line) {
  bool braces = false;
  bool quotes = false;
  std::size_t at = 0;
  for (; at < line.size(); ++at) {
    const char c = line[at];
    if (quotes && c == '\\') ++at;
    else if (c == '"') quotes = !quotes;
    else if (!quotes && (c == '{' || c == '}')) braces = c == '{';
    else if (!quotes && !braces && c == ' ') break;
  }
  return {line.substr(0, at), at < line.size() ? line.substr(at + 1) : ""};
}

model::Labels labels_of(const std::string& text) {
  const auto parsed = promql::parse_metric(text);
  if (!parsed) throw Wrong{text + ": " + parsed.error().text};
  return *parsed;
}

bool close(double want, double got) {
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got);
  return want == got || std::abs(want - got) <= 1e-9 * std::max(std::abs(want), std::abs(got));
}

std::string shown(const model::Labels& labels, const std::string& value) { return labels.to_string() + ' ' + value; }

class Script {
 public:
  explicit Script(std::string path) : path_(std::move(path)) {}

  int run() {
    std::ifstream file(path_);
    if (!file) throw std::runtime_error("cannot read " + path_);
    std::vector<std::string> block;
    std::size_t first = 0;
    std::size_t line_number = 0;
    for (std::string line; std::getline(file, line);) {
      ++line_number;
      const std::size_t text = line.find_first_not_of(' ');
      if (text == std::string::npos || line[text] == '#') continue;
      if (text == 0 && !block.empty()) command(block, first);
      if (text == 0) {
        block.clear();
        first = line_number;
      }
      block.push_back(line.substr(text));
    }
    if (!block.empty()) command(block, first);
    return wrong_;
  }
  int evaluations() const { return evaluations_; }

 private:
  void command(const std::vector<std::string>& block, std::size_t line) {
    try {
      const std::string& head = block.front();
      const std::size_t blank = head.find(' ');
      const std::string verb = head.substr(0, blank);
      const std::string rest = blank == std::string::npos ? "" : head.substr(blank + 1);
      const std::vector<std::string> wanted(block.begin() + 1, block.end());
      if (verb == "clear") data_ = {};
      else if (verb == "compat") engine_ = promql::Engine({.compat = compat_ = rest == "2" ? Compat::v2 : Compat::v3});
      else if (verb == "load") load(milliseconds(rest), wanted);
      else evaluate(verb, rest, wanted);
    } catch (const Wrong& wrong) {
      ++wrong_;
      std::cerr << fmt::format("{}:{}: {}\n  {}\n", path_, line, block.front(), wrong.why);
    }
  }

  void load(std::int64_t interval, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      const auto [metric, values] = split_series(line);
      const model::Labels labels = labels_of(metric);
      std::int64_t t = 0;
      const auto put = [&](double v) {
        data_.append(labels, {t, v});
        t += interval;
      };
      for (const std::string& word : words(values)) {
        const std::size_t times = word.find('x');
        const std::size_t step = word.find_first_of("+-", 1);
        if (word == "_") {
          t += interval;
        } else if (times == std::string::npos) {
          put(number(word));
        } else {
          const bool steps = step != std::string::npos && step < times;
          const double start = number(word.substr(0, steps ? step : times));
          const double by = steps ? number(word.substr(step, times - step)) : 0;
          for (int i = 0; i <= std::stoi(word.substr(times + 1)); ++i) put(start + by * i);
        }
      }
    }
  }

  void evaluate(const std::string& verb, const std::string& rest, const std::vector<std::string>& wanted) {
    ++evaluations_;
    std::istringstream in(rest);
    std::string word;
    std::vector<std::int64_t> times;
    const std::size_t count = verb == "range" ? 3 : (verb == "print" ? 0 : 1);
    while (times.size() < count && in >> word) times.push_back(milliseconds(word));
    std::string text;
    std::getline(in >> std::ws, text);
    const promql::Parsed parsed = promql::parse(text, compat_);
    if (verb == "error") return expect_error(parsed, times[0], wanted);
    if (!parsed.ok()) throw Wrong{parsed.error_text()};
    std::vector<std::string> got;
    if (verb == "print") {
      got.push_back(promql::print(*parsed.expr));
      if (got != wanted) throw Wrong{"prints " + got[0]};
      return;
    }
    if (verb == "range") return expect_range(*parsed.expr, times, wanted);
    const auto value = engine_.instant(*parsed.expr, data_, times[0]);
    if (!value) throw Wrong{value.error().text};
    if (verb == "matrix") return expect_matrix(std::get<promql::Matrix>(*value), wanted);
    if (verb == "remark") {
      return expect_remarks(text, wanted);
    }
    if (verb != "eval" && verb != "ordered") throw Wrong{"unknown command " + verb};
    expect_instant(*value, wanted, verb == "ordered");
  }

  void expect_remarks(const std::string& text, const std::vector<std::string>& wanted) {
    const promql::Annotations annotations = promql::format_annotations(engine_.annotations(), text);
    std::vector<std::string> remarked = annotations.warnings;
    remarked.insert(remarked.end(), annotations.infos.begin(), annotations.infos.end());
    if (remarked != wanted) throw Wrong{fmt::format("remarks: {}", fmt::join(remarked, " | "))};
  }

  void expect_error(const promql::Parsed& parsed, std::int64_t t, const std::vector<std::string>& wanted) {
    std::string got = parsed.error_text();
    if (parsed.ok()) {
      const auto value = engine_.instant(*parsed.expr, data_, t);
      if (value) throw Wrong{"no error"};
      got = value.error().text;
    }
    if (wanted.size() != 1 || got != wanted[0]) throw Wrong{"fails with: " + got};
  }

  static void expect_instant(const promql::Value& value, const std::vector<std::string>& wanted, bool ordered) {
    if (const auto* scalar = std::get_if<promql::ScalarValue>(&value)) {
      const std::string got = "scalar " + promql::format_value(scalar->v);
      if (wanted.size() != 1 || !wanted[0].starts_with("scalar ") || !close(number(wanted[0].substr(7)), scalar->v))
        throw Wrong{"is " + got};
      return;
    }
    if (const auto* string = std::get_if<promql::StringValue>(&value)) {
      if (wanted.size() != 1 || wanted[0] != "string " + string->v) throw Wrong{"is string " + string->v};
      return;
    }
    auto elements = std::get<promql::Vector>(value);
    struct Want {
      model::Labels labels;
      double v;
    };
    std::vector<Want> want;
    for (const std::string& line : wanted) {
      const auto [metric, v] = split_series(line);
      want.push_back({labels_of(metric), number(v)});
    }
    if (!ordered) {
      std::stable_sort(want.begin(), want.end(), [](const Want& a, const Want& b) { return a.labels < b.labels; });
      std::stable_sort(elements.begin(), elements.end(),
                       [](const auto& a, const auto& b) { return a.labels < b.labels; });
    }
    bool same = want.size() == elements.size();
    for (std::size_t i = 0; same && i < want.size(); ++i)
      same = want[i].labels == elements[i].labels && close(want[i].v, elements[i].sample.v);
    if (same) return;
    std::string got = "is";
    for (const auto& element : elements)
      got += "\n    " + shown(element.labels, promql::format_value(element.sample.v));
    throw Wrong{got};
  }

  void expect_range(const promql::Expr& expr, const std::vector<std::int64_t>& times,
                    const std::vector<std::string>& wanted) {
    const auto value = engine_.range(expr, data_, times[0], times[1], times[2]);
    if (!value) throw Wrong{value.error().text};
    std::vector<std::string> got;
    for (const promql::Series& series : *value) {
      std::string line = series.labels.to_string();
      std::size_t at = 0;
      for (std::int64_t t = times[0]; t <= times[1]; t += times[2]) {
        const bool here = at < series.samples.size() && series.samples[at].t == t;
        line += ' ' + (here ? promql::format_value(series.samples[at++].v) : "_");
      }
      got.push_back(line);
    }
    if (got != wanted) throw Wrong{fmt::format("is\n    {}", fmt::join(got, "\n    "))};
  }

  static void expect_matrix(const promql::Matrix& matrix, const std::vector<std::string>& wanted) {
    std::vector<std::string> got;
    for (const promql::Series& series : matrix) {
      std::string line = series.labels.to_string();
      for (const model::Sample& sample : series.samples)
        line += fmt::format(" {}@{}", promql::format_value(sample.v), static_cast<double>(sample.t) / 1e3);
      got.push_back(line);
    }
    if (got != wanted) throw Wrong{fmt::format("is\n    {}", fmt::join(got, "\n    "))};
  }

  std::string path_;
  Compat compat_ = Compat::v3;
  promql::Engine engine_{promql::EngineOptions{}};
  promql::MemoryQueryable data_;
  int wrong_ = 0;
  int evaluations_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  int wrong = 0;
  int evaluations = 0;
  for (int i = 1; i < argc; ++i) {
    Script script(argv[i]);
    wrong += script.run();
    evaluations += script.evaluations();
  }
  std::cout << fmt::format("{} evaluations, {} wrong\n", evaluations, wrong);
  return wrong == 0 && evaluations > 0 ? 0 : 1;
}
