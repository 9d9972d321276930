// -o, --output of all commands.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/output_form.h"

namespace cli {

// The first of `words` is the form for people; `output` has one of them once the line is parsed.
inline void add_output(CLI::App* command, std::string& output,
                       const std::vector<std::string>& words = {"text", "json"}) {
  std::string help = words.front();
  for (std::size_t i = 1; i < words.size(); ++i) help += (i + 1 < words.size() ? ", " : " or ") + words[i];
  command->add_option("-o,--output", output, help)->check(CLI::IsMember(words))->capture_default_str();
}

inline base::OutputForm form_of(const std::string& output) {
  return output == "json" ? base::OutputForm::json : base::OutputForm::text;
}

}  // namespace cli
