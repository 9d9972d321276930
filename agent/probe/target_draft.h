// The probe of a target while it is put together, as YAML: the template's keys, and what the target says. Used by
// discovered.cc, and by kubernetes.cc for a probe in other words. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "config/foreign.h"
#include "config/node.h"

namespace probe {

// A word that YAML reads as itself, without quotes: a number must have none.
std::string plain_or_quoted(std::string_view value);

// The template's own value with what ${target} and ${LABEL} stand for, as YAML.
base::Result<std::string> filled(const config::Node& node, config::ValueFormat format, const config::ValueOf& value_of);

// A whole value that a label or an address sets, as YAML: one word or number; for a label also a list or a mapping of
// them, which is parsed by itself, so that no bracket of it can close one of ours.
base::Result<std::string> whole_value(std::string_view value, config::ValueFormat format);

// Keys with their values in YAML. What is set later counts.
class TargetDraft {
 public:
  void set(std::string_view key, std::string yaml) { values_.insert_or_assign(std::string(key), std::move(yaml)); }
  void erase(std::string_view key) { values_.erase(std::string(key)); }
  bool has(std::string_view key) const { return values_.contains(std::string(key)); }
  // Its mistakes stand in this line of `origin`.
  config::Node parse(const std::string& origin, config::Errors& errors, std::size_t line = 1) const;

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace probe
