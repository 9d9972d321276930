// A place in a parsed YAML document, with its file, line and column. The only way the rest of the program sees YAML.
// Cheap to copy; keeps its document alive. One thread at a time: that which reads a configuration, then the loop's.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace config {

// Where something stands: line and column count from 1; 0 when there is no place (an empty document).
struct Mark {
  std::string file;
  std::size_t line = 0;
  std::size_t column = 0;
};

// All mistakes of a load, in order of place. Parsing never stops at the first one.
class Errors {
 public:
  static constexpr std::size_t kShown = 20;

  // "file:line:column: path: what", in one line. `path` names the key from the top: services.order.probes[0].url
  void add(const Mark& at, std::string_view path, std::string_view what);
  // The same for what may be mended while the agent runs, such as a file that is not there yet. Not counted below.
  void warn(const Mark& at, std::string_view path, std::string_view what);
  std::vector<std::string> warnings() const;  // sorted as lines() are
  // Takes the secrets out of what was added so far.
  void blot(const base::KnownSecrets& secrets);
  bool empty() const { return found_.empty(); }
  std::size_t size() const { return found_.size(); }
  std::vector<std::string> lines() const;  // sorted by file, line, column
  std::string text() const;                // all of them, each with an end of line
  // For logs and pages: the first kShown lines, and how many more there are; `fettle check config` says them all.
  std::string short_text() const;

  // For a caller who goes on without a part that has mistakes: takes these out and returns how many there were. By
  // path: "services.order" and all below it.
  std::size_t take_out(std::string_view path);
  // By place: all that stand in other files than this one. Those files.
  std::set<std::string> take_out_other_files(const std::string& file);

 private:
  struct Mistake {
    Mark at;
    std::string path;
    std::string line;
  };
  static Mistake mistake(const Mark& at, std::string_view path, std::string_view what);
  static std::vector<std::string> sorted(const std::vector<Mistake>& mistakes);

  std::vector<Mistake> found_, warned_;
};

// Mistakes, a line each, shortened to so many lines and the number of the others.
std::string first_lines(const std::string& mistakes, std::size_t count);

// Who may see a value that the configuration has: everybody who reaches the agent's port (of a text that is an address
// or a command, without what base::without_secrets() hides), of a URL only scheme and host, or nobody. Unknown is what
// no schema has read: nobody, too, but it is no known secret.
enum class Exposure { unknown, withheld, origin, shown };

// What a file may hold: one document, or several of which the first counts, as Prometheus reads rule files.
enum class Documents { one, first };

class Node {
 public:
  enum class Type { null, scalar, sequence, mapping };

  Node() = default;  // null, without a place

  // A syntax error, a second document or bytes that are no UTF-8 go to `errors`; the Node is then null, as it is for an
  // empty file. yaml-cpp's own messages are put into words with the place. Anchors, aliases and merge keys work.
  // Keys given twice and keys that are no words go to `errors` too, and are left out of the tree.
  static Node parse(std::string_view text, const std::string& file, Errors& errors,
                    Documents documents = Documents::one);

  Type type() const;
  bool is_null() const { return type() == Type::null; }
  bool is_scalar() const { return type() == Type::scalar; }
  bool is_sequence() const { return type() == Type::sequence; }
  bool is_mapping() const { return type() == Type::mapping; }

  const std::string& scalar() const;                   // "" unless a scalar
  bool quoted() const;                                 // a scalar written with quotes: "5" is a string, never a number
  std::vector<Node> items() const;                     // of a sequence
  std::vector<std::pair<Node, Node>> entries() const;  // of a mapping, in file order; parse() took duplicates out
  Node find(std::string_view key) const;               // first value with this key, or a null Node
  Mark mark() const;                                   // of an empty value: where its key stands
  Mark text_mark() const;     // of a scalar's first character: after the quote, below the | of a block
  Exposure exposure() const;  // of a scalar
  // For this scalar, or for all below a list or a mapping. What is withheld stays so, also where an alias shows it.
  void expose(Exposure exposure) const;
  void expose_rest(Exposure exposure) const;  // the same for those that are still unknown
  std::string_view type_name() const;         // "a mapping", "a list", "a string", "nothing": for messages

 private:
  friend class TreeBuilder;
  struct Rep;
  explicit Node(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}
  std::shared_ptr<const Rep> rep_;
};

}  // namespace config
