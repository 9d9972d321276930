#include "encoding/inflater.h"

#include <doctest/doctest.h>

#include <string>

#include "encoding/gzip.h"

using encoding::Inflater;

namespace {

// What came out, in pieces of `step`, and how it ended.
std::string unpacked(Inflater::Format format, const std::string& packed, std::size_t step) {
  Inflater inflater(format);
  std::string out;
  const auto sink = [&](std::string_view plain) {
    out += plain;
    return true;
  };
  for (std::size_t at = 0; at < packed.size(); at += step)
    if (!inflater.take(std::string_view(packed).substr(at, step), sink)) return out + " broken";
  return out + (inflater.complete() ? "" : " cut");
}

}  // namespace

TEST_CASE("packed bytes are unpacked however they arrive") {
  const std::string one = encoding::gzip(std::string(50'000, 'a')), two = encoding::gzip("two");
  const std::string all = std::string(50'000, 'a');
  for (const std::size_t step : {1u, 3u, 1'000'000u}) {
    CAPTURE(step);
    CHECK(unpacked(Inflater::Format::gzip, one, step) == all);
    CHECK(unpacked(Inflater::Format::gzip, one + two, step) == all + "two");
    CHECK(unpacked(Inflater::Format::gzip, two.substr(0, two.size() - 1), step) == "two cut");
    CHECK(unpacked(Inflater::Format::gzip, two + "x", step).starts_with("two"));
    CHECK(unpacked(Inflater::Format::gzip, two + "x", step) != "two");
    CHECK(unpacked(Inflater::Format::gzip, "plain text", step) == " broken");
    CHECK(unpacked(Inflater::Format::none, "plain text", step) == "plain text");
    // zlib's wrapper begins like no gzip; its checksum is looked at.
    const std::string zlib("\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27", 11);
    CHECK(unpacked(Inflater::Format::deflate, zlib, step) == "abc");
    CHECK(unpacked(Inflater::Format::deflate, zlib.substr(2, 5), step) == "abc");
    CHECK(unpacked(Inflater::Format::deflate, zlib.substr(0, 9), step) == "abc cut");
  }
  Inflater full(Inflater::Format::gzip);
  CHECK_FALSE(full.take(one, [](std::string_view) { return false; }));
}
