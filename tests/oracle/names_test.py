#!/usr/bin/env python3
"""Debian's blackbox exporter and the agent's /probe over names with addresses of both families, by a name server of our own:
which address is chosen, preferred_ip_protocol and the fallback; Host, SNI, cookies and credentials over redirects between
names. What a server was sent decides how long its answer is, so that equal metrics mean equal requests. FETTLE names the agent.

It runs in a network of its own (root, or it is skipped): the name server wants port 53."""
import concurrent.futures
import itertools
import os
import pathlib
import subprocess
import sys
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"), str(HERE / "blackbox")]
import blackbox_test as oracle  # noqa: E402
import lib  # noqa: E402
import peers as p  # noqa: E402

INSIDE = "FETTLE_NAMES_INSIDE"
FOUR, SIX = "127.0.0.2", "fd00::2"
LINK = "fe80::1"  # an address of one link, of loopback here
RECORDS = {"both.test": (FOUR, SIX), "four.test": (FOUR,), "six.test": (SIX,), "shop.test": (FOUR, SIX), "www.shop.test": (FOUR, SIX),
           "other.example": (FOUR, SIX)}
NO_ADDRESS = r"none\.test, .*|six\.test, .*ip4_only|four\.test, .*(ip6|any)_only"
LENGTHS = r"probe_http_(content_length|uncompressed_body_length)"
DIFFERENCES = [
    (r".*", r"probe_tls_cipher_info\{.*\}", "exporters from 0.25 on have it, too"),
    (r".*", r"probe_ssl_last_chain_expiry_timestamp_seconds", "their issue 653: -62135596800 where no chain was verified"),
    (NO_ADDRESS, r"probe_ip_(protocol|addr_hash)", "theirs says 0 where a name has no address; ours says nothing"),
    (NO_ADDRESS, r"probe_http_\w+(\{.*\})?", "ours has what it always has, as for every other failure"),
    (r"zone '%none0'.*", r"probe_ip_(protocol|addr_hash)", "theirs tells the address of a link that is not there; ours says nothing"),
    (r"redirect 25 .*", r"probe_ip_(protocol|addr_hash)", "theirs tells the address of the first host; ours that of the answer"),
    (r"redirect \d+ of echo_(login|bearer)", LENGTHS, "ours sends credentials to no other host"),
    (r"redirect (6|16) of echo_sni", LENGTHS, "ours keeps server_name for the same host under another port"),
    (r"redirect \d+ of echo_cookie", LENGTHS, "theirs asks by address, so that its own Cookie header is dropped for the very name"),
    (r"redirect 10 of .*", LENGTHS, "likewise: a cookie that the name set is not sent to it"),
]
FAMILIES = {
    "default": "", "ip4": "preferred_ip_protocol: ip4", "ip6": "preferred_ip_protocol: ip6",
    "ip4_only": "preferred_ip_protocol: ip4, ip_protocol_fallback: false",
    "ip6_only": "preferred_ip_protocol: ip6, ip_protocol_fallback: false",
    "any_only": "ip_protocol_fallback: false",
}


