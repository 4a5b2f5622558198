# SPDX-License-Identifier: GPL-2.0-only
"""The Python module, with rill.ko loaded.  Prints TAP."""

import array
import asyncio
import errno
import os
import selectors
import signal
import socket
import sys
import threading
import unittest
import warnings

import rill

NAME = f"test/python/{os.getpid()}"


class Sockets(unittest.TestCase):
    def setUp(self):
        signal.alarm(120)	# a hang is a failure

    def test_stream(self):
        with rill.listen(NAME) as server, rill.connect(NAME) as client:
            connection, name = server.accept()
            with connection:
                self.assertEqual(name, "")
                self.assertEqual(server.getsockname(), NAME)
                self.assertEqual(client.getpeername(), NAME)
                self.assertEqual(connection.getsockname(), NAME)
                self.assertEqual(connection.family, rill.family())
                client.sendall(b"x" * 100000)
                got = b""
                while len(got) < 100000:
                    got += connection.recv(65536)
                self.assertEqual(got, b"x" * 100000)
                with connection.makefile("rw") as stream:
                    client.sendall(b"a line\n")
                    self.assertEqual(stream.readline(), "a line\n")
                client.close()
                self.assertEqual(connection.recv(1), b"")

    def test_seqpacket(self):
        with rill.listen(NAME, socket.SOCK_SEQPACKET) as server, \
                rill.connect(NAME, socket.SOCK_SEQPACKET) as client:
            connection, _ = server.accept()
            with connection:
                client.send(b"one")
                client.send(b"three")
                self.assertEqual(connection.recv(100), b"one")
                self.assertEqual(connection.recv(100), b"three")

    def test_datagram(self):
        with rill.datagram(NAME) as a, rill.datagram() as b:
            self.assertEqual(b.sendto(b"hello", NAME), 5)
            data, name = a.recvfrom(100)
            self.assertEqual((data, name), (b"hello", b.getsockname()))
            a.sendto(b"back", socket.MSG_DONTWAIT, name)
            buffer = bytearray(10)
            self.assertEqual(b.recvfrom_into(buffer), (4, NAME))
            self.assertEqual(buffer[:4], b"back")
            b.sendto(b"", NAME)
            self.assertEqual(a.recvfrom(10), (b"", b.getsockname()))
            b.sendto(b"long one", NAME)
            self.assertEqual(a.recvfrom(4)[0], b"long")
            # Items of a buffer are not its bytes, and a number is no data.
            b.sendto(array.array("I", [1, 2, 3]), NAME)
            numbers = array.array("I", [0] * 3)
            self.assertEqual(a.recvfrom_into(numbers), (12, b.getsockname()))
            self.assertEqual(list(numbers), [1, 2, 3])
            with self.assertRaises(TypeError):
                b.sendto(5, NAME)

    def test_pair_and_dup(self):
        a, b = rill.socketpair()
        with a, b, a.dup() as c:
            c.sendall(b"through the twin")
            self.assertEqual(b.recv(100), b"through the twin")
            self.assertIsInstance(c, rill.Socket)

    def test_errors(self):
        with self.assertRaises(ConnectionRefusedError):
            rill.connect(NAME)
        with rill.listen(NAME):
            with self.assertRaises(OSError) as caught:
                rill.listen(NAME)
            self.assertEqual(caught.exception.errno, errno.EADDRINUSE)
            with rill.Socket(socket.SOCK_SEQPACKET) as s:
                self.assertEqual(s.connect_ex(NAME), errno.EPROTOTYPE)
        with self.assertRaises(OSError) as caught:
            rill.connect("x" * 124)
        self.assertEqual(caught.exception.errno, errno.ENAMETOOLONG)
        with self.assertRaises(ValueError):
            rill.connect("nul\0inside")
        with rill.Socket() as s, self.assertRaises(OSError) as caught:
            s.getpeername()
        self.assertEqual(caught.exception.errno, errno.ENOTCONN)

    def test_odd_names(self):
        odd = "späti/" + os.fsdecode(b"\xff\xfe")
        with rill.listen(odd) as server, rill.connect(odd) as client:
            self.assertEqual(server.getsockname(), odd)
            self.assertEqual(client.getpeername(), odd)

    def test_time_outs(self):
        with rill.listen(NAME, backlog=0) as server:
            server.settimeout(0.05)
            with self.assertRaises(TimeoutError):
                server.accept()
            # One fits into the queue; the next stands in line until it is over.
            with rill.connect(NAME), rill.Socket() as late:
                with self.assertRaises(TimeoutError):
                    rill.connect(NAME, timeout=0.05)
                late.settimeout(0.05)
                self.assertEqual(late.connect_ex(NAME), errno.EAGAIN)
        with rill.datagram() as s:
            s.settimeout(0.05)
            with self.assertRaises(TimeoutError):
                s.recvfrom(1)
            s.setblocking(False)
            with self.assertRaises(BlockingIOError):
                s.recvfrom(1)

    def test_waiting_line(self):
        with rill.listen(NAME, backlog=0) as server, rill.connect(NAME):
            results = []

            def late():
                with rill.connect(NAME, timeout=60) as s:
                    results.append(s.recv(10))

            thread = threading.Thread(target=late)
            thread.start()
            server.accept()[0].close()
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"at last")
            thread.join()
            self.assertEqual(results, [b"at last"])

    def test_selectors(self):
        a, b = rill.socketpair()
        with a, b, selectors.DefaultSelector() as selector:
            selector.register(b, selectors.EVENT_READ)
            self.assertEqual(selector.select(0), [])
            a.send(b"!")
            self.assertEqual(len(selector.select(60)), 1)

    def test_options(self):
        with rill.Socket() as s:
            s.setsockopt(rill.SOL_RILL, rill.RILL_MODE, 0o600)
            self.assertEqual(s.getsockopt(rill.SOL_RILL, rill.RILL_MODE), 0o600)


