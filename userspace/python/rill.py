# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""AF_RILL sockets for Python: rill(7) through librill(3).

CPython's socket module knows the addresses of the families that it was built
for and refuses all others, so the calls that take or give an address go through
the C library here.  Everything else is socket.socket's own: a rill.Socket can be
given to selectors, ssl, asyncio, or multiprocessing.connection's file objects.

A name is a str (bytes that are not UTF-8 as os.fsdecode() has them).

    with rill.listen("app") as server:
        connection, name = server.accept()

    with rill.connect("app", timeout=5) as s:
        s.sendall(b"hello")

    reader, writer = await rill.open_connection("app")
    server = await rill.start_server(client_connected, "app")
"""

import asyncio
import ctypes
import ctypes.util
import errno
import os
import select
import socket
import time

__all__ = ["Socket", "connect", "listen", "datagram", "socketpair", "family",
           "open_connection", "start_server", "SOL_RILL", "RILL_MODE",
           "RILL_OWNER", "RILL_QUEUE", "RILL_BUSY_POLL", "NAME_MAX"]

# <linux/rill.h>
SOL_RILL = 0x524C
RILL_MODE, RILL_OWNER, RILL_QUEUE, RILL_BUSY_POLL = 1, 2, 3, 4
NAME_MAX = 123


class _Address(ctypes.Structure):
    _fields_ = [("family", ctypes.c_uint16), ("flags", ctypes.c_uint16),
                ("name", ctypes.c_char * 124)]


def _load():
    name = os.environ.get("LIBRILL", "librill.so.0")
    try:
        lib = ctypes.CDLL(name, use_errno=True)
    except OSError as err:
        raise ImportError(f"rill: cannot load {name}: install librill0") from err
    lib.rill_addr.argtypes = [ctypes.POINTER(_Address),
                              ctypes.POINTER(ctypes.c_uint32), ctypes.c_char_p]
    lib.rill_addr_name.argtypes = [ctypes.POINTER(_Address), ctypes.c_uint32,
                                   ctypes.c_char_p, ctypes.c_size_t]
    lib.rill_addr_name.restype = ctypes.c_ssize_t
    lib.rill_explain.restype = ctypes.c_char_p
    return lib


_rill = _load()
_libc = ctypes.CDLL(None, use_errno=True)
_libc.recvfrom.restype = ctypes.c_ssize_t
_libc.sendto.restype = ctypes.c_ssize_t


def _error(err=None):
    err = ctypes.get_errno() if err is None else err
    return OSError(err, os.fsdecode(_rill.rill_explain(err)))


def family():
    """The family's number on this machine; OSError if the module is not there."""
    number = _rill.rill_family()
    if number < 0:
        raise _error()
    return number


def _address(name):
    name = os.fsencode(name)
    if b"\0" in name:
        raise ValueError("a name has no NUL")
    address, length = _Address(), ctypes.c_uint32()
    if _rill.rill_addr(ctypes.byref(address), ctypes.byref(length), name) < 0:
        raise _error()
    return address, length.value


def _name(address, length):
    name = ctypes.create_string_buffer(NAME_MAX + 1)
    if _rill.rill_addr_name(ctypes.byref(address), length, name, len(name)) < 0:
        raise _error()
    return os.fsdecode(name.value)


