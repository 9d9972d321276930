#include "cli/complete.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>
#include <utility>

#include "cli/answer.h"
#include "cli/client.h"

namespace cli {
namespace {

const std::string kFiles = ":files";

// "{table,json}" of an option that takes some words only.
std::vector<std::string> words_of(CLI::Option& option) {
  std::string text;
  try {
    text = option.get_validator()->get_description();
  } catch (const CLI::OptionNotFound&) {
    return {};
  }
  const std::size_t open = text.find('{'), close = text.rfind('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  return CLI::detail::split(text.substr(open + 1, close - open - 1), ',');
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::string long_name(const CLI::Option& option) {
  return option.get_lnames().empty() ? "" : option.get_lnames().front();
}

class Completion {
 public:
  Completion(CLI::App& top, const std::vector<std::string>& words, const Lookup& lookup)
      : at_(&top), words_(words), lookup_(lookup) {}

  std::vector<std::string> result() {
    if (words_.empty()) return {};
    for (std::size_t i = 0; i + 1 < words_.size(); ++i) pass(words_[i]);
    const std::string& begun = words_.back();
    if (open_ != nullptr) return fitting(values_of(*open_), begun);
    const std::size_t equals = begun.find('=');
    if (begun.starts_with("--") && equals != std::string::npos) return values_behind(begun, equals);
    if (begun.starts_with('-')) return fitting(option_names(), begun);
    std::vector<std::string> out = positional_values();
    for (std::string& name : subcommand_names()) out.push_back(std::move(name));
    return fitting(std::move(out), begun);
  }

 private:
  // A word that is finished.
  void pass(const std::string& word) {
    if (open_ != nullptr) {
      open_ = nullptr;
      return;
    }
    if (word.starts_with('-') && word != "-") {
      CLI::Option* option = option_named(word.substr(0, word.find('=')));
      if (option != nullptr && takes_value(*option) && word.find('=') == std::string::npos) open_ = option;
      return;
    }
    const auto below = at_->get_subcommands([&](CLI::App* each) { return each->get_name() == word; });
    if (below.empty()) {
      ++positionals_;
      return;
    }
    path_ += path_.empty() ? word : " " + word;
    at_ = below.front();
    positionals_ = 0;
  }

  CLI::Option* option_named(const std::string& word) const {
    for (CLI::Option* option : at_->get_options([](CLI::Option* each) { return each->nonpositional(); }))
      if (option->check_name(word)) return option;
    return nullptr;
  }

  std::vector<std::string> option_names() const {
    std::vector<std::string> out;
    for (const CLI::Option* option : at_->get_options([](CLI::Option* each) { return each->nonpositional(); }))
      if (!long_name(*option).empty()) out.push_back("--" + long_name(*option));
    return out;
  }

  std::vector<std::string> subcommand_names() const {
    std::vector<std::string> out;
    for (const CLI::App* each : at_->get_subcommands([](CLI::App* one) { return !one->get_group().empty(); }))
      out.push_back(each->get_name());
    return out;
  }

  std::vector<std::string> values_of(CLI::Option& option) const {
    if (auto words = words_of(option); !words.empty()) return words;
    const std::string name = long_name(option);
    const bool file = name.ends_with("file") || name.ends_with("socket") || name.ends_with("path") ||
                      name == "openmetrics" || name == "junit";
    return file ? std::vector<std::string>{kFiles} : std::vector<std::string>{};
  }

  std::vector<std::string> values_behind(const std::string& begun, std::size_t equals) const {
    const std::string name = begun.substr(0, equals);
    CLI::Option* option = option_named(name);
    if (option == nullptr) return {};
    std::vector<std::string> values = values_of(*option);
    if (values == std::vector<std::string>{kFiles}) return values;
    for (std::string& value : values) value.insert(0, name + "=");
    return fitting(std::move(values), begun);
  }

  // The one that comes next; the last one may stand several times.
  std::vector<std::string> positional_values() const {
    std::vector<CLI::Option*> all;
    for (CLI::Option* option : at_->get_options([](CLI::Option* each) { return each->get_positional(); }))
      if (!option->nonpositional()) all.push_back(option);
    if (all.empty()) return {};
    const bool repeats = all.back()->get_items_expected_max() > 1;
    if (positionals_ >= all.size() && !repeats) return {};
    CLI::Option& option = *all[std::min(positionals_, all.size() - 1)];
    if (auto words = words_of(option); !words.empty()) return words;
    return names_for(option.get_name(true));
  }

  std::vector<std::string> names_for(const std::string& positional) const {
    if (positional == "FILE" || positional == "RULES") return {kFiles};
    if (positional == "SERVICE") return lookup_(Names::services);
    if (positional == "GROUP") return lookup_(Names::groups);
    if (positional == "ALERT") return lookup_(Names::alerts);
    if (positional == "TOPIC") return lookup_(Names::probe_types);
    if (positional == "ID") return lookup_(path_.starts_with("silence") ? Names::silences : Names::incidents);
    if (positional == "MATCHER") {
      std::vector<std::string> out = lookup_(Names::services);
      for (std::string& name : out) name.insert(0, "service=");
      return out;
    }
    if (positional != "WHAT") return {};
    std::vector<std::string> out = lookup_(Names::probes);
    for (std::string& type : lookup_(Names::probe_types)) out.push_back(std::move(type));
    return out;
  }

  static std::vector<std::string> fitting(std::vector<std::string> words, const std::string& begun) {
    std::erase_if(words, [&](const std::string& word) { return word != kFiles && !word.starts_with(begun); });
    return words;
  }

  CLI::App* at_;
  const std::vector<std::string>& words_;
  const Lookup& lookup_;
  std::string path_;
  CLI::Option* open_ = nullptr;  // whose value comes next
  std::size_t positionals_ = 0;
};

using Collect = std::function<void(const Json& data, std::vector<std::string>& names)>;

// What the agent answers; nothing where it does not.
std::vector<std::string> names_in(const char* path, const Collect& collect) {
  const auto found = read_answer(path, [&]() -> base::Result<std::vector<std::string>> {
    TRY(const std::string answer, get(AgentAddress(), path));
    std::vector<std::string> names;
    collect(data_in(answer), names);
    return names;
  });
  return found.value_or(std::vector<std::string>{});
}

Collect texts(const char* list, const char* key) {
  return [list, key](const Json& data, std::vector<std::string>& names) {
    for (const Json& each : list_of(data, list)) names.push_back(text_of(each, key));
  };
}

void probe_names(const Json& data, std::vector<std::string>& names) {
  for (const Json& service : list_of(data, "services"))
    for (const Json& probe : list_of(service, "probes"))
      names.push_back(text_of(service, "name") + "/" + text_of(probe, "name"));
}

void alert_names(const Json& data, std::vector<std::string>& names) {
  for (const Json& group : list_of(data, "groups"))
    for (const Json& rule : list_of(group, "rules")) names.push_back(text_of(rule, "name"));
}

}  // namespace

std::vector<std::string> completions(CLI::App& top, const std::vector<std::string>& words, const Lookup& lookup) {
  return Completion(top, words, lookup).result();
}

Lookup ask_for_names(std::vector<std::string> probe_types) {
  return [types = std::move(probe_types)](Names names) -> std::vector<std::string> {
    switch (names) {
      case Names::services: return names_in("/api/v1/services", texts("services", "name"));
      case Names::probes: return names_in("/api/v1/services", probe_names);
      case Names::silences: return names_in("/api/v1/silences", texts("silences", "id"));
      case Names::incidents: return names_in("/api/v1/incidents", texts("incidents", "id"));
      case Names::alerts: return names_in("/api/v1/rules?type=alert", alert_names);
      case Names::groups: return names_in("/api/v1/fleet", texts("groups", "name"));
      case Names::probe_types: return types;
    }
    return {};
  };
}

}  // namespace cli
