// Matchers as Alertmanager and amtool write them: service=order, severity=~"page|ticket", {a="b",c!="d"}.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"

namespace model {

// One matcher or several with commas between, with or without braces. A name may be any UTF-8, in quotes where it has
// blanks or what matchers are written with. A value need not be quoted unless a comma, a
// brace or a quotation mark is in it; in quotes \\, \" and \n are escapes. A word without an operator names an alert,
// as for amtool, or is a mistake, as in Alertmanager's configuration.
enum class BareWord { is_alertname, refused };
base::Result<std::vector<Matcher>> parse_matchers(std::string_view text, BareWord bare = BareWord::is_alertname);

}  // namespace model
