#include "encoding/inflater.h"

#include <brotli/decode.h>
#include <zlib.h>

#include <array>
#include <cstdint>

#include "base/check.h"

namespace encoding {
namespace {

constexpr int kWindow = 15;
constexpr int kGzip = 16 + kWindow;
constexpr unsigned kMagic = 2;  // bytes with which gzip begins

// RFC 1950, 2.2: compression method 8, and a checksum of both bytes.
bool begins_zlib(std::string_view bytes) {
  const unsigned first = static_cast<unsigned char>(bytes[0]), second = static_cast<unsigned char>(bytes[1]);
  return (first & 0x0fU) == 8 && (first << 8U | second) % 31 == 0;
}

}  // namespace

struct Inflater::State {
  explicit State(Format f) : format(f) {
    if (f != Format::brotli) return;
    brotli.reset(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr));
    CHECK(brotli != nullptr);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (open) inflateEnd(&stream);
  }

  void begin(int window) {
    CHECK(inflateInit2(&stream, window) == Z_OK);
    open = true;
  }

  struct Destroy {
    void operator()(BrotliDecoderState* decoder) const { BrotliDecoderDestroyInstance(decoder); }
  };

  Format format;
  z_stream stream{};
  std::unique_ptr<BrotliDecoderState, Destroy> brotli;
  bool open = false;
  bool begun = false;
  bool ended = false;  // at the end of a member
  std::string first;   // of deflate, until it is known how it is wrapped
};

Inflater::Inflater(Format format) : state_(std::make_unique<State>(format)) {}
Inflater::~Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;

bool Inflater::begun() const { return state_->begun; }
bool Inflater::complete() const { return state_->format == Format::none || state_->ended; }

bool Inflater::take(std::string_view packed, const Sink& sink) {
  State& s = *state_;
  if (s.format == Format::none) return sink(packed);
  if (s.format == Format::brotli) return take_brotli(packed, sink);
  std::string both;
  if (!s.open && s.format == Format::gzip) {
    s.begin(kGzip);
  } else if (!s.open) {
    both = s.first.append(packed);
    if (both.size() < 2) return true;
    packed = both;
    s.begin(begins_zlib(packed) ? kWindow : -kWindow);
  }
  // zlib's interface predates const.
  s.stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
  s.stream.avail_in = static_cast<uInt>(packed.size());
  std::array<char, 16 * 1024> plain{};
  do {
    if (s.ended && s.stream.avail_in > 0) {
      // What follows deflate is not of it; what follows gzip is another member of it.
      if (s.format == Format::deflate) return true;
      if (inflateReset(&s.stream) != Z_OK) return false;
      s.ended = false;
    }
    s.stream.next_out = reinterpret_cast<Bytef*>(plain.data());
    s.stream.avail_out = plain.size();
    const int result = inflate(&s.stream, Z_NO_FLUSH);
    s.begun = s.begun || (s.format == Format::gzip && s.stream.total_in > kMagic);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return false;
    s.ended = result == Z_STREAM_END;
    const std::size_t size = plain.size() - s.stream.avail_out;
    s.begun = s.begun || size > 0 || s.ended;
    if (size > 0 && !sink({plain.data(), size})) return false;
  } while (s.stream.avail_in > 0 || s.stream.avail_out == 0);
  return true;
}

bool Inflater::take_brotli(std::string_view packed, const Sink& sink) {
  State& s = *state_;
  const auto* in = reinterpret_cast<const std::uint8_t*>(packed.data());
  std::size_t left = packed.size();
  std::array<std::uint8_t, 16 * 1024> plain{};
  while (true) {
    std::size_t room = plain.size();
    std::uint8_t* out = plain.data();
    const BrotliDecoderResult result = BrotliDecoderDecompressStream(s.brotli.get(), &left, &in, &room, &out, nullptr);
    if (const std::size_t size = plain.size() - room; size > 0) {
      s.begun = true;
      if (!sink({reinterpret_cast<const char*>(plain.data()), size})) return false;
    }
    if (result == BROTLI_DECODER_RESULT_ERROR) return false;
    s.ended = result == BROTLI_DECODER_RESULT_SUCCESS;
    s.begun = s.begun || s.ended;
    if (s.ended) return left == 0;  // nothing may follow
    if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT) return true;
  }
}

}  // namespace encoding
