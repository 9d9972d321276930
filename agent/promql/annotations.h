// Annotations on an evaluation that had an answer: likely mistakes, as Prometheus 3 tells them ("annotations").
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace promql {

struct Annotation {
  std::string text;       // begins with "PromQL info: " or "PromQL warning: "
  std::size_t begin = 0;  // byte of the query that it is about
};

// As the API shows them: each with (line:column) at its end, and of each kind at most ten.
struct Annotations {
  std::vector<std::string> warnings, infos;
};

Annotations format_annotations(const std::vector<Annotation>& annotations, std::string_view query);

}  // namespace promql
