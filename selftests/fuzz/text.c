// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs as text, one call a line:
 *
 *	f0,f1 = socketpair stream nonblock 0
 *	& recv f0 100 0				by another thread; until it is done or sleeps
 *	!2 send f1 4096:hole dontwait		the second allocation or copy fails
 *	sendmsg f1 @none [1,2:ro] {cred/0/0/0} nosignal
 *
 * A buffer is LENGTH[:WHERE], an address @NAME[/LENGTH] or @fN (that which the
 * socket in slot N has), a vector [BUFFER,...], control messages
 * {KIND/A/B/C,...}.  What follows a # is a comment.
 */
#include "fuzz.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct out {
	char	*at;
	size_t	left;
};

static void __attribute__((format(printf, 2, 3))) put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->at, o->left, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= o->left)
		n = o->left ? o->left - 1 : 0;
	o->at += n;
	o->left -= n;
}

static const char *word_of(const struct fz_set *set, int64_t v)
{
	for (unsigned int i = 0; set && i < set->n; i++)
		if (set->word[i].v == v)
			return set->word[i].name;
	return NULL;
}

static void put_flags(struct out *o, const struct fz_set *set, int64_t v)
{
	const char *bar = "";

	for (unsigned int i = 0; set && i < set->n; i++) {
		if (!set->word[i].v || (v & set->word[i].v) != set->word[i].v)
			continue;
		put(o, "%s%s", bar, set->word[i].name);
		v &= ~set->word[i].v;
		bar = "|";
	}
	if (v || !*bar)
		put(o, "%s%#llx", bar, (unsigned long long)v);
}

static void put_buf(struct out *o, const struct fz_item *it)
{
	put(o, "%lld", (long long)it->a);
	if (it->kind)
		put(o, ":%s", fz_mem_names[it->kind]);
}

static void put_arg(struct out *o, const struct fz_argdesc *d, const struct fz_arg *a)
{
	const char *word;
	unsigned int i;

	switch (d->kind) {
	case FZ_FD:
		if (a->v < 0)
			put(o, "bad");
		else
			put(o, "f%lld", (long long)a->v);
		break;
	case FZ_NUM:
		word = word_of(d->set, a->v);
		if (word)
			put(o, "%s", word);
		else
			put(o, "%lld", (long long)a->v);
		break;
	case FZ_FLAGS:
		put_flags(o, d->set, a->v);
		break;
	case FZ_ADDR:
		if (a->v >= FZ_ADDR_OF)
			put(o, "@f%d", (int)(a->v - FZ_ADDR_OF));
		else
			put(o, "@%s", word_of(&fz_set_addr, a->v));
		if (a->it[0].a != FZ_LEN_NATURAL)
			put(o, "/%lld", (long long)a->it[0].a);
		break;
	case FZ_BUF:
		put_buf(o, &a->it[0]);
		break;
	case FZ_IOV:
		put(o, "[");
		for (i = 0; i < a->n; i++) {
			put(o, "%s", i ? "," : "");
			put_buf(o, &a->it[i]);
		}
		put(o, "]");
		break;
	case FZ_CTL:
		put(o, "{");
		for (i = 0; i < a->n; i++)
			put(o, "%s%s/%lld/%d/%d", i ? "," : "", fz_ctl_names[a->it[i].kind],
			    (long long)a->it[i].a, a->it[i].b, a->it[i].c);
		put(o, "}");
		break;
	default:
		break;
	}
}

static void put_call(struct out *o, const struct fz_call *c)
{
	static const char *const mode[] = { "", "& ", "&& ", "% " };
	const struct fz_desc *d = &fz_descs[c->op];

	if (c->fail)
		put(o, "!%d ", c->fail);
	put(o, "%s", mode[c->mode]);
	if (d->rets == 1)
		put(o, "f%d = ", c->ret[0]);
	else if (d->rets == 2)
		put(o, "f%d,f%d = ", c->ret[0], c->ret[1]);
	put(o, "%s", d->name);
	for (unsigned int i = 0; i < FZ_ARGS && d->arg[i].kind; i++) {
		put(o, " ");
		put_arg(o, &d->arg[i], &c->arg[i]);
	}
}

int fz_print_call(const struct fz_call *call, char *text, size_t size)
{
	struct out o = { text, size };

	put_call(&o, call);
	return o.at - text;
}

int fz_print(const struct fz_prog *prog, char *text, size_t size)
{
	struct out o = { text, size };

	*text = '\0';
	for (unsigned int i = 0; i < prog->n; i++) {
		put_call(&o, &prog->call[i]);
		put(&o, "\n");
	}
	return o.at - text;
}

/* ---- parsing ---- */

static bool number(const char *s, int64_t *v)
{
	char *end;

	*v = strtoll(s, &end, 0);
	return end != s && !*end;
}

static bool word(const struct fz_set *set, const char *s, int64_t *v)
{
	for (unsigned int i = 0; set && i < set->n; i++) {
		if (!strcmp(set->word[i].name, s)) {
			*v = set->word[i].v;
			return true;
		}
	}
	return number(s, v);
}

static bool slot(const char *s, int64_t *v)
{
	return *s == 'f' && number(s + 1, v) && *v >= 0 && *v < FZ_SLOTS;
}

static bool parse_flags(const struct fz_set *set, char *s, int64_t *v)
{
	char *save, *part;
	int64_t one;

	*v = 0;
	for (part = strtok_r(s, "|", &save); part; part = strtok_r(NULL, "|", &save)) {
		if (!word(set, part, &one))
			return false;
		*v |= one;
	}
	return true;
}

