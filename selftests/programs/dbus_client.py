# SPDX-License-Identifier: GPL-2.0-only
"""Calls the service; prints calls a second."""
import os
import time

import dbus

bus = dbus.SessionBus()
end = time.monotonic() + 60
while not bus.name_has_owner("rill.Test"):
    assert time.monotonic() < end, "the service did not come"
    time.sleep(0.1)
service = dbus.Interface(bus.get_object("rill.Test", "/rill/Test"), "rill.Test")
assert service.Upper("text") == "TEXT"
with os.fdopen(service.File("in a file").take(), "rb") as file:
    assert file.read() == b"in a file"
CALLS = 300
begin = time.monotonic()
for i in range(CALLS):
    assert service.Upper("call %d" % i) == "CALL %d" % i
print(round(CALLS / (time.monotonic() - begin)))
