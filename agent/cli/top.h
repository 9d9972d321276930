// `fettle top`: services and alerts of the running agent on the whole terminal, again every second.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "base/terminal.h"
#include "cli/client.h"

namespace cli {

struct TopView {
  nlohmann::ordered_json services, alerts;  // "data" of the API's answers; null before the first
  std::string trouble;                      // why the last question had no answer
};

struct TopSize {
  std::size_t columns = 80, rows = 24;
};

// A line of how it is, then the table of services, the worst first, then that of alerts, from line `first` of both on:
// as many lines as there are rows, none wider than the columns. `first` becomes less where there are not so many lines.
std::string top_screen(const TopView& view, const TopSize& size, std::size_t& first, base::Colour colour);

// Until q or a signal; the terminal is as before then. Once, and all of it, if `once` or if standard output is no
// terminal: 0, or 1 if a service is down, 3 without an answer.
int run_top(const AgentAddress& agent, bool once);  // NOLINT: a flag of the line

}  // namespace cli