class Socket(socket.socket):
    """socket.socket of AF_RILL, whose addresses are names."""

    def __init__(self, type=socket.SOCK_STREAM, fileno=None):
        super().__init__(family(), type, 0, fileno)

    def _wait(self, event, end):
        """For an event, until a time that time.monotonic() knows, or None."""
        poll = select.poll()
        poll.register(self, event)
        left = None if end is None else max(0, (end - time.monotonic()) * 1000)
        if not poll.poll(left):
            raise TimeoutError("timed out")

    def _call(self, event, function, *args):
        """As the socket module's calls: a time-out, and again after a signal."""
        limit = self.gettimeout()
        end = None if not limit else time.monotonic() + limit
        while True:
            # A socket with a time-out does not block: wait before.
            if limit:
                self._wait(event, end)
            result = function(self.fileno(), *args)
            if result >= 0:
                return result
            err = ctypes.get_errno()
            if err == errno.EINTR or (err == errno.EAGAIN and limit):
                continue
            raise _error(err)

    def bind(self, name):
        address, length = _address(name)
        if _libc.bind(self.fileno(), ctypes.byref(address), length) < 0:
            raise _error()

    def _connect(self, name):
        address, length = _address(name)
        limit = self.gettimeout()
        end = None if not limit else time.monotonic() + limit
        while _libc.connect(self.fileno(), ctypes.byref(address), length) < 0:
            err = ctypes.get_errno()
            if err == errno.EINTR:
                continue
            if err != errno.EINPROGRESS or limit == 0:
                return err
            # In the listener's waiting line.
            self._wait(select.POLLOUT, end)
            return self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return 0

    def connect_ex(self, name):
        """As connect(); gives the errno in place of an OSError."""
        try:
            return self._connect(name)
        except TimeoutError:
            return errno.EAGAIN     # as the socket module's

    def connect(self, name):
        err = self._connect(name)
        if err:
            raise _error(err)

    def accept(self):
        fd = self._call(select.POLLIN, _libc.accept4, None, None,
                        socket.SOCK_CLOEXEC)
        connection = Socket(self.type, fileno=fd)
        if socket.getdefaulttimeout() is None and self.gettimeout():
            connection.setblocking(True)
        return connection, connection.getpeername()

    def _get(self, function):
        address = _Address()
        length = ctypes.c_uint32(ctypes.sizeof(address))
        if function(self.fileno(), ctypes.byref(address), ctypes.byref(length)) < 0:
            raise _error()
        return _name(address, length.value)

    def getsockname(self):
        return self._get(_libc.getsockname)

    def getpeername(self):
        return self._get(_libc.getpeername)

    def sendto(self, data, *args):
        """sendto(data[, flags], name)"""
        flags, name = (0, *args) if len(args) == 1 else args
        address, length = _address(name)
        data = bytes(memoryview(data))  # bytes() would take a number, too
        return self._call(select.POLLOUT, _libc.sendto, data,
                          ctypes.c_size_t(len(data)), flags | socket.MSG_NOSIGNAL,
                          ctypes.byref(address), length)

    def recvfrom_into(self, buffer, nbytes=0, flags=0):
        address = _Address()
        length = ctypes.c_uint32(ctypes.sizeof(address))
        nbytes = nbytes or memoryview(buffer).nbytes
        place = (ctypes.c_char * nbytes).from_buffer(buffer)
        count = self._call(select.POLLIN, _libc.recvfrom, place,
                           ctypes.c_size_t(nbytes), flags, ctypes.byref(address),
                           ctypes.byref(length))
        return count, _name(address, length.value)

    def recvfrom(self, bufsize, flags=0):
        buffer = bytearray(bufsize or 1)
        count, name = self.recvfrom_into(buffer, bufsize or 1, flags)
        return bytes(buffer[:min(count, bufsize)]), name

    def dup(self):
        twin = Socket(self.type, fileno=socket.dup(self.fileno()))
        twin.settimeout(self.gettimeout())
        return twin


def connect(name, type=socket.SOCK_STREAM, timeout=None):
    """A socket that is connected to a name; timeout in seconds as settimeout()."""
    s = Socket(type)
    try:
        s.settimeout(timeout)
        s.connect(name)
    except BaseException:
        s.close()
        raise
    return s


def listen(name, type=socket.SOCK_STREAM, backlog=128):
    """A socket that listens on a name; "" lets the kernel choose one."""
    s = Socket(type)
    try:
        s.bind(name)
        s.listen(backlog)
    except BaseException:
        s.close()
        raise
    return s


def datagram(name=""):
    """A datagram socket; "" lets the kernel choose its name."""
    s = Socket(socket.SOCK_DGRAM)
    try:
        s.bind(name)
    except BaseException:
        s.close()
        raise
    return s


def socketpair(type=socket.SOCK_STREAM):
    """Two sockets that are connected with each other."""
    fds = (ctypes.c_int * 2)()
    if _libc.socketpair(family(), type | socket.SOCK_CLOEXEC, 0, fds) < 0:
        raise _error()
    return Socket(type, fileno=fds[0]), Socket(type, fileno=fds[1])


async def _connected(name):
    s = Socket()
    try:
        s.setblocking(False)
        await asyncio.get_running_loop().sock_connect(s, name)
    except BaseException:
        s.close()
        raise
    return s


async def open_connection(name, **options):
    """asyncio.open_connection() to a name."""
    s = await _connected(name)
    try:
        return await asyncio.open_connection(sock=s, **options)
    except BaseException:
        s.close()
        raise


async def start_server(client_connected_cb, name, backlog=128, **options):
    """asyncio.start_server() on a name."""
    s = listen(name, backlog=backlog)
    try:
        s.setblocking(False)
        return await asyncio.start_server(client_connected_cb, sock=s, backlog=backlog,
                                          **options)
    except BaseException:
        s.close()
        raise
