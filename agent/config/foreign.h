// Text from outside the configuration, and the power that it has not: labels of discovered targets and of alerts, the
// parameters of /probe, and whatever other list, catalogue or annotation comes to name targets. Such a text may fill a
// place that the configuration left open for it, as one value; it never adds a key, a word, a host, a folder or an
// option to what stands around it. All places where such a text meets a setting ask here. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace config {

// Who may set a key of a probe's template, beside the configuration file itself; each includes those before it.
enum class Reach {
  file,     // only the configuration file: runs programs, reads files, holds secrets or leads elsewhere
  address,  // a target, by its address
  listed,   // a target's label that the template names in allow_labels
  label,    // any target's label
};

// What a value is put into.
enum class ValueFormat {
  word,       // a part of a text, an argument, the name of a file in a folder that is written there
  arguments,  // a list of which the first is a program: as word, but for the program itself
  host,       // a name or an address
  url,        // a URL, or a part of one
  path,       // an absolute path, or as word a part of one
  text,       // what is only shown, or handed on as it is
};

// Why `value` may not be all of a value of this format; "" if it may.
std::string foreign_complaint(std::string_view value, ValueFormat format);

// `text` with a value for each ${NAME} that `value_of` knows; the others stay. A value may not change what the text
// around it means: in a URL it stays in the part where it stands, as a word it begins with a dash only inside a longer
// word. Error: invalid, with NAME, its value and what is wrong.
using ValueOf = std::function<std::optional<std::string_view>(std::string_view name)>;
base::Result<std::string> filled_in(std::string_view text, ValueFormat format, const ValueOf& value_of);

// Why `value` may not be put behind `before` and ahead of `after` in one word; "" if it may.
std::string word_complaint(std::string_view before, std::string_view value, std::string_view after);

}  // namespace config
