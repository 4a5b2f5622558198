# SPDX-License-Identifier: GPL-2.0-only
"""A service on the session bus: says a text back, and gives out an open file."""
import os
import tempfile

import dbus
import dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib


class Service(dbus.service.Object):
    @dbus.service.method("rill.Test", in_signature="s", out_signature="s")
    def Upper(self, text):
        return text.upper()

    @dbus.service.method("rill.Test", in_signature="s", out_signature="h")
    def File(self, text):
        file = tempfile.TemporaryFile()
        file.write(text.encode())
        file.flush()
        file.seek(0)
        return dbus.types.UnixFd(file.fileno())


DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
name = dbus.service.BusName("rill.Test", bus)
service = Service(bus, "/rill/Test")
GLib.MainLoop().run()