class Asyncio(unittest.TestCase):
    def setUp(self):
        signal.alarm(120)

    def test_streams(self):
        async def echo(reader, writer):
            while data := await reader.read(1000):
                writer.write(data)
                await writer.drain()
            writer.close()

        async def client(number):
            reader, writer = await rill.open_connection(NAME)
            text = f"client {number}\n".encode() * 1000
            writer.write(text)
            writer.write_eof()
            self.assertEqual(await reader.read(), text)
            writer.close()
            await writer.wait_closed()

        async def main():
            server = await rill.start_server(echo, NAME, backlog=1)
            async with server:
                # More than the accept queue holds: some stand in line.
                await asyncio.gather(*(client(i) for i in range(50)))

        asyncio.run(main())

    def test_refused(self):
        with self.assertRaises(ConnectionRefusedError):
            asyncio.run(rill.open_connection(NAME))


    def test_wrong_options(self):
        async def main():
            with self.assertRaises(TypeError):
                await rill.start_server(None, NAME, nonsense=1)
            # Nobody holds the name any more, nor a connection to another.
            with rill.listen(NAME) as server:
                with self.assertRaises(TypeError):
                    await rill.open_connection(NAME, nonsense=1)
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(60)
                    self.assertEqual(connection.recv(1), b"")

        # A socket that is left to the garbage collection is told of.
        with warnings.catch_warnings(record=True) as unclosed:
            warnings.simplefilter("always", ResourceWarning)
            asyncio.run(main())
        self.assertEqual([str(w.message) for w in unclosed], [])


class Tap(unittest.TextTestResult):
    count = 0

    def _point(self, word, test, text=""):
        Tap.count += 1
        print(f"{word} {Tap.count} {test.id()}")
        for line in text.splitlines():
            print(f"# {line}")
        sys.stdout.flush()

    def addSuccess(self, test):
        self._point("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._point("not ok", test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._point("not ok", test, self.errors[-1][1])


if __name__ == "__main__":
    print("TAP version 13")
    program = unittest.main(exit=False, verbosity=0, testRunner=unittest.TextTestRunner(
        resultclass=Tap, stream=open(os.devnull, "w", encoding="utf-8")))
    print(f"1..{Tap.count}")
    sys.exit(not program.result.wasSuccessful() or Tap.count == 0)
