#include "cli/table.h"

#include <algorithm>

#include "base/text.h"

namespace cli {
namespace {

// Characters, not bytes: continuation bytes of UTF-8 take no column.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

void Table::add(std::vector<Cell> row) {
  for (Cell& cell : row) cell.text = base::foreign_text(cell.text, std::string::npos);
  rows_.push_back(std::move(row));
}

std::string Table::render(Colour colour) const {
  std::vector<std::size_t> widths;
  for (const std::string& title : header_) widths.push_back(width_of(title));
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i].text));
  std::string out;
  const auto put = [&](const std::string& text, Tone tone, std::size_t column, bool last) {
    out += paint(text, tone, colour);
    if (!last) out += std::string(widths[column] - width_of(text) + 2, ' ');
  };
  for (std::size_t i = 0; i < header_.size(); ++i) put(header_[i], Tone::faint, i, i + 1 == header_.size());
  out += '\n';
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) put(row[i].text, row[i].tone, i, i + 1 == row.size());
    out += '\n';
  }
  return out;
}

}  // namespace cli
