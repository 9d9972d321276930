#include "probe/net/dns_message.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/number.h"

namespace probe {
namespace {

constexpr std::uint16_t kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kHinfo = 13, kMx = 15, kTxt = 16, kAfsdb = 18,
                        kAaaa = 28, kSrv = 33, kNaptr = 35, kKx = 36, kDname = 39, kOpt = 41, kDs = 43, kSshfp = 44,
                        kDnskey = 48, kTlsa = 52, kSmimea = 53, kCds = 59, kCdnskey = 60, kOpenpgpkey = 61, kSvcb = 64,
                        kHttps = 65, kSpf = 99, kCaa = 257;
struct TypeName {
  std::uint16_t number;
  std::string_view name;
};
// IANA's list, as far as somebody asks for them; OPT is EDNS' own.
constexpr TypeName kTypes[] = {{1, "A"},       {2, "NS"},      {5, "CNAME"},     {6, "SOA"},         {12, "PTR"},
                               {13, "HINFO"},  {15, "MX"},     {16, "TXT"},      {17, "RP"},         {18, "AFSDB"},
                               {24, "SIG"},    {25, "KEY"},    {28, "AAAA"},     {29, "LOC"},        {33, "SRV"},
                               {35, "NAPTR"},  {36, "KX"},     {37, "CERT"},     {39, "DNAME"},      {42, "APL"},
                               {43, "DS"},     {44, "SSHFP"},  {45, "IPSECKEY"}, {46, "RRSIG"},      {47, "NSEC"},
                               {48, "DNSKEY"}, {49, "DHCID"},  {50, "NSEC3"},    {51, "NSEC3PARAM"}, {52, "TLSA"},
                               {53, "SMIMEA"}, {55, "HIP"},    {59, "CDS"},      {60, "CDNSKEY"},    {61, "OPENPGPKEY"},
                               {62, "CSYNC"},  {63, "ZONEMD"}, {64, "SVCB"},     {65, "HTTPS"},      {99, "SPF"},
                               {108, "EUI48"}, {109, "EUI64"}, {249, "TKEY"},    {250, "TSIG"},      {251, "IXFR"},
                               {252, "AXFR"},  {255, "ANY"},   {256, "URI"},     {257, "CAA"},       {32769, "DLV"}};
// Keys of SVCB and HTTPS (RFC 9460, 14.3.2).
constexpr std::array kServiceKeys{"mandatory", "alpn", "no-default-alpn", "port",
                                  "ipv4hint",  "ech",  "ipv6hint",        "dohpath"};
constexpr std::array kRcodes{"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                             "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};
constexpr std::size_t kLongestName = 255;
constexpr std::uint16_t kPayload = 1232;  // fits every path without fragments

// A place in a message. What cannot be read makes it bad, and everything that is read after that is empty.
class Cursor {
 public:
  Cursor(std::string_view message, std::size_t at) : message_(message), at_(at) {}

  std::uint8_t byte() {
    if (at_ >= message_.size()) return bad_ = true, std::uint8_t{0};
    return static_cast<std::uint8_t>(message_[at_++]);
  }
  std::uint16_t u16() {
    const unsigned high = byte();
    return static_cast<std::uint16_t>(high << 8 | byte());
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }
  std::string_view take(std::size_t size) {
    if (bad_ || size > message_.size() - at_) return bad_ = true, std::string_view();
    at_ += size;
    return message_.substr(at_ - size, size);
  }
  // "shop.example.", special characters written as \046. A pointer may only lead back, so that there is an end.
  std::string name() {
    std::string out;
    std::size_t limit = at_;
    std::optional<std::size_t> after;
    for (unsigned size = byte(); size != 0 && !bad_; size = byte()) {
      if (size >= 0xc0) {
        const std::size_t to = (size & 0x3f) << 8 | byte();
        if (bad_ || to >= limit) return bad_ = true, std::string();
        if (!after) after = at_;
        at_ = limit = to;
        continue;
      }
      if (size > 63) return bad_ = true, std::string();
      for (const char c : take(size)) out += escaped(c, ".\\\" ");
      out += '.';
      if (out.size() > 4 * kLongestName) return bad_ = true, std::string();
    }
    if (after) at_ = *after;
    return out.empty() ? "." : out;
  }
  // A text of given length, in quotes.
  static std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) out += escaped(c, "\\\"");
    return out + '"';
  }
  // "\"one\" \"two\"" until `end`.
  std::string texts(std::size_t end) {
    std::string out;
    while (!bad_ && at_ < end) {
      out += out.empty() ? "\"" : " \"";
      for (const char c : take(byte())) out += escaped(c, "\\\"");
      out += '"';
    }
    return out;
  }
  std::size_t at() const { return at_; }
  bool bad() const { return bad_; }
  void spoil() { bad_ = true; }

