#include "discover/target.h"

#include <utility>

#include "config/schema.h"

namespace discover {
namespace {

struct Group {
  std::vector<std::string> targets;
  model::Labels labels;
};

const config::Schema<Group>& group_schema() {
  static const auto schema = config::Schema<Group>("file_sd")
                                 .required("targets", &Group::targets, "What to probe: HOST:PORT, a URL, a path.")
                                 .optional("labels", &Group::labels, "Labels of all of them.")
                                 .check([](const Group& group, const config::Complain& complain) {
                                   for (const std::string& target : group.targets)
                                     if (target.empty()) complain("targets", "has an empty one");
                                 });
  return schema;
}

}  // namespace

std::vector<Target> parse_targets(std::string_view text, const std::string& file, config::Errors& errors) {
  std::vector<Target> all;
  const config::Node root = config::Node::parse(text, file, errors);
  if (root.is_null()) return all;  // an empty file lists nothing
  if (!root.is_sequence()) {
    errors.add(root.mark(), "", config::expected("a list of groups, each with targets", root));
    return all;
  }
  std::size_t at = 0;
  for (const config::Node& item : root.items()) {
    const Group group = group_schema().parse(item, "[" + std::to_string(at++) + "]", errors);
    const model::Labels labels = group.labels.with("__meta_filepath", file);
    for (const std::string& target : group.targets) all.push_back({target, labels});
  }
  return all;
}

}  // namespace discover
