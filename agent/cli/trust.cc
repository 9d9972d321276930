#include "cli/trust.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/percent.h"
#include "base/rounded.h"
#include "base/terminal.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/answer.h"
#include "cli/table.h"

namespace cli {
namespace {

std::string one_line(const std::string& text) { return base::foreign_text(text, std::string::npos); }

Tone tone_of_weight(const std::string& weight) {
  return weight == "good" ? Tone::good : weight == "wait" ? Tone::warn : weight == "against" ? Tone::bad : Tone::plain;
}

std::string length_of(const Json& ledger, const char* key) {
  return base::format_rounded(base::Millis{milliseconds_of(number_of(ledger, key))});
}

std::string ledger_text(const Json& ledger) {
  const auto count = [&](const Json& in, const char* key) { return static_cast<long>(number_of(in, key)); };
  const Json& would = mapping_of(ledger, "dryRun");
  const std::string since = text_of(ledger, "since");
  if (since.empty()) return "nothing is kept of it yet\n";
  std::string out = fmt::format(
      "since {}: faults {}; of these healed by themselves {}, by a dependency {}, by a person {}, held by a guard {}, "
      "it "
      "would have acted in {}\n",
      one_line(since), count(ledger, "faults"), count(would, "itself"), count(would, "dependency"),
      count(would, "person"), count(would, "held"), count(would, "wouldAct"));
  out += fmt::format("attempts {}, successes {}, refused {}", count(ledger, "attempts"), count(ledger, "successes"),
                     count(ledger, "refused"));
  if (count(ledger, "successes") > 0)
    out += fmt::format(", healthy after {} in the median, {} at the worst, relapses {} within an hour, {} within a day",
                       length_of(ledger, "healthySecondsMedian"), length_of(ledger, "healthySecondsWorst"),
                       count(ledger, "relapsesWithinHour"), count(ledger, "relapsesWithinDay"));
  out += "\n";
  for (const Json& line : list_of(would, "newest"))
    if (line.is_string()) out += "  " + one_line(line.get<std::string>()) + "\n";
  return out;
}

int show(const StatusOptions& options, const Json& data) {
  const std::string verdict = text_of(data, "verdict");
  const int code = verdict == "switch_on" ? 0 : 1;
  if (options.json) return code;
  const Colour colour = colour_of_stdout();
  const Tone tone = verdict == "switch_on" ? Tone::good : verdict == "wait" ? Tone::warn : Tone::bad;
  std::string words = verdict;
  std::replace(words.begin(), words.end(), '_', ' ');
  std::string out = fmt::format("{}: {}\n{}.\n", one_line(text_of(data, "service")),
                                paint(one_line(words), tone, colour), one_line(text_of(data, "sentence")));
  if (!list_of(data, "reasons").empty()) {
    Table table({"WEIGHT", "ABOUT", "WHY"});
    for (const Json& reason : list_of(data, "reasons")) {
      const std::string weight = text_of(reason, "weight");
      std::string topic = text_of(reason, "topic");
      std::replace(topic.begin(), topic.end(), '_', ' ');
      table.add({{weight, tone_of_weight(weight)}, topic, text_of(reason, "text")});
    }
    out += "\n" + table.render(colour);
  }
  base::print(stdout, "{}\n{}", out, ledger_text(mapping_of(data, "ledger")));
  return code;
}

}  // namespace

int run_trust(const StatusOptions& options, const std::string& service) {
  return ask(options, "/api/v1/trust/" + base::percent_encode(service),
             [&](const Json& data) { return show(options, data); });
}

}  // namespace cli