 private:
  static std::string escaped(char c, std::string_view special) {
    const auto code = static_cast<unsigned char>(c);
    if (code > 0x20 && code < 0x7f && special.find(c) == std::string_view::npos) return {c};
    if (c == ' ' && special.find(c) == std::string_view::npos) return " ";
    return {'\\', static_cast<char>('0' + code / 100), static_cast<char>('0' + code / 10 % 10),
            static_cast<char>('0' + code % 10)};
  }

  std::string_view message_;
  std::size_t at_;
  bool bad_ = false;
};

std::string address(int family, std::string_view bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (bytes.size() != (family == AF_INET ? 4U : 16U)) return "";
  ::inet_ntop(family, bytes.data(), text.data(), text.size());
  return text.data();
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : bytes) {
    const auto code = static_cast<unsigned char>(c);
    out += {digits[code >> 4U], digits[code & 0xfU]};
  }
  return out;
}

// "alpn=\"h2,h3\" port=\"8443\"" until `end`, as the blackbox exporter's library writes them.
std::string service_parameters(Cursor& cursor, std::size_t end) {
  std::string out;
  while (!cursor.bad() && cursor.at() < end) {
    const std::uint16_t key = cursor.u16();
    const std::size_t size = cursor.u16();
    const std::size_t stop = cursor.at() + size;
    std::string value;
    const auto add = [&](const std::string& item) { value += (value.empty() ? "" : ",") + item; };
    while (!cursor.bad() && cursor.at() < stop) {
      if (key == 0) {
        const std::uint16_t must = cursor.u16();
        add(must < kServiceKeys.size() ? kServiceKeys[must] : "key" + std::to_string(must));
      } else if (key == 1) {
        add(std::string(cursor.take(cursor.byte())));
      } else if (key == 3) {
        add(std::to_string(cursor.u16()));
      } else if (key == 4 || key == 6) {
        add(address(key == 4 ? AF_INET : AF_INET6, cursor.take(key == 4 ? 4 : 16)));
      } else if (key == 5) {
        add(base::base64_encode(cursor.take(size)));
      } else {
        add(std::string(cursor.take(size)));
      }
    }
    if (cursor.at() != stop) cursor.spoil();
    out += " " + (key < kServiceKeys.size() ? kServiceKeys[key] : "key" + std::to_string(key)) + "=\"" + value + "\"";
  }
  return out;
}

// Of the types that came later. "" if it is none of them; what cannot be read makes the cursor bad.
std::string newer_value(Cursor& cursor, std::uint16_t type, std::size_t end) {
  std::string value;
  const auto rest = [&] { return cursor.take(end - std::min(end, cursor.at())); };
  const auto numbers = [&](int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += std::to_string(cursor.u16()) + " ";
    return out;
  };
  const auto bytes = [&](int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += std::to_string(cursor.byte()) + " ";
    return out;
  };
  switch (type) {
    case kCaa:
      value = std::to_string(cursor.byte()) + " ";
      value += cursor.take(cursor.byte());
      value += " " + Cursor::quoted(rest());
      break;
    case kNaptr:
      value = numbers(2);
      for (int i = 0; i < 3; ++i) value += Cursor::quoted(cursor.take(cursor.byte())) + " ";
      value += cursor.name();
      break;
    case kDs:
    case kCds: value = numbers(1), value += bytes(2), value += hex(rest()); break;
    case kDnskey:
    case kCdnskey: value = numbers(1), value += bytes(2), value += base::base64_encode(rest()); break;
    case kTlsa:
    case kSmimea: value = bytes(3), value += base::lower_case(hex(rest())); break;
    case kSshfp: value = bytes(2), value += hex(rest()); break;
    case kOpenpgpkey: value = base::base64_encode(rest()); break;
    case kSvcb:
    case kHttps:
      value = numbers(1), value += cursor.name();
      value += service_parameters(cursor, end);
      break;
    default: break;
  }
  return value;
}

DnsRecord read_record(Cursor& cursor) {
  DnsRecord record;
  record.name = cursor.name();
  record.type = cursor.u16();
  record.record_class = cursor.u16();  // of OPT: EDNS' payload size
  record.ttl = cursor.u32();
  const std::size_t size = cursor.u16();
  const std::size_t end = cursor.at() + size;
  const auto numbers = [&](int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += std::to_string(cursor.u16()) + " ";
    return out;
  };
  if (record.type == kOpt) return cursor.take(size), record;
  switch (record.type) {
    case kA: record.value = address(AF_INET, cursor.take(size)); break;
    case kAaaa: record.value = address(AF_INET6, cursor.take(size)); break;
    case kNs:
    case kCname:
    case kDname:
    case kPtr: record.value = cursor.name(); break;
    case kKx:
    case kAfsdb:
    case kMx: record.value = numbers(1), record.value += cursor.name(); break;
    case kSrv: record.value = numbers(3), record.value += cursor.name(); break;
    case kSpf:
    case kHinfo:
    case kTxt: record.value = cursor.texts(end); break;
    case kSoa:
      record.value = cursor.name(), record.value += " " + cursor.name();
      record.serial = cursor.u32();
      record.value += " " + std::to_string(record.serial);
      for (int i = 0; i < 4; ++i) record.value += " " + std::to_string(cursor.u32());
      break;
    default: {
      Cursor inside = cursor;
      const std::string value = newer_value(inside, record.type, end);
      if (value.empty() || inside.bad() || inside.at() != end)
        record.value = "\\# " + std::to_string(size) + " " + hex(cursor.take(size));  // RFC 3597, 5
      else record.value = value, cursor = inside;
      break;
    }
  }
  if (cursor.at() != end || ((record.type == kA || record.type == kAaaa) && record.value.empty())) cursor.spoil();
  return record;
}

