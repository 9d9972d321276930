// Answers of HTTP servers, to requests with and without a body.
#include "probe/http/http_answer.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  for (const char* method : {"GET", "HEAD"}) {
    probe::HttpAnswer at_once(method, 1'000), in_bits(method, 1'000);
    auto state = at_once.take(bytes);
    auto state_of_bits = probe::HttpAnswer::State::reading;
    in_pieces(bytes, [&](std::string_view piece) {
      if (state_of_bits == probe::HttpAnswer::State::reading) state_of_bits = in_bits.take(piece);
    });
    if (state == probe::HttpAnswer::State::reading) state = at_once.end();
    if (state_of_bits == probe::HttpAnswer::State::reading) state_of_bits = in_bits.end();
    require(state == state_of_bits, "the answer is the same in pieces");
    require(state != probe::HttpAnswer::State::reading, "the end ends it");
    const auto &whole = at_once.response(), &pieced = in_bits.response();
    require(whole.reason == pieced.reason, "the reason is the same in pieces");
    if (state == probe::HttpAnswer::State::failed) {
      require(whole.reason != model::Reason::none && !whole.text.empty(), "a failure has a reason and a text");
      continue;
    }
    require(whole.status == pieced.status && whole.body == pieced.body && whole.headers == pieced.headers,
            "the answer is the same in pieces");
    require(whole.body.size() <= 1'000, "the body stays within its limit");
  }
}
