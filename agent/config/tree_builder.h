// Turns yaml-cpp's events into a tree of Reps with places, and refuses what would surprise a person: keys given twice
// (yaml-cpp takes them silently), keys that are no words, a second document where that is a slip, aliases that grow
// without end. Merge keys (<<) are filled in as Go's decoder does: a key of the mapping itself wins, then the first of
// a list.
#pragma once

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/node.h"
#include "config/rep.h"

namespace config {

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, const std::string& file, Errors& errors, Documents documents);

  // Null after a mistake that leaves no tree.
  Node build();

  // `root`, a mapping, with these entries of other trees behind those of its `key`; an absent or empty value of `key`
  // becomes a mapping, any other that is none stays. The result keeps all trees alive.
  static Node with_entries(const Node& root, const std::string& key, const std::vector<std::pair<Node, Node>>& more);
  // See defaults.h.
  static Node with_defaults(const Node& mapping, const std::vector<std::pair<std::string, Node>>& defaults);

 private:
  struct Merged;
  using Rep = Node::Rep;
  using Document = std::deque<Rep>;  // stable addresses
  struct Open {
    Rep* rep;
    const Rep* key = nullptr;  // of a mapping: the key whose value comes next
  };

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override;
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override;
  void OnMapEnd() override { open_.pop_back(); }

  void refuse(const YAML::Exception& e);
  bool is_clean_text();
  bool is_bounded();
  bool quote_is_closed(const Mark& text) const;
  Rep& make(Node::Type type, const YAML::Mark& mark, YAML::anchor_t anchor);
  void place(Rep& rep);
  Mark mark_of(const YAML::Mark& mark) const;
  Mark text_mark_of(const Mark& at) const;
  std::string_view line(std::size_t number) const;
  void tidy(Rep& rep, const std::string& path);
  void tidy_mapping(Rep& rep, const std::string& path);
  void merge(Rep& rep, const Rep& key, const Rep& value, const std::string& path);
  bool ends_well(YAML::Parser& parser);

  std::string_view text_;
  std::string file_;
  Errors& errors_;
  Documents documents_;
  std::vector<std::string_view> lines_;
  std::shared_ptr<Document> document_ = std::make_shared<Document>();
  std::map<YAML::anchor_t, Rep*> anchors_;
  std::vector<Open> open_;
  Rep* root_ = nullptr;
  bool broken_ = false;  // a mistake after which the tree says something else than its author
};

}  // namespace config
