// Texts of messages: Go templates with Alertmanager's functions (toUpper, toLower, title, join, match, safeHtml,
// reReplaceAll, stringSlice), over a value that the caller makes (templates/object.h). Parsed when the configuration is
// loaded. Any thread; never throws; bounded as templates of rules are.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "templates/value.h"

namespace templates {

struct Tree;

// A file of {{ define }}s that messages may call; of two with one name the later counts.
struct Definitions {
  std::string name;
  std::string text;
};

class MessageTemplate {
 public:
  // Errors: "line 2: unclosed action".
  static base::Result<MessageTemplate> parse(std::string_view name, std::string_view text,
                                             const std::vector<Definitions>& definitions);
  MessageTemplate(MessageTemplate&&) noexcept;
  MessageTemplate& operator=(MessageTemplate&&) noexcept;
  ~MessageTemplate();

  // Names that it calls by {{ template }}, also through other definitions, and that nothing defines, sorted.
  std::vector<std::string> undefined() const;

  // html: what actions print has its <, >, &, ' and " escaped, but for safeHtml's. Go's html/template looks at the
  // place in the page besides: in a script or a style nothing of an alert should stand here.
  enum class Output { text, html };
  // Errors: Go's error text.
  base::Result<std::string> execute(const Value& data, Output output = Output::text) const;

 private:
  MessageTemplate(std::string name, std::string text, std::unique_ptr<Tree> tree);
  std::string name_, text_;
  std::unique_ptr<Tree> tree_;  // null for a text without any action
};

}  // namespace templates
