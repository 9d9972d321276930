"""Targets good and bad: one asyncio loop in a thread, each peer a listener on a port of its own. What they do is what
services do when they are broken."""
import asyncio
import base64
import gzip
import socket
import ssl
import struct
import subprocess
import threading
import urllib.parse

OK = b'{"status": "ok", "queue": {"depth": 7}}'


def answer(status=b"200 OK", body=OK, *headers, content_type=b"application/json"):
    lines = [b"HTTP/1.1 " + status, b"Content-Type: " + content_type, b"Content-Length: %d" % len(body),
             b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def read_request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            await reader.readexactly(int(line.split(b":")[1]))
    return head


def http(*parts, pause=0.0):
    """Reads a request, sends the parts, closes."""

    async def serve(reader, writer):
        await read_request(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return serve


def by_header(name, value, good, bad):
    async def serve(reader, writer):
        head = await read_request(reader)
        writer.write(good if (name + b": " + value).lower() in head.lower() else bad)

    return serve


async def consent(reader, writer):
    """Sends everybody to itself with a cookie, until the cookie comes back."""
    head = await read_request(reader)
    writer.write(answer() if b"consent=yes" in head else answer(b"302 Found", b"", b"Set-Cookie: consent=yes", b"Location: /"))


async def silent(reader, writer):
    await reader.read()


async def slow_loris(reader, writer):
    await read_request(reader)
    for byte in answer():
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.2)


def reset_after(data):
    async def serve(reader, writer):
        await read_request(reader)
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return serve


async def endless(reader, writer):
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_header(reader, writer):
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"y" * 8000 + b"\r\n")
        await writer.drain()


def by_address(wanted):
    """Stays only for who comes from that address; resets everybody else."""

    async def serve(reader, writer):
        if writer.get_extra_info("peername")[0] != wanted:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return writer.transport.abort()
        await reader.read()

    return serve


async def dns_answer(reader, writer):
    """One address record for whatever is asked, over TCP or TLS."""
    query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    question = query[12:query.index(b"\0", 12) + 5]
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([10, 0, 0, 7])
    message = query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + question + record
    writer.write(struct.pack(">H", len(message)) + message)
    await writer.drain()
    await reader.read()


def dialogue(*turns):
    """(wait for a line or None, say) in turn; stays until the other side goes."""

    async def serve(reader, writer):
        for waits, says in turns:
            if waits is not None:
                await reader.readline()
            writer.write(says)
            await writer.drain()
        await reader.read()

    return serve


def certificate(folder, name, subject, days, alt):
    """NAME.pem and NAME.key, signed by ca.pem of the folder; days < 0: expired."""
    run = lambda *argv, **kw: subprocess.run(argv, check=True, capture_output=True, cwd=folder, **kw)  # noqa: E731
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out",
        f"{name}.csr", "-subj", subject)
    (folder / f"{name}.ext").write_text(f"subjectAltName={alt}\n" if alt else "")
    when = ["-not_before", "20200101000000Z", "-not_after", "20200201000000Z"] if days < 0 else []
    if when:  # openssl x509 of 3.0 knows no dates; ca does
        (folder / "index.txt").write_text("")
        (folder / "serial").write_text("01\n")
        (folder / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
                                       "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        run("openssl", "ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", f"{name}.csr", "-out",
            f"{name}.pem", "-notext", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extfile", f"{name}.ext")
    else:
        run("openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
            str(days), "-out", f"{name}.pem", "-extfile", f"{name}.ext")


def authority(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=test authority", "-addext",
                    "basicConstraints=critical,CA:TRUE"], check=True, capture_output=True, cwd=folder)


class Peers:
    """Runs until the with-block ends. listen() gives the port."""

    def __init__(self, folder):
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.held = []

    def __enter__(self):
        authority(self.folder)
        certificate(self.folder, "good", "/CN=shop.example", 20, "DNS:shop.example,IP:127.0.0.1")
        certificate(self.folder, "other", "/CN=other.example", 20, "DNS:other.example")
        certificate(self.folder, "named", "/CN=shop.example", 20, "DNS:shop.example")
        certificate(self.folder, "subject", "/CN=shop.example", 20, None)
        certificate(self.folder, "expired", "/CN=shop.example", -1, "DNS:shop.example,IP:127.0.0.1")
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        for each in self.held:
            each.close()

    def context(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        context.set_alpn_protocols(["http/1.1"])

        def remember(connection, name, _):
            connection.asked_name = name

        context.sni_callback = remember
        return context

    def listen(self, serve, tls=None, hosts=("127.0.0.1",)):
        """On one port of all hosts."""
        async def handle(reader, writer):
            try:
                await serve(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                pass
            finally:
                writer.close()

        context = self.context(tls) if tls else None
        port = 0
        for host in hosts:
            start = asyncio.start_server(handle, host, port, ssl=context)
            server = asyncio.run_coroutine_threadsafe(start, self.loop).result(10)
            port = server.sockets[0].getsockname()[1]
        return port

    def starttls(self):
        """An SMTP server that speaks TLS after STARTTLS."""
        context = self.context("good")

        async def serve(reader, writer):
            writer.write(b"220 mail ESMTP\r\n")
            await reader.readline()
            writer.write(b"220 ready\r\n")
            await writer.drain()
            transport = await self.loop.start_tls(writer.transport, writer.transport.get_protocol(), context, server_side=True)
            reader._transport = transport
            writer._transport = transport
            await reader.readline()
            writer.write(b"250 mail\r\n")
            await writer.drain()
            await reader.read()

        return self.listen(serve)

    def token_giver(self):
        """An OAuth 2.0 server: a token for client shop with its secret, in the header or in the body, and its scope."""

        async def serve(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            body = urllib.parse.parse_qs((await reader.readexactly(length)).decode())
            known = b"Basic " + base64.b64encode(b"shop:s3cret") in head
            known |= body.get("client_id") == ["shop"] and body.get("client_secret") == ["s3cret"]
            wanted = body.get("scope") == ["read"] and body.get("audience") == ["shop"]
            if known and wanted and body["grant_type"] == ["client_credentials"]:
                writer.write(answer(b"200 OK", b'{"access_token": "t0ken", "token_type": "bearer", "expires_in": 3600}'))
            else:
                writer.write(answer(b"401 Unauthorized", b'{"error": "invalid_client"}'))

        return self.listen(serve)

    def token_shop(self):
        return self.listen(by_header(b"Authorization", b"Bearer t0ken", answer(), answer(b"401 Unauthorized")))

    def unlistened(self):
        """A port where nobody listens, kept so."""
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        self.held.append(s)
        return s.getsockname()[1]

    def full_queue(self):
        """Connections are neither accepted nor answered once its queue is full."""
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        self.held.append(s)
        for _ in range(3):
            c = socket.socket()
            c.setblocking(False)
            c.connect_ex(s.getsockname())
            self.held.append(c)
        return s.getsockname()[1]


def gzipped(body):
    return answer(b"200 OK", body, b"Content-Encoding: gzip")


GZIPPED = gzipped(gzip.compress(OK))
GZIPPED_TWICE = gzipped(gzip.compress(OK[:9]) + gzip.compress(OK[9:]))
GZIPPED_IN_PART = gzipped(gzip.compress(OK)[:-4])
