// Unpacks gzip (RFC 1952, all of its members), deflate (RFC 1950 zlib, or RFC 1951 without a wrapper, as some servers
// send it) and brotli (RFC 7932) as the bytes come.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace encoding {

class Inflater {
 public:
  enum class Format { none, gzip, deflate, brotli };  // none: what comes is handed on
  // False: no more is wanted.
  using Sink = std::function<bool(std::string_view)>;

  explicit Inflater(Format format);
  ~Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;

  // False if it is broken, or the sink wants no more; nothing may be taken after that.
  bool take(std::string_view packed, const Sink& sink);
  // Something could be unpacked: it is of that format.
  bool begun() const;
  // It ends here, and its checksum, if it has one, is right.
  bool complete() const;

 private:
  bool take_brotli(std::string_view packed, const Sink& sink);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace encoding
