// SPDX-License-Identifier: GPL-2.0-only
/*
 * The output: one JSON object a line, as things happen, so that what was
 * measured before a crash is not lost.  "what" says which kind it is:
 *
 *	meta	the machine and the settings
 *	row	a line of the table: id, title, unit, more is better or less
 *	sample	row, peer, round, value, and what it was computed from
 *	skip	row, peer, round, why
 *	fail	row, peer, round, why
 *	end	nothing was cut off
 */
#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

static void put_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		if ((unsigned char)*s < 0x20)
			printf("\\u%04x", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void put_field(const char *key, const char *value)
{
	printf(",\"%s\":", key);
	put_string(value);
}

static void put_end(void)
{
	puts("}");
	fflush(stdout);
}

static void put_cpu_model(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[512], *colon;

	while (f && fgets(line, sizeof(line), f)) {
		colon = strchr(line, ':');
		if (!colon || strncmp(line, "model name", 10))
			continue;
		line[strcspn(line, "\n")] = '\0';
		put_field("cpu", colon + 2);
		break;
	}
	if (f)
		fclose(f);
}

/* "TCGTCGTCGTCG", "KVMKVMKVM", or nothing: no virtual machine. */
static void put_hypervisor(void)
{
	unsigned int a, b, c, d;
	char id[13] = "";

	__cpuid(1, a, b, c, d);
	if (c & (1U << 31)) {
		__cpuid(0x40000000, a, b, c, d);
		memcpy(id, &b, 4);
		memcpy(id + 4, &c, 4);
		memcpy(id + 8, &d, 4);
	}
	put_field("hypervisor", id);
	__cpuid_count(7, 0, a, b, c, d);
	printf(",\"fast_strings\":%s", b & (1U << 9) ? "true" : "false");
}

static void put_sysctl(const char *key, const char *path)
{
	FILE *f = fopen(path, "re");
	long value;

	if (f && fscanf(f, "%ld", &value) == 1)
		printf(",\"%s\":%ld", key, value);
	if (f)
		fclose(f);
}

void json_meta(unsigned int rounds)
{
	struct utsname uts;

	uname(&uts);
	printf("{\"what\":\"meta\"");
	put_field("kernel", uts.release);
	put_field("kernel_version", uts.version);
	put_field("machine", uts.machine);
	put_cpu_model();
	put_hypervisor();
	printf(",\"cpus\":%d,\"memory_mib\":%lu,\"rounds\":%u,\"box_ms\":%llu,\"busy_poll_us\":%u",
	       settings.cpus,
	       sysconf(_SC_PHYS_PAGES) * (unsigned long)sysconf(_SC_PAGESIZE) / MIB,
	       rounds, settings.box_ns / NSEC_PER_MSEC, settings.busy_us);
	put_sysctl("wmem_default", "/proc/sys/net/core/wmem_default");
	put_sysctl("rmem_default", "/proc/sys/net/core/rmem_default");
	put_sysctl("max_dgram_qlen", "/proc/sys/net/unix/max_dgram_qlen");
	printf(",\"peers\":{");
	for (size_t i = 0; i < npeers; i++) {
		printf("%s\"%s\":", i ? "," : "", peers[i].name);
		put_string(peers[i].title);
	}
	printf("}");
	put_end();
}

void json_row(const struct job *job, const struct row *row)
{
	static const char * const unit[] = {
		[UNIT_BYTES_S] = "B/s", [UNIT_OPS_S] = "/s", [UNIT_NS] = "ns",
		[UNIT_BYTES] = "B",
	};

	printf("{\"what\":\"row\"");
	put_field("row", row->id);
	put_field("title", row->title);
	put_field("unit", unit[row->unit]);
	if (row->least)
		put_field("least", row->least);
	printf(",\"more_is_better\":%s,\"write\":%zu,\"read\":%zu",
	       row->unit == UNIT_BYTES_S || row->unit == UNIT_OPS_S ? "true" : "false",
	       job->size, job->rsize);
	put_end();
}

static void put_head(const char *what, const char *row, const struct peer *peer,
		     unsigned int round)
{
	printf("{\"what\":\"%s\"", what);
	put_field("row", row);
	put_field("peer", peer->name);
	printf(",\"round\":%u", round);
}

static void put_sample(const struct sample *s, const struct peer *peer,
		       unsigned int round)
{
	put_head("sample", s->row, peer, round);
	printf(",\"value\":%.10g", s->value);
	if (s->ns)
		printf(",\"ns\":%llu,\"ops\":%llu", (unsigned long long)s->ns,
		       (unsigned long long)s->ops);
	if (s->cpu_ns)
		printf(",\"cpu_ns\":%llu", (unsigned long long)s->cpu_ns);
	if (s->bytes) {
		printf(",\"bytes\":%llu", (unsigned long long)s->bytes);
		if (s->cpu_ns)
			printf(",\"cpu_ns_per_byte\":%.6g",
			       (double)s->cpu_ns / s->bytes);
	}
	if (s->lost)
		printf(",\"lost\":%llu", (unsigned long long)s->lost);
	if (s->note[0])
		printf(",\"more\":%s", s->note);
	put_end();
}

void json_cell(const struct job *job, const struct peer *peer, unsigned int round,
	       bool (*wanted)(const char *row))
{
	if (cell->status == CELL_OK) {
		for (size_t i = 0; i < cell->nsamples; i++)
			if (wanted(cell->sample[i].row))
				put_sample(&cell->sample[i], peer, round);
		return;
	}
	for (size_t i = 0; i < job->nrows; i++) {
		if (!wanted(job->rows[i].id))
			continue;
		put_head(cell->status == CELL_SKIPPED ? "skip" : "fail",
			 job->rows[i].id, peer, round);
		put_field("why", cell->why);
		put_end();
	}
}

void json_end(unsigned int failed)
{
	printf("{\"what\":\"end\",\"failed\":%u", failed);
	put_end();
}
