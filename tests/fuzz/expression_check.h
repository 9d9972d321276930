// What must hold for any text that is parsed and evaluated: nothing crashes, what is refused has a reason, what parses
// prints to something that parses to the same print, and a range query gives at every step what an instant query gives
// at that time. Shared by the fuzzers of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "promql/engine.h"
#include "promql/parser.h"

namespace fuzz {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::size_t below(std::size_t limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::size_t>(state_ % limit);
  }

 private:
  std::uint64_t state_;
};

// Twenty minutes of gauges, counters, a histogram and the oddest numbers there are; always the same.
promql::MemoryQueryable some_data();

class ExpressionCheck {
 public:
  explicit ExpressionCheck(promql::Compat compat);

  // What does not hold is printed to stderr.
  void text(const std::string& text, const promql::MemoryQueryable& data);

  int accepted() const { return accepted_; }
  int wrong() const { return wrong_; }

 private:
  void evaluate(const std::string& text, const promql::Expr& expr, const promql::MemoryQueryable& data);
  void complain(const std::string& text, const std::string& why);

  promql::Compat compat_;
  promql::Engine engine_;
  int accepted_ = 0;
  int wrong_ = 0;
};

}  // namespace fuzz
