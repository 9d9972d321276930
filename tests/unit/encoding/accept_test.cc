#include "encoding/accept.h"

#include <doctest/doctest.h>

#include <string>

using encoding::Exposition;

TEST_CASE("OpenMetrics is for those who ask for it by name") {
  struct Row {
    std::string name, accept;
    Exposition want;
  };
  const Row rows[] = {
      {"nothing", "", Exposition::text},
      {"curl", "*/*", Exposition::text},
      {"a browser", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Exposition::text},
      {"Prometheus 2.42",
       "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/"
       "plain;version=0.0.4;q=0.5,*/*;q=0.1",
       Exposition::openmetrics},
      {"Prometheus 3",
       "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/"
       "openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/"
       "plain;version=0.0.4;q=0.2,*/*;q=0.1",
       Exposition::openmetrics},
      {"text liked better", "application/openmetrics-text;q=0.4, text/plain", Exposition::text},
      {"both alike", "application/openmetrics-text, text/plain", Exposition::openmetrics},
      {"refused", "application/openmetrics-text;q=0", Exposition::text},
      {"a version that is not ours", "application/openmetrics-text; version=2.0.0", Exposition::text},
      {"quoted, spaced, any case", "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.9", Exposition::openmetrics},
      {"protobuf only", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
       Exposition::text},
      {"a q that is no number", "application/openmetrics-text;q=much", Exposition::text},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(encoding::preferred_exposition(row.accept) == row.want);
  }
}

TEST_CASE("gzip only where it is accepted") {
  struct Row {
    std::string accept;
    bool want;
  };
  const Row rows[] = {{"", false},
                      {"gzip", true},
                      {"deflate, gzip;q=0.5", true},
                      {"gzip;q=0", false},
                      {"identity", false},
                      {"*", true},
                      {"*;q=1, gzip;q=0", false},
                      {"GZIP", true},
                      {"br", false},
                      {"gzip;q=0.0", false},
                      {"x-gzip", true}};
  for (const Row& row : rows) {
    CAPTURE(row.accept);
    CHECK(encoding::accepts_gzip(row.accept) == row.want);
  }
}
