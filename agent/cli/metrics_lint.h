// `fettle check metrics`: a metrics page on standard input, looked at as promtool check metrics does.
#pragma once

#include "base/output_form.h"

namespace cli {

// 0 clean, 1 findings or unreadable. As JSON {"ok","mistakes","findings"}.
int lint_standard_input(base::OutputForm form);

}  // namespace cli
