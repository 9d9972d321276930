"""The servers that the stress of replacements looks at: HTTP (kept or not), HTTPS, TCP with a greeting, unix sockets, a name
server, and peers of held connections. Each answers after 0 to 450 ms, unless `hold()` is on: then answers wait, and all go
out in the moment of `release()`."""
import asyncio
import random
import resource
import ssl
import subprocess
import threading

SLOWEST = 0.45


def make_certificate(where):
    key, certificate = where / "peer.key", where / "peer.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                    "-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    return key, certificate


class Peers:
    """Runs in a thread of its own. `ports` by name: http, https, tcp, held, dns, hook; `many` more that are like tcp and held."""

    def __init__(self, where, seed, many):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.where, self.random = where, random.Random(seed)
        self.ports, self.waiting, self.answered = {}, 0, 0
        self.tcp_ports, self.held_ports, self.many = [], [], many
        self.sockets = {name: where / f"{name}.sock" for name in ("http", "line")}
        self.held = set()
        self.loop = asyncio.new_event_loop()
        self.open = None
        ready = threading.Event()
        threading.Thread(target=self.run, args=(ready,), daemon=True).start()
        ready.wait()

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.listen())
        ready.set()
        self.loop.run_forever()

    async def listen(self):
        self.open = asyncio.Event()
        self.open.set()
        key, certificate = make_certificate(self.where)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        for name, speak, context in (("http", self.speak_http, None), ("https", self.speak_http, tls), ("hook", self.speak_http, None),
                                     ("tcp", self.speak_tcp, None), ("held", self.speak_held, None)):
            server = await asyncio.start_server(self.guarded(speak), "127.0.0.1", 0, ssl=context, backlog=1000)
            self.ports[name] = server.sockets[0].getsockname()[1]
        for speak, ports in ((self.speak_tcp, self.tcp_ports), (self.speak_held, self.held_ports)):
            for _ in range(self.many):
                server = await asyncio.start_server(self.guarded(speak), "127.0.0.1", 0)
                ports.append(server.sockets[0].getsockname()[1])
        await asyncio.start_unix_server(self.guarded(self.speak_http), self.sockets["http"], backlog=1000)
        await asyncio.start_unix_server(self.guarded(self.speak_line), self.sockets["line"], backlog=1000)
        transport, _ = await self.loop.create_datagram_endpoint(lambda: NameServer(self), ("127.0.0.1", 0))
        self.ports["dns"] = transport.get_extra_info("sockname")[1]

    def guarded(self, speak):
        async def serve(reader, writer):
            try:
                await speak(reader, writer)
            except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
                pass  # the agent may go at any moment
            finally:
                writer.close()
        return serve

    async def delay(self):
        await asyncio.sleep(self.random.choice((0, 0, 0.01, SLOWEST * self.random.random())))
        self.waiting += 1
        await self.open.wait()
        self.waiting -= 1
        self.answered += 1

    async def speak_http(self, reader, writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            await self.delay()
            keep = b"connection: close" not in head and self.random.random() > 0.05
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%s\r\nok" % (b"" if keep else b"Connection: close\r\n"))
            await writer.drain()
            if not keep:
                return

    async def speak_tcp(self, reader, writer):
        await self.delay()
        writer.write(b"hello\n")
        await writer.drain()
        await reader.read()

    async def speak_line(self, reader, writer):
        await reader.readline()
        await self.delay()
        writer.write(b"ok\n")
        await writer.drain()

    async def speak_held(self, reader, writer):
        self.held.add(writer)
        try:
            await reader.read()
        finally:
            self.held.discard(writer)

    # From other threads.

    def hold(self):
        self.loop.call_soon_threadsafe(self.open.clear)

    def release(self):
        """Returns when all that waited has been written."""
        async def let_go():
            self.open.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        asyncio.run_coroutine_threadsafe(let_go(), self.loop).result()

    def drop_held(self, share):
        """Closes some of the held connections, as a crash of their server would."""
        async def drop():
            for writer in [w for w in self.held if self.random.random() < share]:
                writer.transport.abort()
        asyncio.run_coroutine_threadsafe(drop(), self.loop).result()


class NameServer(asyncio.DatagramProtocol):
    """Each name is 127.0.0.1."""

    def __init__(self, peers):
        self.peers, self.transport, self.tasks = peers, None, set()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, question, sender):
        task = self.peers.loop.create_task(self.answer(question, sender))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def answer(self, question, sender):
        await self.peers.delay()
        end = question.index(b"\0", 12) + 5  # name, type, class
        record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x01\0\x04\x7f\0\0\x01"
        self.transport.sendto(question[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0" + question[12:end] + record, sender)
