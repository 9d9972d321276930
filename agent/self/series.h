// A prometheus-cpp family whose children can be found again by their label values and removed. The lock is held while
// a child is touched, so that no thread counts on one that another thread removes.
#pragma once

#include <prometheus/family.h>
#include <prometheus/registry.h>

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "self/names.h"

namespace self {

using LabelValues = std::vector<std::string>;

template <typename T>
class Series {
 public:
  Series(prometheus::Family<T>& family, const Metric& metric)
      : family_(family), names_(metric.labels.begin(), metric.labels.end()) {}

  // Calls touch(child), made with `arguments` if it is new.
  template <typename Touch, typename... Arguments>
  void with(const LabelValues& values, Touch touch, Arguments&&... arguments) {
    const std::lock_guard lock(mutex_);
    auto [at, is_new] = children_.try_emplace(values, nullptr);
    if (is_new) {
      prometheus::Labels labels;
      for (std::size_t i = 0; i < names_.size(); ++i) labels[names_[i]] = values[i];
      at->second = &family_.Add(labels, std::forward<Arguments>(arguments)...);
    }
    touch(*at->second);
  }

  // Removes the children whose first label values are these.
  void forget(const LabelValues& first) {
    const std::lock_guard lock(mutex_);
    for (auto at = children_.lower_bound(first); at != children_.end();) {
      if (!std::equal(first.begin(), first.end(), at->first.begin())) break;
      family_.Remove(at->second);
      at = children_.erase(at);
    }
  }

 private:
  prometheus::Family<T>& family_;
  const std::vector<std::string> names_;
  std::mutex mutex_;
  std::map<LabelValues, T*> children_;
};

}  // namespace self
