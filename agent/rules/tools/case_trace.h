// `fettle test rules --debug`: what a unit test evaluated, when, and what came out; lines start with "DEBUG:" as
// promtool's do. Rules are shown at the evaluations that a test looks at, and whenever an alert changes its state.
#pragma once

#include <cstdio>
#include <string>

#include "promql/queryable.h"
#include "promql/value.h"
#include "rules/group.h"

namespace rules {

class TestTrace {
 public:
  // Says nothing if `out` is null. Times are shown since `start_ms`.
  TestTrace(std::FILE* out, std::int64_t start_ms) : out_(out), start_ms_(start_ms) {}

  void started(const std::string& test) const;
  void changed(const Evaluation& evaluation) const;
  void rules(std::int64_t t, const Group& group, const promql::MemoryQueryable& data) const;
  void expression(const std::string& expr, std::int64_t t, const promql::Vector& result) const;
  void ended(const std::string& test, std::int64_t t, const promql::MemoryQueryable& data) const;

 private:
  std::string since_start(std::int64_t t) const;

  std::FILE* out_;
  std::int64_t start_ms_;
};

}  // namespace rules
