// `fettle check metrics`: a metrics page on standard input, looked at as promtool check metrics does.
#pragma once

namespace cli {

int lint_standard_input();  // 0 clean, 1 findings or unreadable

}  // namespace cli
