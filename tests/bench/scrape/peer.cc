// The other side of tests/bench/scrape/run, which starts it: CPU time of prometheus-cpp's serializer for the series of
// a metrics page, without what it costs to collect them, and of zlib for the text, at the level of prometheus-cpp's
// exposer.
//
//   bench_scrape_peer ROUNDS < page
//
// One JSON line with the medians, in milliseconds.
#include <fmt/format.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <time.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "encoding/exposition_families.h"

namespace {

double cpu_ms() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

// Each sample of a page as one of a gauge: a line for each, as in the page.
std::vector<prometheus::MetricFamily> families_of(const std::vector<encoding::ExposedFamily>& page) {
  std::vector<prometheus::MetricFamily> out;
  for (const encoding::ExposedFamily& family : page) {
    std::string name;
    for (const encoding::ExposedSample& sample : family.samples) {
      if (sample.labels.metric_name() != name) {
        name = sample.labels.metric_name();
        out.push_back({name, family.help, prometheus::MetricType::Gauge, {}});
      }
      prometheus::ClientMetric& metric = out.back().metric.emplace_back();
      for (const model::Label label : sample.labels.without_metric_name())
        metric.label.push_back({std::string(label.name), std::string(label.value)});
      metric.gauge.value = sample.value;
    }
  }
  return out;
}

std::size_t compressed(const std::string& text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + 15, 9, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  const std::size_t size = stream.total_out;
  deflateEnd(&stream);
  return size;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc == 2 ? std::atoi(argv[1]) : 0;
  if (rounds < 1) return fmt::print(stderr, "usage: bench_scrape_peer ROUNDS < page\n"), 2;
  const std::string page{std::istreambuf_iterator<char>(std::cin), {}};
  const auto read = encoding::parse_exposition(page);
  if (!read) return fmt::print(stderr, "{}\n", read.error().text), 1;
  const std::vector<prometheus::MetricFamily> families = families_of(*read);
  std::size_t series = 0, bytes = 0, gzip_bytes = 0;
  for (const auto& family : families) series += family.metric.size();
  std::vector<double> plain, gzip;
  for (int i = 0; i < rounds; ++i) {
    const double began = cpu_ms();
    const std::string text = prometheus::TextSerializer{}.Serialize(families);
    const double written = cpu_ms();
    gzip_bytes = compressed(text);
    bytes = text.size();
    plain.push_back(written - began);
    gzip.push_back(cpu_ms() - began);
  }
  fmt::print(R"({{"series": {}, "bytes": {}, "cpu_ms": {:.3f}, "gzip_bytes": {}, "gzip_cpu_ms": {:.3f}}})"
             "\n",
             series, bytes, median(plain), gzip_bytes, median(gzip));
}
