#include "web/pages/explain_page.h"

#include <fmt/format.h>

#include "base/percent.h"
#include "web/pages/frame.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"
#include "web/pages/service_page.h"

namespace web {

std::string explain_page(const ServicePage& service, const Snapshot& snapshot) {
  const Frame frame{service.name, "../", true};
  return page_start(frame, snapshot) + explain_sections(service, snapshot) +
         page_end(frame, fmt::format(R"({} <a href="../api/v1/explain/{}">this as JSON</a>)",
                                     service_link(service.name, "../"), base::percent_encode(service.name)));
}

}  // namespace web