def in_own_network():
    if os.environ.get(INSIDE):
        return
    if os.geteuid() != 0:
        print("skipped: only root has a network of its own")
        sys.exit(lib.SKIPPED)
    if subprocess.run(["unshare", "--net", "--mount", "true"], stderr=subprocess.DEVNULL).returncode:
        print("skipped: no network of its own can be made here")
        sys.exit(lib.SKIPPED)
    os.execvpe("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})


def set_up_network(where):
    for command in (["ip", "link", "set", "lo", "up"], ["ip", "addr", "add", f"{SIX}/128", "dev", "lo"],
                    ["ip", "addr", "add", f"{LINK}/64", "dev", "lo"]):
        subprocess.run(command, check=True)
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\n"), ("hosts", "127.0.0.1 localhost\n"), ("nsswitch.conf", "hosts: files dns\n")):
        (where / name).write_text(text)
        subprocess.run(["mount", "--bind", where / name, f"/etc/{name}"], check=True)


def modules():
    lines = ["modules:"]
    for name, keys in FAMILIES.items():
        lines.append(f"  http_{name}: {{prober: http, timeout: 2s, http: {{{keys}}}}}")
        lines.append(f"  tcp_{name}: {{prober: tcp, timeout: 2s, tcp: {{{keys}}}}}")
        lines.append(f"  icmp_{name}: {{prober: icmp, timeout: 2s, icmp: {{{keys}}}}}")
        more = f", {keys}" if keys else ""
        lines.append(f"  dns_{name}: {{prober: dns, timeout: 2s, dns: {{query_name: both.test, query_type: AAAA{more}}}}}")
    tls = "tls_config: {insecure_skip_verify: true}"
    for name, keys in {"plain": "", "host": "headers: {Host: named.test}", "login": "basic_auth: {username: shop, password: s3cret}",
                       "bearer": "bearer_token: t0ken", "cookie": "headers: {Cookie: own=1}", "no_redirects": "follow_redirects: false",
                       "post": "method: POST, body: hello"}.items():
        lines.append(f"  echo_{name}: {{prober: http, timeout: 2s, http: {{{keys + ', ' if keys else ''}{tls}}}}}")
    lines.append("  echo_sni: {prober: http, timeout: 2s, http: {tls_config: {insecure_skip_verify: true, server_name: sni.test}}}")
    lines.append("  tcp_sni: {prober: tcp, timeout: 2s, tcp: {tls: true, tls_config: {insecure_skip_verify: true}}}")
    return "\n".join(lines) + "\n"


def echo(redirects):
    """Answers with as many bytes as the request asks for, so to say; /to/N sends on to redirects[N], with its headers."""

    async def serve(reader, writer):
        head = (await p.read_request(reader)).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, path, _ = first.split(" ", 2)
        number = path[4:].split("?")[0]
        if path.startswith("/to/") and number.isdigit():
            where, *headers = redirects[int(number)]
            writer.write(p.answer(b"302 Found", b"", b"Location: " + where.encode(), *(each.encode() for each in headers)))
            return
        told = sorted(line for line in lines if line.lower().startswith(("host:", "cookie:", "authorization:", "content-length:")))
        tls = writer.get_extra_info("ssl_object")
        text = repr([method, path, told, getattr(tls, "asked_name", None) if tls else "plain"])
        writer.write(p.answer(b"200 OK", b"x" * (zlib.crc32(text.encode()) % 20_000), content_type=b"text/plain"))

    return serve


def family_cases(ports):
    four, six, both, dns = ports
    names = ["both.test", "four.test", "six.test", "none.test"]
    for family, name in itertools.product(FAMILIES, names):
        for kind, port in (("IPv4", four), ("IPv6", six), ("both", both)):
            yield f"{name}, {kind} listens, {family}", f"http_{family}", f"http://{name}:{port}/"
            yield f"{name}, {kind} listens, {family}", f"tcp_{family}", f"{name}:{port}"
        yield f"{name}, {family}", f"icmp_{family}", name
        yield f"{name}, {family}", f"dns_{family}", f"{name}:{dns}"


def request_cases(plain, tls, count):
    modules_ = ["echo_plain", "echo_host", "echo_login", "echo_bearer", "echo_cookie", "echo_sni", "echo_post", "echo_no_redirects"]
    for module in modules_:
        for url in (f"http://shop.test:{plain}/", f"https://shop.test:{tls}/a?b=c", f"https://{FOUR}:{tls}/", f"https://[{SIX}]:{tls}/",
                    f"http://u:p@shop.test:{plain}/", f"http://SHOP.test:{plain}", f"http://shop.test.:{plain}/x/../y", f"https://shop.test.:{tls}/"):
            yield f"{url}", module, url
        for number in range(count):
            yield f"redirect {number} of {module}", module, f"http://shop.test:{plain}/to/{number}"
    for target in (f"shop.test:{tls}", f"{FOUR}:{tls}", f"[{SIX}]:{tls}"):
        yield target, "tcp_sni", target


def zone_cases(plain, tls, dns):
    for zone in ("%lo", "%none0", ""):
        yield f"zone '{zone}'", "tcp_default", f"[{LINK}{zone}]:{plain}"
        yield f"zone '{zone}'", "icmp_default", f"{LINK}{zone}"
        yield f"zone '{zone}'", "dns_default", f"[{LINK}{zone}]:{dns}"
        for module in ("echo_plain", "echo_host"):
            yield f"zone '{zone}', http", module, f"http://[{LINK}{zone.replace('%', '%25')}]:{plain}/"
            yield f"zone '{zone}', https", module, f"https://[{LINK}{zone.replace('%', '%25')}]:{tls}/"


def redirects(plain, tls):
    """Where, and what else the redirect says."""
    http = lambda name, path="/": f"http://{name}:{plain}{path}"  # noqa: E731
    https = lambda name, path="/": f"https://{name}:{tls}{path}"  # noqa: E731
    set_ = lambda text: f"Set-Cookie: {text}"  # noqa: E731
    return [
        (http("shop.test"), set_("a=1")), (http("www.shop.test"), set_("a=1")), (http("www.shop.test"), set_("a=1; Domain=shop.test")),
        (http("other.example"), set_("a=1")), (http("other.example"), set_("a=1; Domain=other.example")), (http("shop.test"), set_("a=1; Domain=test")),
        (https("shop.test"), set_("a=1; Secure")), (http("shop.test"), set_("a=1; Secure")), (http("shop.test"), set_("a=1; Max-Age=0")),
        (http("shop.test"), set_("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT")), (http("shop.test", "/x/y"), set_("a=1; Path=/x")),
        (http("shop.test", "/xy"), set_("a=1; Path=/x")), (http("shop.test"), set_("a=1"), set_("b=2; HttpOnly"), set_("a=3")),
        (http("shop.test"), set_('a="quoted text"')), (http("shop.test"), set_("=nameless")), (http("shop.test"), set_("a=")),
        (https("shop.test"),), (https("other.example"),), (http("other.example"),), (http("www.shop.test"),), ("//shop.test:%d/z" % plain,),
        ("relative",), ("?only=query",), (http("both.test", "/to/0"), set_("own=2")), (f"http://u:p@shop.test:{plain}/",),
        (f"http://{FOUR}:{plain}/", set_("a=1")), (http("shop.test", "/to/2"), set_("first=1")), ("/to/0", set_("deep=1")),
    ]


def main():
    in_own_network()
    exporter_program, dnsmasq = lib.need("prometheus-blackbox-exporter", "dnsmasq")
    lib.need("openssl", "ip")
    with lib.folder() as where, p.Peers(where) as peers:
        set_up_network(where)
        (where / "modules.yml").write_text(modules())
        four, six, both = (peers.listen(p.http(p.answer()), hosts=hosts) for hosts in ((FOUR,), (SIX,), (FOUR, SIX)))
        sent = []
        plain = peers.listen(echo(sent), hosts=(FOUR, SIX))
        tls = peers.listen(echo(sent), "good", hosts=(FOUR, SIX))
        link_plain, link_tls = peers.listen(echo([]), hosts=(f"{LINK}%lo",)), peers.listen(echo([]), "good", hosts=(f"{LINK}%lo",))
        sent += redirects(plain, tls)
        exporter_port, dns_port = lib.free_ports(2)
        records = [f"--host-record={name},{','.join(addresses)}" for name, addresses in RECORDS.items()]
        server = [dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=", "--pid-file=", "--bind-interfaces",
                  "--local=/test/example/", "--log-facility=-", *records]
        names = lib.Process(where, "dnsmasq", [*server, "--listen-address=127.0.0.1", "--port=53"])
        asked = lib.Process(where, "dnsmasq-asked", [*server, f"--listen-address={FOUR}", f"--listen-address={SIX}", f"--listen-address={LINK}", f"--port={dns_port}"])
        exporter = lib.Process(where, "exporter", [exporter_program, f"--config.file={where}/modules.yml", f"--web.listen-address=127.0.0.1:{exporter_port}"])
        agent = lib.Agent(where, "blackbox: {config_file: modules.yml, targets: ['*']}\n")
        with names, asked, exporter, agent:
            exporter_url = f"http://127.0.0.1:{exporter_port}"
            lib.wait_for("the exporter to listen", lambda: lib.get(f"{exporter_url}/-/healthy"))
            lib.wait_for("the name server", lambda: oracle.ask(exporter_url, "tcp_ip4", f"both.test:{both}")["probe_success"] == 1)
            all_cases = [*family_cases((four, six, both, dns_port)), *request_cases(plain, tls, len(sent)),
                         *zone_cases(link_plain, link_tls, dns_port)]
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                theirs = list(pool.map(lambda c: oracle.ask(exporter_url, c[1], c[2]), all_cases))
                ours = list(pool.map(lambda c: oracle.ask(agent.url, c[1], c[2]), all_cases))
            oracle.DIFFERENCES[:] = DIFFERENCES
            used, lines, equal = set(), [], 0
            for (name, module, target), a, b in zip(all_cases, theirs, ours):
                new = oracle.compare(name, module, target, a, b, used)
                equal += not new
                lines += new
            lines += [f"  NO LONGER: {known[0]}: {known[1]}: {known[2]}" for known in DIFFERENCES if known not in used]
            print("\n".join(lines))
            print(f"{equal} of {len(all_cases)} targets are answered alike, {sum(a['probe_success'] for a in theirs):g} of them are up, "
                  f"with {len(used)} differences that are listed")
            return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
