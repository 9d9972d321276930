#include "config/variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "config/schema.h"

namespace config {
namespace {

bool is_name_letter(char c) { return base::is_alphanumeric(c) || c == '_'; }

// "${NAME}" at the start of `text`, or "".
std::string_view variable_at(std::string_view text) {
  if (!text.starts_with("${") || text.size() < 4 || base::is_digit(text[2])) return {};
  const std::size_t close = text.find('}');
  if (close == std::string_view::npos || close == 2) return {};
  const std::string_view name = text.substr(2, close - 2);
  return std::all_of(name.begin(), name.end(), is_name_letter) ? text.substr(0, close + 1) : std::string_view{};
}

std::string_view first_variable(std::string_view text) {
  for (std::size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${", at + 1)) {
    const bool escaped = at > 0 && (text[at - 1] == '$' || text[at - 1] == '\\');
    if (const std::string_view found = variable_at(text.substr(at)); !escaped && !found.empty()) return found;
  }
  return {};
}

// Keys whose text has variables or a language of its own.
bool has_own_variables(std::string_view key) {
  static constexpr std::array<std::string_view, 9> kKeys{"query_response", "command", "test",  "reload",   "body",
                                                         "args",           "expect",  "steps", "templates"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

class Walk {
 public:
  explicit Walk(Errors& errors) : errors_(errors) {}

  void visit(const Node& node, const std::string& path) {
    if (node.is_scalar()) return look(node, path);
    std::size_t at = 0;
    for (const Node& item : node.items()) visit(item, fmt::format("{}[{}]", path, at++));
    if (node.find("type").scalar() == "journey") return;
    for (const auto& [key, value] : node.entries()) {
      const std::string inner = detail::join_path(path, key.scalar());
      const bool steps_of_plan = key.scalar() == "steps" && path.ends_with(".recovery");
      const bool own = has_own_variables(key.scalar()) && !steps_of_plan;
      const bool of_targets = key.scalar().ends_with("_configs") && path.starts_with("services.");
      if (!own && !of_targets && inner != "global.external_labels") visit(value, inner);
    }
  }

 private:
  void look(const Node& node, const std::string& path) {
    const std::string_view found = first_variable(node.scalar());
    if (found.empty()) return;
    errors_.add(node.mark(), path,
                fmt::format("{} would stand here as it is written: only global.external_labels are filled in from the "
                            "environment. Write the value itself; a secret can stand in a file that a key such as "
                            "password_file or secret_file names",
                            found));
  }

  Errors& errors_;
};

}  // namespace

void check_variables(const Node& root, Errors& errors) { Walk(errors).visit(root, ""); }

std::optional<std::string> from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

model::Labels expanded(const model::Labels& labels, const Node& node, const Environment& environment, Errors& errors) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const model::Label label : labels) {
    std::string out;
    for (std::string_view rest = label.value; !rest.empty();) {
      const std::size_t dollar = std::min(rest.find('$'), rest.size());
      out += rest.substr(0, dollar);
      rest.remove_prefix(dollar);
      if (rest.empty()) break;
      const bool braced = !variable_at(rest).empty();
      std::string_view name = braced ? rest.substr(2, rest.find('}') - 2) : rest.substr(1);
      if (!braced) name = name.substr(0, std::find_if_not(name.begin(), name.end(), is_name_letter) - name.begin());
      if (rest.starts_with("$$") || name.empty()) {
        out += '$';
        rest.remove_prefix(rest.starts_with("$$") ? 2 : 1);
        continue;
      }
      const auto value = environment(std::string(name));
      if (!value)
        errors.add(node.find(label.name).mark(), fmt::format("global.external_labels.{}", label.name),
                   fmt::format("the agent's environment has no {}; $$ is a dollar", name));
      out += value.value_or("");
      rest.remove_prefix(name.size() + (braced ? 3 : 1));
    }
    all.emplace_back(label.name, std::move(out));
  }
  std::vector<model::Label> views;
  for (const auto& [name, value] : all) views.push_back({name, value});
  return model::Labels(std::move(views));
}

}  // namespace config
