#include "config/defaults.h"

#include "config/tree_builder.h"

namespace config {

// Keeps alive what it points to.
struct TreeBuilder::Merged {
  Rep rep;
  std::deque<Rep> keys;
  std::vector<Node> parts;
};

Node TreeBuilder::with_defaults(const Node& mapping, const std::vector<std::pair<std::string, Node>>& defaults) {
  if (!mapping.is_mapping()) return mapping;
  auto merged = std::make_shared<Merged>();
  merged->rep = *mapping.rep_;
  merged->parts.push_back(mapping);
  for (const auto& [key, value] : defaults) {
    if (value.is_null() || !mapping.find(key).is_null()) continue;
    Rep& name = merged->keys.emplace_back();
    name.type = Node::Type::scalar;
    name.scalar = key;
    name.mark = name.text_mark = value.mark();
    merged->rep.entries.emplace_back(&name, value.rep_.get());
    merged->parts.push_back(value);
  }
  return Node(std::shared_ptr<const Rep>(merged, &merged->rep));
}

Node with_defaults(const Node& mapping, const std::vector<std::pair<std::string, Node>>& defaults) {
  return TreeBuilder::with_defaults(mapping, defaults);
}

}  // namespace config
