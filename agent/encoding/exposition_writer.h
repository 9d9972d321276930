// The text that Prometheus scrapes: text format 0.0.4 and OpenMetrics 1.0.0. Own code, because prometheus-cpp's
// serializer loses a digit of doubles and breaks on a newline in HELP.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "encoding/accept.h"
#include "model/metric_family.h"

namespace encoding {

std::string_view content_type(Exposition format);

// Families with the same name become one (type and help of the first; a point that was there already is left out),
// sorted by name, points in the order given. Names that Prometheus would refuse are left out.
std::string expose(const std::vector<model::MetricFamily>& families, Exposition format);
// The same of two pages, as if one stood behind the other.
std::string expose(const model::MetricPage& first, const model::MetricPage& second, Exposition format);

}  // namespace encoding
