#include "rules/tools/series_values.h"

#include <doctest/doctest.h>

#include "model/sample.h"
#include "promql/value.h"

namespace {

std::string show(const char* text) {
  const auto values = rules::parse_series_values(text);
  if (!values) return "refused";
  std::string out;
  for (const auto& value : values->values) {
    if (!out.empty()) out += ' ';
    out += !value ? "_" : model::is_stale(*value) ? "stale" : promql::format_value(*value);
  }
  return values->native ? "native " + out : out;
}

}  // namespace

TEST_CASE("values of a series read as in promtool") {
  struct Row {
    const char* text;
    const char* want;
  };
  for (const Row& row :
       {Row{"1 2 3", "1 2 3"},
        Row{"0x3", "0 0 0 0"},
        Row{"1+2x3", "1 3 5 7"},
        Row{"5-1.5x2", "5 3.5 2"},
        Row{"_x2 1 _", "_ _ 1 _"},
        Row{"stale NaN -Inf +Inf", "stale NaN -Inf +Inf"},
        Row{"-3x1", "-3 -3"},
        Row{"1e3+1e3x1", "1000 2000"},
        Row{"", ""},
        Row{"1--1x1", "refused"},
        Row{"1+-2x3", "refused"},
        Row{"stalex2", "refused"},
        Row{"NaNx3", "refused"},
        Row{"infx2", "refused"},
        Row{"017", "15"},
        Row{"09", "9"},
        Row{"1_0+1E-2x2", "10 10.01 10.02"},
        Row{"0_17 1_000.5 1.0_5 1e1_0", "15 1000.5 1.05 10000000000"},
        Row{"1__0", "refused"},
        Row{"1_", "refused"},
        Row{"1_x3", "refused"},
        Row{"1._5", "refused"},
        Row{"0+0.1x3", "0 0.1 0.2 0.30000000000000004"},
        Row{"1+x3", "refused"},
        Row{"1+2", "refused"},
        Row{"x3", "refused"},
        Row{"a", "refused"},
        Row{"1x99999999999999", "refused"},
        Row{"{{}}", "native _"},
        Row{"1 {{}}x2 _ 3", "native 1 _ _ _ _ 3"},
        Row{"{{schema:1 sum:-0.3 count:3.1 z_bucket:7.1 buckets:[5.1 10 7] n_buckets:[4.1 5]}} 2", "native _ 2"},
        Row{"{{schema:0 count:2}}+{{count:1}}x3", "native _ _ _ _"},
        Row{"{{ count:1\n}}", "native _"},
        Row{"{{", "refused"},
        Row{"{{}}+1x3", "refused"},
        Row{"{{}}+{{}}", "refused"},
        Row{"{{}}y", "refused"},
        Row{"{{colour:1}}", "refused"},
        Row{"{{count}}", "refused"},
        Row{"{{buckets:[1 2}}", "refused"},
        Row{"{}", "refused"}}) {
    CAPTURE(row.text);
    CHECK(show(row.text) == row.want);
  }
}

TEST_CASE("Prometheus 2 knows no underscore in a number") {
  CHECK(rules::parse_series_values("1_0", promql::Compat::v3));
  CHECK(!rules::parse_series_values("1_0", promql::Compat::v2));
  CHECK(!rules::parse_series_values("1+1_0x2", promql::Compat::v2));
  CHECK(rules::parse_series_values("_x3 1 _", promql::Compat::v2));
}
