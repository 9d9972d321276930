// Columns for a terminal: as wide as their widest cell.
#pragma once

#include <string>
#include <vector>

#include "base/terminal.h"

namespace cli {

using base::Colour;
using base::colour_of_stdout;
using base::paint;
using base::Tone;

struct Cell {
  Cell(std::string t) : text(std::move(t)) {}  // NOLINT: cells are mostly plain text
  Cell(const char* t) : text(t) {}             // NOLINT
  Cell(std::string t, Tone tone_of) : text(std::move(t)), tone(tone_of) {}
  std::string text;
  Tone tone = Tone::plain;
};

class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  // Each text as one line that cannot steer the terminal.
  void add(std::vector<Cell> row);
  std::string render(Colour colour) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace cli
