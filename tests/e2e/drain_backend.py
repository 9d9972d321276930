#!/usr/bin/env python3
"""A backend that takes 10 ms for an order and dies without finishing what it has: PORT PIDFILE."""
import asyncio
import os
import pathlib
import sys


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next((int(l.split(":")[1]) for l in head.split("\r\n") if l.lower().startswith("content-length:")), 0)
            await reader.readexactly(length)
            if not head.split(" ")[1].startswith("/healthz"):
                await asyncio.sleep(0.01)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
            await writer.drain()
            if head.split("\r\n")[0].endswith("HTTP/1.0"):
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=256)
    pathlib.Path(sys.argv[2]).write_text(str(os.getpid()))
    async with server:
        await server.serve_forever()


asyncio.run(main())
