#!/usr/bin/env python3
"""Debian's blackbox exporter and the agent's /probe, the same modules file, the same targets: the same metric names, and
equal values for all that is not a time. FETTLE names the agent.

DIFFERENCES lists every deviation with its reason; one that is not needed any more fails the test, too."""
import concurrent.futures
import pathlib
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE / "blackbox")]
import lib  # noqa: E402
import peers as p  # noqa: E402

# Their certificates do not verify.
REFUSED = (r"an unknown authority|another name|expired|TLS over TCP, .*|a certificate for (another than the Host header|no address)"
           r"|a name in the subject only.*")

# (module, target, metric): regular expressions of whole names; and why ours differs.
DIFFERENCES = [
    (r".*", r"probe_tls_cipher_info\{.*\}", "exporters from 0.25 on have it, too"),
    (REFUSED, r"probe_ssl_earliest_cert_expiry",
     "their issue 1119: a certificate that does not verify is the very one whose expiry is asked about"),
    (REFUSED,
     r"probe_(tls_version_info|ssl_last_chain_info)\{.*\}|probe_http_ssl",
     "likewise: the peer did speak TLS"),
    (r"expired, and nobody looks|.*", r"probe_ssl_last_chain_expiry_timestamp_seconds",
     "their issue 653: -62135596800 where no chain was verified; ours is absent then"),
    (r"a Redis that loads", r"probe_failed_due_to_regex",
     "the line that came does not match; theirs says so only if the peer closes before the timeout"),
    (r"a token .*", r'probe_http_duration_seconds\{phase="token"\}', "ours tells how long the token took; theirs hides it"),
    (r"a token that is refused", r'probe_dns_lookup_time_seconds|probe_ip_(protocol|addr_hash)',
     "theirs looks the target up before it asks for a token; ours does not look for what it cannot ask"),
    (r"through a proxy", r'probe_dns_lookup_time_seconds|probe_ip_(protocol|addr_hash)|probe_http_duration_seconds\{phase="resolve"\}',
     "ours tells which proxy it connected to; theirs, told to skip the look-up, tells nothing"),
    (r"an address record over TLS", r"probe_ssl_earliest_cert_expiry|probe_(ssl_last_chain|tls_version)_info\{.*\}",
     "ours tells about the certificate of a name server, too"),
    (r"a header without end|closed in a header", r"probe_http_(content_length|status_code|version)",
     "ours tells what the status line said before the rest of the head was missing"),
    (r"gzip that is cut off", r"probe_failed_due_to_regex", "it was the body that ended; no expression is to blame"),
    (r"a target without a port|a target with a service of no port|a URL with a bad port",
     r"probe_(failed_due_to_regex|dns_lookup_time_seconds|ip_\w+|http_\w+)",
     "ours does not look up or ask what can be no target"),
]

# Answers that servers give and no document has; a body of five bytes in each.
ODD = {name: head + b"\r\n\r\nhello" for name, head in {
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 5",
    "two blanks": b"HTTP/1.1  200 OK\r\nContent-Length: 5",
    "a version in small letters": b"http/1.1 200 OK\r\nContent-Length: 5",
    "another version": b"HTTP/1.2 200 OK\r\nContent-Length: 5",
    "HTTP/2.0 as text": b"HTTP/2.0 200 OK\r\nContent-Length: 5",
    "half a version": b"HTTP/1 200 OK\r\nContent-Length: 5",
    "a status of two digits": b"HTTP/1.1 99 X\r\nContent-Length: 5",
    "a status of four digits": b"HTTP/1.1 1000 X\r\nContent-Length: 5",
    "a status of its own": b"HTTP/1.1 600 X\r\nContent-Length: 5",
    "bytes in the reason": b"HTTP/1.1 200 \xe9\xff\r\nContent-Length: 5",
    "a line end first": b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 5",
    "a byte order mark": b"\xef\xbb\xbfHTTP/1.1 200 OK\r\nContent-Length: 5",
    "one length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5",
    "an empty length": b"HTTP/1.1 200 OK\r\nContent-Length: ",
    "a length that is too short": b"HTTP/1.1 200 OK\r\nContent-Length: 3",
    "a blank in a name": b"HTTP/1.1 200 OK\r\nX Y: z\r\nContent-Length: 5",
    "a blank before the colon": b"HTTP/1.1 200 OK\r\nX : z\r\nContent-Length: 5",
    "a bare CR": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 5",
    "bytes in a name": b"HTTP/1.1 200 OK\r\nX\xe9: a\r\nContent-Length: 5",
    "an older date": b"HTTP/1.1 200 OK\r\nLast-Modified: Wednesday, 21-Oct-15 07:28:00 GMT\r\nContent-Length: 5",
    "C's date": b"HTTP/1.1 200 OK\r\nLast-Modified: Wed Oct 21 07:28:00 2015\r\nContent-Length: 5",
    "no date": b"HTTP/1.1 200 OK\r\nLast-Modified: yesterday\r\nContent-Length: 5",
    "a hint before": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5",
    "chunked in capitals, with an extension": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n5;a=b\r\nhello\r\n0",
    "a trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\nX: y",
}.items()}

