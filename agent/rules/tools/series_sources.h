// Which series can exist on a node at all: those of its probes, of the agent itself and of its rules. Answers whether a
// selector of a rule can ever find anything, and if not, what was probably meant. Built once from a configuration;
// knows no samples.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/matcher.h"
#include "rules/manager.h"

namespace rules {

// Something that makes series.
struct SeriesSource {
  enum class Names { listed, any };  // any: their names are not known beforehand
  Names kind = Names::listed;
  std::vector<std::string> names;
  // The values that these labels can have on its series; "" if one may be absent. Labels that are not here can have any
  // value, and be absent.
  std::map<std::string, std::set<std::string>> labels;
};

class SeriesSources {
 public:
  void add(SeriesSource source) { sources_.push_back(std::move(source)); }
  // What these rules write: ALERTS and ALERTS_FOR_STATE by alertname, and recordings.
  void add_rules(const std::vector<CompiledGroupPtr>& groups);

  // For each of these values of the label: those whose series can have it.
  std::map<std::string, SeriesSources> narrowed(const std::string& label, const std::vector<std::string>& values) const;

  bool can_make(const std::vector<model::Matcher>& selector) const;
  // For a selector that nothing can make: the name or the label at fault and the nearest word that exists; "" if there
  // is nothing to say.
  std::string hint(const std::vector<model::Matcher>& selector) const;

 private:
  std::vector<SeriesSource> sources_;
};

}  // namespace rules