constexpr std::array<std::pair<std::uint16_t, const char*>, 5> kClasses{
    {{1, "IN"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "ANY"}}};

std::string class_name(std::uint16_t number) {
  for (const auto& [known, name] : kClasses)
    if (number == known) return name;
  return "CLASS" + std::to_string(number);
}

void put_u16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

}  // namespace

std::optional<std::uint16_t> dns_type_number(std::string_view name) {
  for (const auto& [number, known] : kTypes)
    if (name == known) return number;
  if (!name.starts_with("TYPE")) return std::nullopt;
  return base::read_number<std::uint16_t>(name.substr(4));
}

std::string dns_type_name(std::uint16_t type) {
  for (const auto& [number, known] : kTypes)
    if (type == number) return std::string(known);
  return "TYPE" + std::to_string(type);
}

std::optional<std::uint16_t> dns_class_number(std::string_view name) {
  for (const auto& [number, known] : kClasses)
    if (name == known) return number;
  return std::nullopt;
}

std::string dns_rcode_name(int rcode) {
  const auto index = static_cast<std::size_t>(rcode);
  return index < kRcodes.size() ? kRcodes[index] : "RCODE" + std::to_string(rcode);
}

std::optional<int> dns_rcode(std::string_view name) {
  for (std::size_t i = 0; i < kRcodes.size(); ++i)
    if (name == kRcodes[i]) return static_cast<int>(i);
  return std::nullopt;
}

std::string DnsRecord::text() const {
  return name + "\t" + std::to_string(ttl) + "\t" + class_name(record_class) + "\t" + dns_type_name(type) + "\t" +
         value;
}

base::Result<std::string> dns_query(std::uint16_t id, const DnsQuestion& question) {
  std::string out;
  put_u16(out, id);
  put_u16(out, question.recursion_desired ? 0x0100 : 0);
  for (const unsigned count : {1U, 0U, 0U, 1U}) put_u16(out, count);
  std::string_view rest = question.name;
  if (rest.ends_with('.')) rest.remove_suffix(1);
  const std::size_t before = out.size();
  while (!rest.empty()) {
    const std::string_view label = rest.substr(0, rest.find('.'));
    if (label.empty() || label.size() > 63 || rest.ends_with('.'))
      return base::fail(base::Kind::invalid, "is no name: its parts have 1 to 63 characters");
    out += static_cast<char>(label.size());
    out += label;
    rest.remove_prefix(std::min(label.size() + 1, rest.size()));
  }
  out += '\0';
  if (out.size() - before > kLongestName) return base::fail(base::Kind::invalid, "is longer than a name can be");
  put_u16(out, question.type);
  put_u16(out, question.record_class);
  // EDNS: the root, OPT, the payload that we take, and nothing special.
  out += '\0';
  put_u16(out, kOpt);
  put_u16(out, kPayload);
  for (int i = 0; i < 3; ++i) put_u16(out, 0);
  return out;
}

base::Result<DnsMessage> read_dns_message(std::string_view bytes) {
  Cursor cursor(bytes, 0);
  DnsMessage message;
  message.id = cursor.u16();
  const unsigned flags = cursor.u16();
  message.is_response = (flags & 0x8000) != 0;
  message.truncated = (flags & 0x0200) != 0;
  message.rcode = static_cast<int>(flags & 0xf);
  const unsigned questions = cursor.u16();
  std::array<unsigned, 3> counts{};
  for (unsigned& count : counts) count = cursor.u16();
  for (unsigned i = 0; i < questions && !cursor.bad(); ++i) {
    message.question = cursor.name();
    message.question_type = cursor.u16();
    cursor.u16();
  }
  std::size_t section = 0;
  for (auto* records : {&message.answer, &message.authority, &message.additional}) {
    for (unsigned i = 0; i < counts[section] && !cursor.bad(); ++i) {
      DnsRecord record = read_record(cursor);
      if (!cursor.bad() && record.type != kOpt) records->push_back(std::move(record));
    }
    ++section;
  }
  // One that did not fit may end anywhere.
  if (cursor.bad() && !message.truncated) return base::fail(base::Kind::protocol, "is no DNS message");
  return message;
}

}  // namespace probe
