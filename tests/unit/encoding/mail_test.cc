// Mail as RFC 5322, 2045 and 2047 have it. The values were read back by Python's email package.
#include "encoding/mail.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

std::string addresses(std::string_view list) {
  const auto parsed = encoding::parse_mail_addresses(list);
  if (!parsed) return parsed.error().text;
  std::string out;
  for (const encoding::MailAddress& each : *parsed) out += "[" + each.name + "|" + each.mailbox + "]";
  return out;
}

}  // namespace

TEST_CASE("addresses are read as people write them") {
  CHECK(addresses("a@b") == "[|a@b]");
  CHECK(addresses("a@b, On Call <c@d.e> ,") == "[|a@b][On Call|c@d.e]");
  CHECK(addresses(R"("Shop, Ops \"night\"" <a@b>,c@d)") == R"([Shop, Ops "night"|a@b][|c@d])");
  CHECK(addresses("<a@b>") == "[|a@b]");
  CHECK(addresses("") == "there is no mail address");
  CHECK(addresses("ops") == "'ops' is no mail address: write NAME@HOST or Name <NAME@HOST>");
  for (const char* bad : {"a b@c", "a@b>\r\nRCPT TO:<x@y", "@b", "a@", "<a@b", "ü@b", "Ops <a@b> x"}) {
    CAPTURE(bad);
    CHECK(addresses(bad).find("is no mail address") != std::string::npos);
  }
}

TEST_CASE("addresses are written so that they are read again") {
  const auto written = [](std::string_view list) {
    return encoding::mail_addresses_header(*encoding::parse_mail_addresses(list));
  };
  CHECK(written("a@b,On Call <c@d>") == "a@b,\r\n On Call <c@d>");
  CHECK(written(R"("Shop, \"Ops\"" <a@b>)") == R"("Shop, \"Ops\"" <a@b>)");
  CHECK(written("Büro <a@b>") == "=?utf-8?q?B=C3=BCro?= <a@b>");
}

TEST_CASE("values of headers stay on one line, and what is not ASCII is encoded") {
  CHECK(encoding::mail_header_value("[PAGE] order is down") == "[PAGE] order is down");
  CHECK(encoding::mail_header_value(" a\r\nBcc: x@y\t") == "a  Bcc: x@y");
  CHECK(encoding::mail_header_value("") == "");
  CHECK(encoding::mail_header_value("Größe = 5_6") == "=?utf-8?q?Gr=C3=B6=C3=9Fe_=3D_5=5F6?=");
  CHECK(encoding::mail_header_value("=?x") == "=?utf-8?q?=3D=3Fx?=");
  const std::string folded = encoding::mail_header_value(std::string(100, 'a') + "ö");
  CHECK(folded == "=?utf-8?q?" + std::string(63, 'a') + "?=\r\n =?utf-8?q?" + std::string(37, 'a') + "=C3=B6?=");
}

TEST_CASE("bodies are quoted-printable") {
  CHECK(encoding::quoted_printable("a = b\nc \n.\n") == "a =3D b\r\nc=20\r\n.\r\n");
  CHECK(encoding::quoted_printable("ü\r\nx\ry") == "=C3=BC\r\nx=0Dy");
  CHECK(encoding::quoted_printable(std::string(80, 'x')) == std::string(75, 'x') + "=\r\nxxxxx");
  CHECK(encoding::quoted_printable(std::string(74, 'x') + "=") == std::string(74, 'x') + "=\r\n=3D");
}

TEST_CASE("a mail is text, HTML, or both with a boundary that stands in neither") {
  CHECK(encoding::make_mail({{"Subject", "s"}}, "t", "", "b") ==
        "Subject: s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\nt\r\n");
  CHECK(encoding::make_mail({}, "", "<p>", "b").find("text/html") != std::string::npos);
  const std::string both = encoding::make_mail({}, "--=_b", "<p>", "b");
  CHECK(both.find("boundary=\"=_b\"") != std::string::npos);
  CHECK(both.find("\r\n\r\n--=3D_b\r\n--=_b\r\n") != std::string::npos);
  CHECK(both.ends_with("\r\n--=_b--\r\n"));
}

TEST_CASE("dates are those of a mail") {
  CHECK(encoding::mail_date(base::wall_from_ms(1'700'000'000'000)) == "Tue, 14 Nov 2023 22:13:20 +0000");
  CHECK(encoding::mail_date(base::wall_from_ms(0)) == "Thu, 01 Jan 1970 00:00:00 +0000");
}
