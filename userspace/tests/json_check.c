// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is standard input one JSON text (RFC 8259)?  The exit status is 0 if so; else
 * 1, and it says where not.  Stricter in one way: a key stands once in an object.
 * For tests on machines that have nothing else to ask.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH	64
#define MAX_KEYS	256

static const unsigned char *text, *at, *end;

static bool value(int depth);

static void space(void)
{
	while (at < end && strchr(" \t\r\n", *at) && *at)
		at++;
}

static bool literal(const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(end - at) < n || memcmp(at, word, n))
		return false;
	at += n;
	return true;
}

static bool digits(void)
{
	const unsigned char *from = at;

	while (at < end && isdigit(*at))
		at++;
	return at > from;
}

static bool number(void)
{
	if (at < end && *at == '-')
		at++;
	if (at < end && *at == '0')
		at++;
	else if (!digits())
		return false;
	if (at < end && *at == '.') {
		at++;
		if (!digits())
			return false;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		if (!digits())
			return false;
	}
	return true;
}

/* The bytes that go on a UTF-8 sequence; rough, but no stray byte passes. */
static bool utf8(void)
{
	int more = *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : *at >= 0xc2 ? 1 : -1;

	if (more < 0 || *at > 0xf4 || end - at <= more)
		return false;
	for (at++; more; more--, at++)
		if ((*at & 0xc0) != 0x80)
			return false;
	return true;
}

static bool escape(void)
{
	at++;
	if (at == end)
		return false;
	if (*at != 'u')
		return *at && strchr("\"\\/bfnrt", *at++);
	at++;
	for (int i = 0; i < 4; i++, at++)
		if (at == end || !isxdigit(*at))
			return false;
	return true;
}

static bool string(void)
{
	if (at == end || *at != '"')
		return false;
	for (at++; at < end && *at != '"';) {
		if (*at < 0x20)
			return false;
		if (*at == '\\') {
			if (!escape())
				return false;
		} else if (*at >= 0x80) {
			if (!utf8())
				return false;
		} else {
			at++;
		}
	}
	if (at == end)
		return false;
	at++;
	return true;
}

static bool member(int depth, const unsigned char **key, size_t *len, int n)
{
	space();
	key[n] = at;
	if (!string())
		return false;
	len[n] = at - key[n];
	for (int i = 0; i < n; i++)
		if (len[i] == len[n] && !memcmp(key[i], key[n], len[n]))
			return false;
	space();
	if (at == end || *at++ != ':')
		return false;
	return value(depth + 1);
}

static bool object(int depth)
{
	const unsigned char *key[MAX_KEYS];
	size_t len[MAX_KEYS];
	int n = 0;

	at++;
	space();
	if (at < end && *at == '}') {
		at++;
		return true;
	}
	while (n < MAX_KEYS && member(depth, key, len, n++)) {
		if (at < end && *at == '}') {
			at++;
			return true;
		}
		if (at == end || *at++ != ',')
			break;
	}
	return false;
}

static bool array(int depth)
{
	at++;
	space();
	if (at < end && *at == ']') {
		at++;
		return true;
	}
	while (value(depth + 1)) {
		if (at < end && *at == ']') {
			at++;
			return true;
		}
		if (at == end || *at++ != ',')
			break;
	}
	return false;
}

static bool value(int depth)
{
	bool ok;

	space();
	if (at == end || depth > MAX_DEPTH)
		return false;
	switch (*at) {
	case '{':
		ok = object(depth);
		break;
	case '[':
		ok = array(depth);
		break;
	case '"':
		ok = string();
		break;
	case 't':
		ok = literal("true");
		break;
	case 'f':
		ok = literal("false");
		break;
	case 'n':
		ok = literal("null");
		break;
	default:
		ok = number();
	}
	space();
	return ok;
}

int main(void)
{
	size_t n = 0, size = 0, got;
	unsigned char *buf = NULL;

	do {
		if (n == size) {
			size = size ? 2 * size : 65536;
			buf = realloc(buf, size);
			if (!buf)
				return 2;
		}
		got = fread(buf + n, 1, size - n, stdin);
		n += got;
	} while (got);
	text = buf;
	at = buf;
	end = buf + n;
	if (value(0) && at == end)
		return 0;
	fprintf(stderr, "not JSON at byte %td: %.*s\n", at - text,
		(int)(end - at < 60 ? end - at : 60), (const char *)at);
	return 1;
}