static int name_index(const char *const *names, int n, const char *s)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(names[i], s))
			return i;
	return -1;
}

static bool parse_buf(char *s, struct fz_item *it)
{
	char *colon = strchr(s, ':');
	int mem = FZ_MEM_OK;

	if (colon) {
		*colon = '\0';
		mem = name_index(fz_mem_names, FZ_MEM_MAX, colon + 1);
	}
	it->kind = mem;
	return mem >= 0 && number(s, &it->a);
}

static bool parse_ctl(char *s, struct fz_item *it)
{
	char *save, *part = strtok_r(s, "/", &save);
	int64_t v[3] = { 0 };
	int kind;

	if (!part)
		return false;
	kind = name_index(fz_ctl_names, FZ_CTL_MAX, part);
	for (int i = 0; i < 3 && (part = strtok_r(NULL, "/", &save)); i++)
		if (!number(part, &v[i]))
			return false;
	it->kind = kind;
	it->a = v[0];
	it->b = v[1];
	it->c = v[2];
	return kind >= 0;
}

static bool parse_list(char *s, const char *ends, struct fz_arg *a,
		       bool (*one)(char *s, struct fz_item *it))
{
	size_t len = strlen(s);
	char *save, *part;

	if (len < 2 || s[0] != ends[0] || s[len - 1] != ends[1])
		return false;
	s[len - 1] = '\0';
	for (part = strtok_r(s + 1, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
		if (a->n == FZ_ITEMS || !one(part, &a->it[a->n]))
			return false;
		a->n++;
	}
	return true;
}

static bool parse_addr(char *s, struct fz_arg *a)
{
	char *slash = strchr(s, '/');

	a->it[0].a = FZ_LEN_NATURAL;
	if (slash) {
		*slash = '\0';
		if (!number(slash + 1, &a->it[0].a))
			return false;
	}
	if (*s != '@')
		return false;
	if (slot(s + 1, &a->v)) {
		a->v += FZ_ADDR_OF;
		return true;
	}
	for (unsigned int i = 0; i < fz_set_addr.n; i++) {
		if (!strcmp(fz_set_addr.word[i].name, s + 1)) {
			a->v = fz_set_addr.word[i].v;
			return true;
		}
	}
	return false;
}

static bool parse_arg(const struct fz_argdesc *d, char *s, struct fz_arg *a)
{
	switch (d->kind) {
	case FZ_FD:
		a->v = -1;
		return !strcmp(s, "bad") || slot(s, &a->v);
	case FZ_NUM:
		return word(d->set, s, &a->v);
	case FZ_FLAGS:
		return parse_flags(d->set, s, &a->v);
	case FZ_ADDR:
		return parse_addr(s, a);
	case FZ_BUF:
		return parse_buf(s, &a->it[0]);
	case FZ_IOV:
		return parse_list(s, "[]", a, parse_buf);
	case FZ_CTL:
		return parse_list(s, "{}", a, parse_ctl);
	default:
		return false;
	}
}

static const char *parse_call(char *line, struct fz_call *c)
{
	char *save, *tok = strtok_r(line, " \t", &save), *second;
	const struct fz_desc *d;
	int64_t v;
	int op;

	if (tok && *tok == '!') {
		if (!number(tok + 1, &v) || v < 0 || v > 255)
			return "what is to fail?";
		c->fail = v;
		tok = strtok_r(NULL, " \t", &save);
	}
	if (tok && strchr("&%", *tok)) {
		c->mode = *tok == '%' ? FZ_FORK : tok[1] == '&' ? FZ_RACE : FZ_ASYNC;
		tok = strtok_r(NULL, " \t", &save);
	}
	if (tok && *tok == 'f' && isdigit((unsigned char)tok[1])) {
		second = strchr(tok, ',');
		if (second) {
			*second++ = '\0';
			if (!slot(second, &v))
				return "bad slot";
			c->ret[1] = v;
		}
		if (!slot(tok, &v))
			return "bad slot";
		c->ret[0] = v;
		tok = strtok_r(NULL, " \t", &save);
		if (!tok || strcmp(tok, "="))
			return "= is missing";
		tok = strtok_r(NULL, " \t", &save);
	}
	if (!tok)
		return "no call";
	op = fz_desc_find(tok);
	if (op < 0)
		return "no such call";
	c->op = op;
	d = &fz_descs[op];
	for (unsigned int i = 0; i < FZ_ARGS && d->arg[i].kind; i++) {
		tok = strtok_r(NULL, " \t", &save);
		if (!tok)
			return "too few arguments";
		if (!parse_arg(&d->arg[i], tok, &c->arg[i]))
			return "bad argument";
	}
	return strtok_r(NULL, " \t", &save) ? "too many arguments" : NULL;
}

int fz_parse(const char *text, struct fz_prog *prog, char *message, size_t size)
{
	const char *error;
	char line[512];
	size_t len;
	int nr = 0;

	memset(prog, 0, sizeof(*prog));
	while (*text) {
		nr++;
		len = strcspn(text, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		text += len + (text[len] == '\n');
		line[strcspn(line, "#")] = '\0';
		if (!line[strspn(line, " \t")])
			continue;
		error = prog->n == FZ_CALLS ? "too long" : parse_call(line, &prog->call[prog->n]);
		if (error) {
			snprintf(message, size, "line %d: %s", nr, error);
			return -1;
		}
		prog->n++;
	}
	return 0;
}
