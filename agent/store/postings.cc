#include "store/postings.h"

#include <algorithm>
#include <iterator>

namespace store {
namespace {

void insert(SeriesIds& ids, std::uint32_t id) { ids.insert(std::lower_bound(ids.begin(), ids.end(), id), id); }

void erase(SeriesIds& ids, std::uint32_t id) {
  const auto at = std::lower_bound(ids.begin(), ids.end(), id);
  if (at != ids.end() && *at == id) ids.erase(at);
}

SeriesIds intersection(const SeriesIds& a, const SeriesIds& b) {
  SeriesIds out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

}  // namespace

void Postings::add(std::uint32_t id, const model::Labels& labels) {
  insert(all_, id);
  for (const model::Label& label : labels) insert(names_[std::string(label.name)][std::string(label.value)], id);
}

void Postings::remove(std::uint32_t id, const model::Labels& labels) {
  erase(all_, id);
  for (const model::Label& label : labels) {
    const auto name = names_.find(label.name);
    if (name == names_.end()) continue;
    const auto value = name->second.find(label.value);
    if (value == name->second.end()) continue;
    erase(value->second, id);
    if (value->second.empty()) name->second.erase(value);
    if (name->second.empty()) names_.erase(name);
  }
}

const Postings::Values* Postings::values_of(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &found->second;
}

// For a matcher that does not match "": a series without the label is not meant.
SeriesIds Postings::with_one_of(const model::Matcher& matcher) const {
  const Values* values = values_of(matcher.name());
  SeriesIds out;
  if (!values) return out;
  const std::vector<std::string> literals = matcher.literals();
  for (const std::string& literal : literals)
    if (const auto found = values->find(literal); found != values->end())
      out.insert(out.end(), found->second.begin(), found->second.end());
  if (literals.empty())
    for (const auto& [value, ids] : *values)
      if (matcher.matches(value)) out.insert(out.end(), ids.begin(), ids.end());
  // Each series has one value of a name; only a literal that is named twice brings an id twice.
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

SeriesIds Postings::find(const std::vector<model::Matcher>& matchers,
                         const std::function<const model::Labels&(std::uint32_t)>& labels_of) const {
  static const SeriesIds nobody;
  // Plain equality first: these lists exist already, and the shortest bounds all that follows.
  std::vector<const SeriesIds*> lists;
  std::vector<const model::Matcher*> by_value;  // must have the label, with one of several values
  std::vector<const model::Matcher*> by_series;
  for (const model::Matcher& matcher : matchers) {
    if (matcher.matches_empty()) {
      by_series.push_back(&matcher);
    } else if (matcher.op() == model::MatchOp::equal) {
      const Values* values = values_of(matcher.name());
      const auto found = values ? values->find(matcher.value()) : Values::const_iterator{};
      lists.push_back(values && found != values->end() ? &found->second : &nobody);
    } else {
      by_value.push_back(&matcher);
    }
  }
  std::sort(lists.begin(), lists.end(), [](const SeriesIds* a, const SeriesIds* b) { return a->size() < b->size(); });

  SeriesIds out;
  bool bounded = false;
  for (const SeriesIds* list : lists) {
    out = bounded ? intersection(out, *list) : *list;
    bounded = true;
  }
  for (const model::Matcher* matcher : by_value) {
    const Values* values = values_of(matcher->name());
    if (bounded && values && out.size() < values->size()) {
      by_series.push_back(matcher);  // fewer series are left than the label has values
      continue;
    }
    out = bounded ? intersection(out, with_one_of(*matcher)) : with_one_of(*matcher);
    bounded = true;
  }
  if (!bounded) out = all_;
  std::erase_if(out, [&](std::uint32_t id) {
    const model::Labels& labels = labels_of(id);
    return !std::all_of(by_series.begin(), by_series.end(),
                        [&](const model::Matcher* m) { return m->matches(labels.get(m->name())); });
  });
  return out;
}

}  // namespace store
