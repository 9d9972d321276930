// What the store has of a service over a span of time, for the graphics of its page: asked as a client would ask,
// within the same limits.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "web/context.h"
#include "web/pages/line_graphic.h"
#include "web/server/http.h"

namespace web {

struct Measured {
  static constexpr int kSteps = 120;

  std::int64_t start = 0, end = 0, step = 0;                 // milliseconds
  std::vector<std::pair<std::int64_t, double>> up;           // part of each step in which it was up
  std::vector<GraphicLine> durations;                        // seconds: the longest run of each step, by probe
  std::vector<std::pair<std::string, base::Millis>> ranges;  // that can be asked for: as written, and how long
  std::string range;                                         // the one of them that was
  std::string durations_query;                               // the expression of `durations`
  std::string trouble;                                       // why there is nothing; "" if that is all there is
};

// Spans of time that people ask for, as far as the store keeps them: as written, and how long.
std::vector<std::pair<std::string, base::Millis>> ranges_within(base::Millis retention);

// `range` is what the client wrote; one that is not offered counts as the default.
Measured measured(const ServicePage& service, const std::string& range, const Snapshot& snapshot,
                  const Request& request, const Context& context);

}  // namespace web
