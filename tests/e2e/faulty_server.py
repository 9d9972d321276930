#!/usr/bin/env python3
"""A service that fails in the way its file says: `faulty_server.py PORT FILE [DEPENDENCY_PORT] [--config=FILE]`. Until FILE is there it answers 200.
evidence_test.py writes into FILE: lock, fifo, leak or queue. It has one thread that answers, as many small services have."""
import os
import pathlib
import resource
import socket
import sys
import threading
import time

port, fault, dependency = int(sys.argv[1]), pathlib.Path(sys.argv[2]), [word for word in sys.argv[3:] if word.isdigit()]
lock, held = threading.Lock(), []
lock.acquire()


def depends():
    for other in dependency:
        try:
            socket.create_connection(("127.0.0.1", int(other)), 1).close()
        except OSError as error:
            return f"503 Service Unavailable\r\nContent-Length: 0\r\nX-Error: {error.errno}"
    return "200 OK\r\nContent-Length: 0"


def fail(kind):
    if kind == "lock":
        lock.acquire()
    if kind == "fifo":
        path = f"{fault}.fifo"
        os.mkfifo(path)
        with open(path, encoding="ascii") as fifo:  # nobody writes
            fifo.read()
    if kind == "leak":
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        try:
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        time.sleep(3600)
    if kind == "queue":
        time.sleep(3600)


server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", port))
server.listen(1)
print("listens", flush=True)
while True:
    client = server.accept()[0]
    if fault.exists():
        fail(fault.read_text(encoding="ascii").strip())
    client.recv(4096)
    client.sendall(f"HTTP/1.1 {depends()}\r\nConnection: close\r\n\r\n".encode())
    client.close()
