#include "config/include.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "base/edit_distance.h"
#include "base/file.h"
#include "config/schema.h"
#include "config/tree_builder.h"

namespace config {
namespace {

namespace fs = std::filesystem;

constexpr const char* kServices = "services";

class Inclusion {
 public:
  Inclusion(const Node& root, const std::string& file, Errors& errors) : root_(root), file_(file), errors_(errors) {
    read_.insert(identity(file));
    for (const auto& [name, value] : root.find(kServices).entries()) places_.emplace(name.scalar(), name.mark());
  }

  Included result() {
    const std::vector<Node> patterns = root_.find("include").items();
    for (std::size_t i = 0; i < patterns.size(); ++i)
      if (patterns[i].is_scalar()) add_pattern(patterns[i], fmt::format("include[{}]", i));
    if (found_.empty()) return {root_, std::move(files_)};
    return {TreeBuilder::with_entries(root_, kServices, found_), std::move(files_)};
  }

 private:
  using Entry = std::pair<Node, Node>;

  static std::string identity(const std::string& path) {
    std::error_code ignored;
    const fs::path whole = fs::canonical(path, ignored);
    return ignored ? path : whole.string();
  }

  void add_pattern(const Node& pattern, const std::string& path) {
    const std::string whole = (fs::path(file_).parent_path() / pattern.scalar()).string();
    const std::vector<std::string> files = base::glob(whole);
    const fs::path folder = fs::path(whole).parent_path();
    std::error_code ignored;  // what this user may not look into is no folder here
    const auto is_pattern = [](const std::string& text) { return text.find_first_of("*?[") != std::string::npos; };
    if (files.empty() && !is_pattern(whole))
      errors_.add(pattern.mark(), path, fmt::format("there is no file {}", whole));
    else if (files.empty() && !is_pattern(folder.string()) && !fs::is_directory(folder, ignored))
      errors_.warn(pattern.mark(), path, fmt::format("there is no folder {}", folder.string()));
    // Two patterns may find one file, and one may find the file that it stands in.
    for (const std::string& file : files)
      if (read_.insert(identity(file)).second) add_file(file, pattern.mark(), path);
  }

  void add_file(const std::string& file, const Mark& at, const std::string& path) {
    const auto text = base::read_file(file);
    if (!text) return errors_.add(at, path, text.error().text);
    files_.push_back(file);
    const Node tree = Node::parse(*text, file, errors_);
    if (tree.is_null()) return;  // empty, or its mistakes are known
    if (!tree.is_mapping()) return errors_.add(tree.mark(), "", expected("a mapping", tree));
    for (const auto& [key, value] : tree.entries())
      if (key.scalar() == kServices) add_services(value);
      else refuse(key);
  }

  void refuse(const Node& key) {
    const std::string& name = key.scalar();
    const std::vector<std::string> known{kServices};
    const bool is_slip = !base::nearest(name, known).empty();
    errors_.add(key.mark(), name,
                is_slip ? fmt::format("unknown key; did you mean '{}'?", kServices)
                        : fmt::format("a file of include has '{}' only: write '{}' into {}", kServices, name, file_));
  }

  void add_services(const Node& services) {
    if (services.is_null()) return;
    if (!services.is_mapping()) return errors_.add(services.mark(), kServices, expected("a mapping", services));
    for (const auto& [name, value] : services.entries()) {
      const auto [known, is_new] = places_.emplace(name.scalar(), name.mark());
      if (is_new) {
        found_.emplace_back(name, value);
        continue;
      }
      const Mark& first = known->second;
      errors_.add(name.mark(), detail::join_path(kServices, name.scalar()),
                  fmt::format("a service of this name stands at {}:{}:{} already: rename or remove one of them",
                              first.file, first.line, first.column));
    }
  }

  const Node& root_;
  const std::string& file_;
  Errors& errors_;
  std::set<std::string> read_;          // files, each by its one path
  std::map<std::string, Mark> places_;  // of services
  std::vector<Entry> found_;
  std::vector<std::string> files_;
};

}  // namespace

Included with_included(const Node& root, const std::string& file, Errors& errors) {
  if (!root.is_mapping()) return {root, {}};
  return Inclusion(root, file, errors).result();
}

}  // namespace config
