// Columns for a terminal: as wide as their widest cell, colour only where a person looks.
#pragma once

#include <string>
#include <vector>

namespace cli {

enum class Tone { plain, good, bad, warn, faint };

struct Cell {
  Cell(std::string t) : text(std::move(t)) {}  // NOLINT: cells are mostly plain text
  Cell(const char* t) : text(t) {}             // NOLINT
  Cell(std::string t, Tone tone_of) : text(std::move(t)), tone(tone_of) {}
  std::string text;
  Tone tone = Tone::plain;
};

enum class Colour { never, always };

// always for a terminal on standard output, unless NO_COLOR is set.
Colour colour_of_stdout();
std::string paint(const std::string& text, Tone tone, Colour colour);

class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  std::string render(Colour colour) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace cli
