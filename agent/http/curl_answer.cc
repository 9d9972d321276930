// What of an answer comes through curl's callbacks: the lines of its head, and its body, which is unpacked here.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/ascii.h"
#include "base/text.h"
#include "http/curl_multi.h"
#include "http/curl_tls.h"
#include "http/framing.h"

namespace http {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";

encoding::Inflater::Format format_of(std::string_view content_encoding) {
  using Format = encoding::Inflater::Format;
  if (content_encoding == "gzip" || content_encoding == "x-gzip") return Format::gzip;
  if (content_encoding == "deflate") return Format::deflate;
  return content_encoding == "br" ? Format::brotli : Format::none;
}

}  // namespace

std::size_t CurlHttpClient::Multi::Transfer::on_header(char* data, std::size_t, std::size_t size, void* self) {
  return static_cast<Transfer*>(self)->header_line({data, size}) ? size : 0;
}

// False if nothing more of this answer is wanted. curl is more lenient with some heads than what reads most answers of
// probes; what is refused there is refused here.
bool CurlHttpClient::Multi::Transfer::header_line(std::string_view line) {
  const std::string_view text = base::trim(line, "\r\n");
  if (!in_head_ && !line.starts_with("HTTP/") && base::same_word(line.substr(0, 5), "HTTP/")) {
    broken_ = "does not speak HTTP; it sent " + base::shown(text);
    return false;
  }
  if (line.starts_with("HTTP/")) {
    in_head_ = true;
    // A new answer: after 100 Continue, or after a proxy's own.
    const auto space = line.find(' ');
    response_.version = line.substr(5, space == std::string_view::npos ? space : space - 5);
    response_.status = space == std::string_view::npos ? 0 : std::atoi(std::string(line.substr(space + 1, 3)).c_str());
    response_.headers.clear();
    see_connection();
    return true;
  }
  if (in_head_ && text.empty()) {
    in_head_ = false;
    Framing framing;
    if (response_.status >= 200 || response_.status == 101) broken_ = read_framing(response_.headers, framing);
    return broken_.empty();
  }
  // A header that is folded goes on in a line that begins with white space (RFC 9112, 5.2).
  if ((line.starts_with(' ') || line.starts_with('\t')) && !response_.headers.empty()) {
    std::string& value = response_.headers.back().second;
    const std::string_view more = base::trim(line, kBlanks);
    if (!value.empty() && !more.empty()) value += ' ';
    value += more;
    return true;
  }
  const auto colon = line.find(':');
  if (in_head_ && colon == 0) broken_ = "sent a bad header line: " + base::shown(text);
  if (colon == std::string_view::npos || colon == 0) return broken_.empty();
  response_.headers.emplace_back(base::trim(line.substr(0, colon), kBlanks),
                                 base::trim(line.substr(colon + 1), kBlanks));
  return true;
}

// On a kept connection there was no handshake in this request: its certificates are those that it showed then.
void CurlHttpClient::Multi::Transfer::see_connection() {
  if (!tls() || verification_ != nullptr) return;
  const curl_tlssessioninfo* session = nullptr;
  if (curl_easy_getinfo(easy_.get(), CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || session == nullptr) return;
  if (session->backend != CURLSSLBACKEND_OPENSSL || session->internals == nullptr) return;
  verification_ = verification_of(static_cast<const SSL*>(session->internals));
}

std::size_t CurlHttpClient::Multi::Transfer::on_body(char* data, std::size_t, std::size_t size, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  // Nobody looks at what a redirect says.
  if (transfer.request_.max_redirects > 0 && is_redirect(transfer.response_.status) &&
      find_header(transfer.response_.headers, "Location") != nullptr)
    return size;
  if (!transfer.decodes()) return transfer.take_body({data, size}) ? size : CURL_WRITEFUNC_ERROR;
  if (!transfer.inflater_) {
    const std::string* encoding = find_header(transfer.response_.headers, "Content-Encoding");
    const std::string said = encoding == nullptr ? "" : base::lower_case(*encoding);
    transfer.inflater_.emplace(format_of(transfer.request_.must_be_encoded ? transfer.request_.accept_encoding : said));
  }
  const bool sound =
      transfer.inflater_->take({data, size}, [&](std::string_view plain) { return transfer.take_body(plain); });
  transfer.undecodable_ = !sound && !transfer.too_large_;
  return sound ? size : CURL_WRITEFUNC_ERROR;
}

// False if there was more than is wanted, or enough of it.
bool CurlHttpClient::Multi::Transfer::take_body(std::string_view bytes) {
  std::string& body = response_.body;
  body.append(bytes.substr(0, request_.body_limit - body.size()));
  response_.body_size += bytes.size();
  too_large_ = response_.body_size > request_.body_limit && !request_.counts_rest;
  if (too_large_) response_.body_size = request_.body_limit;
  enough_ = !too_large_ && request_.enough && request_.enough(body);
  return !too_large_ && !enough_;
}

// Why the body cannot be decoded to its end; "" if it can.
std::string CurlHttpClient::Multi::Transfer::finish_decoding() {
  const std::string* encoding = find_header(response_.headers, "Content-Encoding");
  if (!decodes() && request_.must_be_encoded && (encoding == nullptr || *encoding != request_.accept_encoding))
    return "the body is not compressed with " + request_.accept_encoding;
  if (!decodes()) return "";
  const int status = response_.status;
  const bool bodiless = request_.method == "HEAD" || status == 204 || status == 304;
  if (!inflater_)
    return request_.must_be_encoded && !bodiless ? "the body is empty, not " + request_.accept_encoding : "";
  if (undecodable_)
    return inflater_->begun() ? "the body is broken in the middle of its compressed data"
                              : "the body is not compressed with " + request_.accept_encoding;
  if (!inflater_->complete() && !inflater_->begun())
    return "the body is not compressed with " + request_.accept_encoding;
  return inflater_->complete() ? "" : "the body ends in the middle of its compressed data";
}

}  // namespace http