TIMES = re.compile(r"probe_(\w+_)?duration_seconds(\{.*\})?|probe_dns_lookup_time_seconds")


def metrics_of(page):
    found = {}
    for line in page.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            name = re.sub(r',serialnumber="[^"]*"', "", name)  # exporters from 0.25 on have it, too
            found[name] = float(value)
    return found


def ask(base, module, target):
    url = f"{base}/probe?" + urllib.parse.urlencode({"module": module, "target": target})
    request = urllib.request.Request(url, headers={"X-Prometheus-Scrape-Timeout-Seconds": "10"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return metrics_of(reply.read().decode())


def cases(peers, dns_port):
    """(name, module, target)"""
    L = peers.listen
    plain = L(p.http(p.answer()))
    text = L(p.http(p.answer(b"200 OK", b"hello", content_type=b"text/plain")))
    chunked = L(p.http(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
    http10 = L(p.http(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello"))
    missing = L(p.http(p.answer(b"404 Not Found")))
    broken = L(p.http(p.answer(b"503 Service Unavailable", b"panic: stack trace")))
    modified = L(p.http(p.answer(b"200 OK", p.OK, b"Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT")))
    draining = L(p.http(p.answer(b"200 OK", p.OK, b"X-State: draining")))
    no_content = L(p.http(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"))
    redirect = L(p.http(p.answer(b"302 Found", b"", b"Location: http://127.0.0.1:%d/" % plain)))
    relative = None
    async def bounce(reader, writer):
        head = await p.read_request(reader)
        writer.write(p.answer() if b"/home" in head.split(b"\r\n")[0] else p.answer(b"301 Moved", b"", b"Location: /home"))
    relative = L(bounce)
    async def loop_forever(reader, writer):
        await p.read_request(reader)
        writer.write(p.answer(b"302 Found", b"", b"Location: /again"))
    loop = L(loop_forever)
    to_closed = L(p.http(p.answer(b"302 Found", b"", b"Location: http://127.0.0.1:%d/" % peers.unlistened())))
    auth = L(p.by_header(b"Authorization", b"Basic c2hvcDpzM2NyZXQ=", p.answer(), p.answer(b"401 Unauthorized")))
    bearer = L(p.by_header(b"Authorization", b"Bearer t0ken", p.answer(), p.answer(b"403 Forbidden")))
    posted = L(p.by_header(b"Content-Type", b"application/json", p.answer(), p.answer(b"415 Unsupported")))
    garbage = L(p.http(b"\x00\x01\x02 this is no HTTP\r\n\r\n"))
    bad_status = L(p.http(b"HTTP/1.1 xyz Oops\r\n\r\n"))
    closes = L(p.http())
    half_header = L(p.http(b"HTTP/1.1 200 OK\r\nContent-Ty"))
    short_body = L(p.http(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nonly this"))
    bad_chunk = L(p.http(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"))
    gz = L(p.http(p.GZIPPED))
    not_gz = L(p.http(p.answer(b"200 OK", p.OK, b"Content-Encoding: gzip")))
    big = L(p.http(p.answer(b"200 OK", b"x" * 100_000, content_type=b"text/plain")))
    slow = L(p.http(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n", b"hello", b"world", pause=0.1))
    good_tls, other_tls, expired_tls = L(p.http(p.answer()), "good"), L(p.http(p.answer()), "other"), L(p.http(p.answer()), "expired")
    named_tls, subject_tls = L(p.http(p.answer()), "named"), L(p.http(p.answer()), "subject")
    auth_tls = L(p.by_header(b"Authorization", b"Basic c2hvcDpzM2NyZXQ=", p.answer(), p.answer(b"401 Unauthorized")), "good")
    auth_to_tls = L(p.http(p.answer(b"301 Moved", b"", b"Location: https://127.0.0.1:%d/" % auth_tls)))
    to_tls = L(p.http(p.answer(b"302 Found", b"", b"Location: https://127.0.0.1:%d/" % good_tls)))
    silent, closed, full = L(p.silent), peers.unlistened(), peers.full_queue()
    banner = L(p.dialogue((None, b"220 mail ESMTP ready\r\n"), ("EHLO", b"250 mail\r\n")))
    redis = L(p.dialogue(("PING", b"+PONG\r\n")))
    loading = L(p.dialogue(("PING", b"-LOADING the dataset\r\n")))
    latin = L(p.http(p.answer(b"200 OK", b"caf\xe9 hello ok", b"X-Name: K\xe4se", content_type=b"text/html; charset=ISO-8859-1")))
    broken_utf8 = L(p.http(p.answer(b"200 OK", b"caf\xed\xa0\x80 hello\xc0\xaf ok\n\xff", content_type=b"text/plain")))
    high_banner = L(p.dialogue((None, b"\x80\x81\xfe\xff READY\r\n")))
    at = lambda port, path="": f"http://127.0.0.1:{port}{path}"  # noqa: E731
    tls = lambda port: f"https://127.0.0.1:{port}"  # noqa: E731
    tcp = lambda port: f"127.0.0.1:{port}"  # noqa: E731
    return [
        ("a good answer", "http_2xx", at(plain)),
        ("a good answer, default settings", "http_default", at(plain)),
        ("a target without a scheme", "http_2xx", tcp(plain)),
        ("a path and a query", "http_2xx", at(plain, "/healthz?deep=1")),
        ("plain text", "http_2xx", at(text)),
        ("chunked", "http_2xx", at(chunked)),
        ("HTTP/1.0 until the end", "http_2xx", at(http10)),
        ("no content", "http_2xx", at(no_content)),
        ("Last-Modified", "http_2xx", at(modified)),
        ("a 404", "http_2xx", at(missing)),
        ("a 404 that is wanted", "http_404", at(missing)),
        ("a 200 where a 404 is wanted", "http_404", at(plain)),
        ("a 503", "http_2xx", at(broken)),
        ("posted", "http_post", at(posted)),
        ("a redirect", "http_2xx", at(redirect)),
        ("a relative redirect", "http_2xx", at(relative)),
        ("a redirect that is the answer", "http_no_redirects", at(redirect)),
        ("a 200 where a redirect is wanted", "http_no_redirects", at(plain)),
        ("a redirect to nowhere", "http_2xx", at(to_closed)),
        ("redirects for ever", "http_2xx", at(loop)),
        ("a redirect to TLS", "http_insecure", at(to_tls)),
        ("the body that is wanted", "http_body", at(plain)),
        ("another body", "http_body", at(text)),
        ("a body that is forbidden", "http_body", at(L(p.http(p.answer(b"200 OK", b'{"status": "ok", "stack trace": 1}'))))),
        ("headers that are wanted", "http_header", at(plain)),
        ("a header that is forbidden", "http_header", at(draining)),
        ("another content type", "http_header", at(text)),
        ("HTTP/1.1 is wanted", "http_11", at(plain)),
        ("HTTP/1.0 where HTTP/1.1 is wanted", "http_11", at(http10)),
        ("HTTP/1.1 where HTTP/2 is wanted", "http_2", at(plain)),
        ("no TLS where it is wanted", "http_not_ssl", at(plain)),
        ("TLS where none is wanted", "http_ssl_is_wrong", tls(good_tls)),
        ("a body within the limit", "http_limit", at(plain)),
        ("a body above the limit", "http_limit", at(big)),
        ("the password", "http_auth", at(auth)),
        ("no password", "http_2xx", at(auth)),
        ("the token", "http_bearer", at(bearer)),
        ("a token that is good", "http_oauth2", at(peers.token_shop())),
        ("a token that is refused", "http_oauth2_unknown", at(peers.token_shop())),
        ("through a proxy", "http_proxy", "http://far.invalid/"),
        ("gzip", "http_gzip", at(gz)),
        ("gzip that is none", "http_gzip", at(not_gz)),
        ("a slow answer", "http_2xx", at(slow)),
        ("nobody listens", "http_2xx", at(closed)),
        ("nobody accepts", "http_2xx", at(full)),
        ("silence", "http_2xx", at(silent)),
        ("slow loris", "http_2xx", at(L(p.slow_loris))),
        ("a header without end", "http_2xx", at(L(p.endless_header))),
        ("closed without a word", "http_2xx", at(closes)),
        ("closed in a header", "http_2xx", at(half_header)),
        ("closed in a body", "http_2xx", at(short_body)),
        ("reset in a body", "http_2xx", at(L(p.reset_after(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly")))),
        ("reset before a word", "http_2xx", at(L(p.reset_after(b"")))),
        ("garbage", "http_2xx", at(garbage)),
        ("a status that is no number", "http_2xx", at(bad_status)),
        ("a chunk without a size", "http_2xx", at(bad_chunk)),
        ("TLS where HTTP is spoken", "http_2xx", at(good_tls)),
        ("HTTP where TLS is spoken", "http_insecure", tls(plain)),
        ("a good certificate", "http_ca", tls(good_tls)),
        ("a good certificate under its name", "http_ca_name", tls(good_tls)),
        ("an unknown authority", "http_2xx", tls(good_tls)),
        ("another name", "http_ca", tls(other_tls)),
        ("expired", "http_ca", tls(expired_tls)),
        ("expired, and nobody looks", "http_insecure", tls(expired_tls)),
        ("a certificate for the Host header", "http_host", tls(named_tls)),
        ("a certificate for another than the Host header", "http_other_host", tls(named_tls)),
        ("a certificate for no address", "http_ca", tls(named_tls)),
        ("a name in the subject only", "http_ca_name", tls(subject_tls)),
        ("a name in the subject only, over TCP", "tcp_tls", tcp(subject_tls)),
        ("lines that end in LF alone", "http_2xx", at(L(p.http(p.answer().replace(b"\r", b""))))),
        ("an answer by hand", "http_2xx", at(L(p.http(b"HTTP/1.1 200 OK\n\nok")))),
        ("a folded header", "http_2xx", at(L(p.http(p.answer(b"200 OK", p.OK, b"X-Policy: a;\r\n  b"))))),
        *((f"an odd answer: {name}", "http_2xx", at(L(p.http(raw)))) for name, raw in ODD.items()),
        ("a long head", "http_2xx", at(L(p.http(p.answer(b"200 OK", p.OK, b"X-Long: " + b"x" * 300_000))))),
        ("a long page", "http_2xx", at(big)),
        ("a redirect that sets a cookie", "http_2xx", at(L(p.consent))),
        ("a redirect to TLS with a password", "http_auth_insecure", at(auth_to_tls)),
        ("a status that nobody else has", "http_999", at(L(p.http(p.answer(b"999 Request denied"))))),
        ("gzip in two parts", "http_gzip", at(L(p.http(p.GZIPPED_TWICE)))),
        ("gzip that is cut off", "http_gzip", at(L(p.http(p.GZIPPED_IN_PART)))),
        ("no gzip where it is wanted", "http_gzip", at(plain)),
        ("a target without a port", "tcp_connect", "mail"),
        ("a target with a service of no port", "tcp_connect", "127.0.0.1:no-such-service"),
        ("a URL with a bad port", "http_2xx", "http://127.0.0.1:port/"),
        ("a port that is open", "tcp_connect", tcp(plain)),
        ("a port that is closed", "tcp_connect", tcp(closed)),
        ("a port whose queue is full", "tcp_connect", tcp(full)),
        ("from another address", "tcp_source", tcp(L(p.by_address("127.0.0.9")))),
        ("TLS over TCP", "tcp_tls", tcp(good_tls)),
        ("TLS 1.3 over TCP", "tcp_tls12", tcp(good_tls)),
        ("TLS over TCP, expired", "tcp_tls", tcp(expired_tls)),
        ("TLS over TCP, another name", "tcp_tls", tcp(other_tls)),
        ("TLS over TCP where none is spoken", "tcp_tls", tcp(redis)),
        ("a banner", "tcp_banner", tcp(banner)),
        ("a banner that does not come", "tcp_banner", tcp(silent)),
        ("Redis", "tcp_redis", tcp(redis)),
        ("a Redis that loads", "tcp_redis", tcp(loading)),
        ("a dialogue that is closed", "tcp_redis", tcp(L(p.dialogue(("PING", b"")) if False else p.http()))),
        ("STARTTLS", "tcp_starttls", tcp(peers.starttls())),
        *((f"bytes that are no UTF-8: {module} of {kind}", module, at(port))
          for kind, port in (("ISO 8859-1", latin), ("surrogates and overlong forms", broken_utf8), ("ASCII", text))
          for module in ("http_foreign_forbidden", "http_foreign_wanted", "http_foreign_whole", "http_foreign_count", "http_foreign_header")),
        ("a banner that is no UTF-8", "tcp_foreign", tcp(high_banner)),
        ("a banner that is no UTF-8, as a whole", "tcp_foreign_whole", tcp(high_banner)),
        ("a ping", "icmp", "127.0.0.1"),
        ("a ping with a payload", "icmp_big", "127.0.0.1"),
        ("a ping from another address", "icmp_source", "127.0.0.1"),
        ("a server's version, of class CH", "dns_version", tcp(dns_port)),
        ("an authority that is wanted", "dns_authority", tcp(dns_port)),
        ("an addition that is forbidden", "dns_additional", tcp(dns_port)),
        ("an address record over TLS", "dns_over_tls", tcp(L(p.dns_answer, "good"))),
        ("DNS over TLS where none is spoken", "dns_over_tls", tcp(dns_port)),
        ("an address record", "dns_a", tcp(dns_port)),
        ("an address record over TCP", "dns_tcp", tcp(dns_port)),
        ("no such name", "dns_missing", tcp(dns_port)),
        ("no such name, and fine", "dns_nxdomain_is_fine", tcp(dns_port)),
        ("an answer that is wanted", "dns_answer", tcp(dns_port)),
        ("an answer that is forbidden", "dns_wrong_answer", tcp(dns_port)),
        ("no name server", "dns_a", tcp(closed)),
        ("a name server that is silent", "dns_tcp", tcp(silent)),
    ]


def compare(name, module, target, theirs, ours, used):
    """Lines about what differs and is not listed."""
    lines = []
    for metric in sorted(theirs.keys() | ours.keys()):
        same = metric in theirs and metric in ours and (TIMES.fullmatch(metric) or theirs[metric] == ours[metric])
        if same:
            continue
        known = next((d for d in DIFFERENCES if re.fullmatch(d[0], name) and re.fullmatch(d[1], metric)), None)
        if known:
            used.add(known)
            continue
        show = lambda page: f"{page[metric]:g}" if metric in page else "absent"  # noqa: E731
        lines.append(f"  {name} ({module} {target}): {metric}: exporter {show(theirs)}, fettle {show(ours)}")
    return lines


def main():
    exporter_program, dnsmasq = lib.need("prometheus-blackbox-exporter", "dnsmasq")
    lib.need("openssl")
    with lib.folder() as where, p.Peers(where) as peers:
        modules = (HERE / "blackbox" / "modules.yml").read_text()
        at = lambda port: f"http://127.0.0.1:{port}/"  # noqa: E731
        (where / "modules.yml").write_text(modules.replace("TOKEN_URL", at(peers.token_giver())).replace("PROXY_URL", at(peers.listen(p.http(p.answer())))))
        exporter_port, dns_port = lib.free_ports(2)
        exporter = lib.Process(where, "exporter", ["env", "-C", where, exporter_program, f"--config.file={where}/modules.yml",
                                                   f"--web.listen-address=127.0.0.1:{exporter_port}"])
        names = lib.Process(where, "dnsmasq", [
            dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=", "--pid-file=",
            "--listen-address=127.0.0.1", "--bind-interfaces", f"--port={dns_port}", "--local=/test/",
            "--address=/shop.test/10.0.0.7", "--log-facility=-"])
        agent = lib.Agent(where, "blackbox: {config_file: modules.yml, targets: ['*']}\n")
        with exporter, names, agent:
            exporter_url = f"http://127.0.0.1:{exporter_port}"
            lib.wait_for("the exporter to listen", lambda: lib.get(f"{exporter_url}/-/healthy"))
            lib.wait_for("dnsmasq to answer", lambda: ask(exporter_url, "dns_a", f"127.0.0.1:{dns_port}")["probe_success"] == 1)
            all_cases = cases(peers, dns_port)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                theirs = list(pool.map(lambda c: ask(exporter_url, c[1], c[2]), all_cases))
                ours = list(pool.map(lambda c: ask(agent.url, c[1], c[2]), all_cases))
            used, lines, equal = set(), [], 0
            for (name, module, target), a, b in zip(all_cases, theirs, ours):
                new = compare(name, module, target, a, b, used)
                equal += not new
                lines += new
            for line in lines:
                print(line)
            for known in DIFFERENCES:
                print(f"  {'known' if known in used else 'NO LONGER'}: {known[0]}: {known[1]}: {known[2]}")
            print(f"{equal} of {len(all_cases)} targets are answered alike, with {len(used)} differences that are listed")
            return 1 if lines or len(used) < len(DIFFERENCES) else 0


if __name__ == "__main__":
    sys.exit(main())
