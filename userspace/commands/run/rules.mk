# SPDX-License-Identifier: GPL-2.0-only
# The library that "rill run" preloads; it lies beside rill-run.

RUN_SO		:= $(OUTPUT)/lib/rill/librill-run.so
RUN_SRC		:= $(wildcard $(SRC)/preload/*.c)
COMMAND_FILES	+= $(RUN_SO)

# The declarations of the C library would check and replace the calls we define.
$(RUN_SO): $(RUN_SRC) $(wildcard $(SRC)/preload/*.h) $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) -U_FORTIFY_SOURCE $(ALL_CFLAGS) -fPIC -pthread \
		-fvisibility=hidden $(LDFLAGS) -shared -Wl,-z,defs,-z,now -o $@ $(RUN_SRC) -ldl

TESTS		+= $(OUTPUT)/tests/run_test

RUN_TEST_SRC	:= $(wildcard $(SRC)/tests/run_test*.c)

# pthread_cancel() looks for libgcc_s when it is needed: it is to be there.
$(OUTPUT)/tests/run_test: $(RUN_TEST_SRC) $(SRC)/tests/run_test.h $(SRC)/tests/tap.h \
		$(LIB_A) $(HEADERS) $(RUN_SO)
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -pthread -o $@ $(RUN_TEST_SRC) $(LIB_A) \
		-Wl,--no-as-needed -lgcc_s
