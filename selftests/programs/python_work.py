# SPDX-License-Identifier: GPL-2.0-only
"""Servers of Python's own library, and their clients: checks what comes back and
prints a name and calls a second for each."""
import asyncio
import hashlib
import multiprocessing
import multiprocessing.managers
import os
import socket
import socketserver
import sys
import threading
import time

TMP, PORT = sys.argv[1], int(sys.argv[2])
CALLS = 500


class Sum(socketserver.StreamRequestHandler):
    """A line of text, its sum back."""

    def handle(self):
        assert self.client_address[0] == "127.0.0.1", self.client_address
        for line in self.rfile:
            self.wfile.write(hashlib.sha256(line.strip()).hexdigest().encode() + b"\n")


def ask(sock, calls):
    file = sock.makefile("rwb", 0)
    for i in range(calls):
        text = b"line %d" % i
        file.write(text + b"\n")
        assert file.readline().strip().decode() == hashlib.sha256(text).hexdigest()


def timed(name, calls, function, *args):
    begin = time.monotonic()
    function(*args)
    print(name, round(calls / (time.monotonic() - begin)), flush=True)


def with_socketserver():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", PORT), Sum)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def clients():
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", PORT)) as sock:
                assert sock.getpeername() == ("127.0.0.1", PORT)
                ask(sock, CALLS // 5)

    timed("socketserver", CALLS, clients)
    server.shutdown()
    server.server_close()


async def with_asyncio():
    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    path = os.path.join(TMP, "asyncio.sock")
    server = await asyncio.start_unix_server(serve, path)
    begin = time.monotonic()

    async def client(number):
        reader, writer = await asyncio.open_unix_connection(path)
        for i in range(CALLS // 10):
            writer.write(b"client %d call %d\n" % (number, i))
            assert await reader.readline() == b"CLIENT %d CALL %d\n" % (number, i)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client(n) for n in range(10)))
    print("asyncio", round(CALLS / (time.monotonic() - begin)), flush=True)
    server.close()
    await server.wait_closed()


def with_manager():
    with multiprocessing.managers.SyncManager() as manager:
        numbers = manager.dict()

        def calls():
            for i in range(CALLS):
                numbers[i] = i * i
            assert sum(numbers.values()) == sum(i * i for i in range(CALLS))

        timed("multiprocessing", CALLS, calls)


with_socketserver()
asyncio.run(with_asyncio())
with_manager()
