// A graph of series over time, with its axes and a table of what they have: SVG in HTML, without a script or a style of
// its own. Words are never scaled, so that they can be read on a phone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace web {

struct GraphicLine {
  std::string name;
  std::vector<std::pair<std::int64_t, double>> samples;  // milliseconds since the epoch, value; oldest first
};

struct LineGraphic {
  std::int64_t start = 0, end = 0,
               step = 0;           // milliseconds; a sample further than a step and a half away is no neighbour
  std::vector<GraphicLine> lines;  // those without a number that can be drawn are left out of the graph only
  std::string label;               // what it is, for those who do not see it
  std::string column;              // what a line is: "Probe"
  std::function<std::string(double)> words;  // a value in the table
  // Two ticks of the axis: the tick itself and how far it is to the next. Default: as `words`.
  std::function<std::string(double tick, double distance)> tick_words{};
};

// Lines that differ without their colours; more than these are not drawn.
inline constexpr std::size_t kMostLines = 24;

// "" if no line has a sample.
std::string line_graphic(const LineGraphic& graphic);

// Round values from below the least to above the greatest, 3 to 7 of them, at equal distances; from 0 on where that
// does not flatten the line.
std::vector<double> value_ticks(double least, double greatest);
// Round times of UTC within a span, 5 at most.
std::vector<std::int64_t> time_ticks(std::int64_t start, std::int64_t end);
// "1.5 M", with as many digits as tell a tick from the next.
std::string number_words(double value, double distance);

}  // namespace web
