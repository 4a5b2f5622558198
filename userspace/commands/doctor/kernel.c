// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's side: the module, its file, what loads it, what is in the way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/rill.h>

#include "doctor.h"

/* Which Linux knows by another name, as AppArmor does. */
static const struct {
	unsigned int number;
	const char *name, *apparmor;
} families[] = {
	{ 18, "AF_ASH", "ash" }, { 13, "AF_NETBEUI", "netbeui" },
	{ 22, "AF_SNA", "sna" }, { 25, "AF_WANPIPE", "wanpipe" },
};

#define N_FAMILIES	(sizeof(families) / sizeof(families[0]))

static struct utsname uts;
/* The module's file of this kernel; of others; what modprobe.d has against it. */
static char module_file[PATH_MAX], other_file[PATH_MAX], against[512];
static bool not_signed;

const char *family_name(unsigned int family)
{
	for (size_t i = 0; i < N_FAMILIES; i++)
		if (families[i].number == family)
			return families[i].name;
	return "of no known name";
}

static const char *apparmor_name(unsigned int family)
{
	for (size_t i = 0; i < N_FAMILIES; i++)
		if (families[i].number == family)
			return families[i].apparmor;
	return "unknown";
}

static bool loaded(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sys/module/rill/parameters/family", root);
	return !access(path, F_OK);
}

/* 0 or an errno. */
static int try_socket(unsigned int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static unsigned int check_module(void)
{
	unsigned int family = RILL_FAMILY_DEFAULT;
	char text[128], free_ones[64] = "";

	if (loaded()) {
		slurp("/sys/module/rill/version", text, sizeof(text));
		found(OK, "module", NULL, "rill.ko is loaded, version %s",
		      *text ? text : "unknown");
		if (slurp(RILL_FAMILY_PATH, text, sizeof(text)))
			family = strtoul(text, NULL, 10);
		found(OK, "family", NULL, "the family is number %u, %s", family,
		      family_name(family));
		return family;
	}
	found(PROBLEM, "module",
	      "Try \"modprobe rill\"; the findings below say what may be in its way.",
	      "rill.ko is not loaded, and socket() has not loaded it");
	for (size_t i = 0; i < N_FAMILIES; i++)
		if (try_socket(families[i].number) == EAFNOSUPPORT)
			sprintf(free_ones + strlen(free_ones), " %u", families[i].number);
	if (*free_ones)
		found(NOTE, "family",
		      "18 is the default; \"modprobe rill family=N\" takes another.",
		      "free for it are the families%s", free_ones);
	else
		found(PROBLEM, "family", "Unload what has them, or lift what forbids socket().",
		      "none of the families 18, 13, 22, 25 is free");
	return family;
}

static void check_socket(unsigned int family, int err)
{
	char status[8192], policy[128], *p;
	int mode = 0;

	if (!err) {
		found(OK, "socket", NULL, "socket() of family %u works", family);
		return;
	}
	slurp("/proc/self/status", status, sizeof(status));
	p = strstr(status, "\nSeccomp:");
	if (p)
		mode = atoi(p + 9);
	snprintf(policy, sizeof(policy),
		 "Allow it in the policy of SELinux (class socket) or AppArmor (network %s).",
		 apparmor_name(family));
	if (err == EPERM || err == EACCES)
		found(PROBLEM, "socket", mode ?
		      "Allow it in the seccomp filter (see RestrictAddressFamilies=)." : policy,
		      "socket() of family %u is forbidden: %s; this process %s", family,
		      strerror(err), mode ? "has a seccomp filter" :
		      "has no seccomp filter, so it is an LSM");
	else if (err == EAFNOSUPPORT && loaded())
		found(PROBLEM, "socket",
		      "Look for RestrictAddressFamilies= and other seccomp filters.",
		      "rill.ko is loaded, but socket() of family %u: %s; this process %s",
		      family, strerror(err),
		      mode ? "has a seccomp filter" : "has no seccomp filter");
	else
		found(PROBLEM, "socket", err == EAFNOSUPPORT ? "Load the module." : NULL,
		      "socket() of family %u: %s%s", family, strerror(err),
		      mode ? "; this process has a seccomp filter" : "");
}

static char *here;	/* /lib/modules/RELEASE/ */

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + ftw->base;

	(void)st;
	if ((type != FTW_F && type != FTW_SL) ||
	    (strcmp(name, "rill.ko") && strcmp(name, "rill.ko.xz") &&
	     strcmp(name, "rill.ko.zst") && strcmp(name, "rill.ko.gz")))
		return 0;
	if (!strncmp(path, here, strlen(here)))
		snprintf(module_file, sizeof(module_file), "%s", path);
	else
		snprintf(other_file, sizeof(other_file), "%s", path);
	return 0;
}

/* Of a plain .ko: vermagic's first word, and whether a signature is appended. */
static void read_module(char *magic, size_t size)
{
	static const char key[] = "vermagic=", mark[] = "~Module signature appended~\n";
	const char *map, *p;
	struct stat st;
	int fd;

	magic[0] = '\0';
	if (strcmp(module_file + strlen(module_file) - 3, ".ko"))
		return;
	fd = open(module_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	map = fstat(fd, &st) || !st.st_size ? MAP_FAILED :
	      mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return;
	p = memmem(map, st.st_size, key, sizeof(key) - 1);
	if (p)
		for (p += sizeof(key) - 1; p < map + st.st_size && *p > ' ' && size > 1; size--)
			*magic++ = *p++;
	*magic = '\0';
	not_signed = st.st_size < (off_t)sizeof(mark) ||
		     memcmp(map + st.st_size - (sizeof(mark) - 1), mark, sizeof(mark) - 1);
	munmap((void *)map, st.st_size);
}

/* Does modules.dep know it?  modprobe looks nowhere else. */
static bool in_dep(void)
{
	char path[PATH_MAX + 16], line[8192];
	bool is = false;
	FILE *f;

	snprintf(path, sizeof(path), "%smodules.dep", here);
	f = fopen(path, "re");
	while (f && !is && fgets(line, sizeof(line), f)) {
		line[strcspn(line, ":\n")] = '\0';
		is = strstr(line, "/rill.ko") || !strncmp(line, "rill.ko", 7);
	}
	if (f)
		fclose(f);
	return is;
}

static void check_file(bool is_loaded)
{
	enum verdict bad = is_loaded ? NOTE : PROBLEM;
	char top[PATH_MAX], magic[256];

	snprintf(top, sizeof(top), "%s/lib/modules", root);
	if (asprintf(&here, "%s/%s/", top, uts.release) < 0)
		abort();
	nftw(top, visit, 16, FTW_PHYS);
	if (!*module_file && *other_file) {
		found(bad, "file",
		      "Install this kernel's headers (linux-headers), then \"dkms autoinstall\".",
		      "there is no rill.ko for this kernel, %s, only for another: %s",
		      uts.release, other_file);
		return;
	}
	if (!*module_file) {
		found(bad, "file",
		      "Install rill-dkms and this kernel's headers, or \"make modules_install\".",
		      "there is no rill.ko below %s", here);
		return;
	}
	read_module(magic, sizeof(magic));
	if (*magic && strcmp(magic, uts.release))
		found(bad, "file", "Build it again for this kernel: \"dkms autoinstall\".",
		      "%s is for kernel %s, but %s runs", module_file, magic, uts.release);
	else if (!in_dep())
		found(bad, "file", "Run \"depmod -a\".",
		      "%s is there, but modules.dep does not have it", module_file);
	else
		found(OK, "file", NULL, "%s%s", module_file,
		      *magic ? " is for this kernel" : "; which kernel it is for cannot be read");
}

/* Lines that keep modprobe from it.  It takes '-' and '_' for the same. */
static void read_conf(const char *path, const char *alias)
{
	char line[1024], a[32], b[128], c[512];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		int n = sscanf(line, "%31s %127s %511[^\n]", a, b, c);
		bool ours;

		if (n < 2)
			continue;
		for (char *p = b; *p; p++)
			if (*p == '-')
				*p = '_';
		ours = !strcmp(b, "rill") || !strcmp(b, alias);
		if (ours && (!strcmp(a, "blacklist") ||
			     (n == 3 && !strcmp(a, "install") &&
			      (strstr(c, "/true") || strstr(c, "/false"))) ||
			     (n == 3 && !strcmp(a, "alias") && !strncmp(c, "off", 3))))
			snprintf(against, sizeof(against), "%.300s: %s %s", path, a, b);
	}
	if (f)
		fclose(f);
}

/* Of files of one name modprobe reads the first that it finds here. */
static const char * const dirs[] = { "etc", "run", "usr/local/lib", "usr/lib", "lib" };

static bool is_masked(size_t dir, const char *name)
{
	char path[PATH_MAX];

	while (dir--) {
		snprintf(path, sizeof(path), "%s/%s/modprobe.d/%s", root, dirs[dir], name);
		if (!access(path, F_OK))
			return true;
	}
	return false;
}

/* What the command line has against it: for modprobe, or for the kernel itself. */
static void read_cmdline(void)
{
	char text[8192], *save, *more, *list, *name;

	slurp("/proc/cmdline", text, sizeof(text));
	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		list = strchr(word, '=');
		if (!list || (strncmp(word, "modprobe.blacklist=", 19) &&
			      strncmp(word, "module_blacklist=", 17)))
			continue;
		*list++ = '\0';
		for (name = strtok_r(list, ",", &more); name; name = strtok_r(NULL, ",", &more))
			if (!strcmp(name, "rill"))
				snprintf(against, sizeof(against), "/proc/cmdline: %.30s=rill",
					 word);
	}
}

static void check_autoload(unsigned int family, bool is_loaded)
{
	enum verdict bad = is_loaded ? NOTE : PROBLEM;
	char text[512], alias[32];
	glob_t g;

	snprintf(alias, sizeof(alias), "net_pf_%u", family);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		char pattern[PATH_MAX];

		snprintf(pattern, sizeof(pattern), "%s/%s/modprobe.d/*.conf", root, dirs[i]);
		if (glob(pattern, 0, NULL, &g))
			continue;
		for (size_t k = 0; k < g.gl_pathc; k++)
			if (!is_masked(i, strrchr(g.gl_pathv[k], '/') + 1))
				read_conf(g.gl_pathv[k], alias);
		globfree(&g);
	}
	read_cmdline();
	if (slurp("/proc/sys/kernel/modules_disabled", text, sizeof(text)) && *text == '1')
		found(bad, "autoload",
		      "Have it loaded at boot, by /etc/modules-load.d/rill.conf, and reboot.",
		      "kernel.modules_disabled=1: no module can be loaded any more");
	else if (*against)
		found(bad, "autoload", "Take that out; of the kernel's command line, and reboot.",
		      "it is not to be loaded: %s", against);
	else if (!slurp("/proc/sys/kernel/modprobe", text, sizeof(text)) || !*text)
		found(bad, "autoload",
		      "Set kernel.modprobe=/sbin/modprobe, or use /etc/modules-load.d/rill.conf.",
		      "the kernel has no program to load modules with (/proc/sys/kernel/modprobe)");
	else
		found(OK, "autoload", NULL, "nothing keeps socket() from loading it, with %s",
		      text);
}

static void check_signatures(bool is_loaded)
{
	static const char boot[] =
		"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
	char enforce[16], lockdown[128], var[16] = "";
	bool locked, secure, demanded;

	slurp("/sys/module/module/parameters/sig_enforce", enforce, sizeof(enforce));
	locked = slurp("/sys/kernel/security/lockdown", lockdown, sizeof(lockdown)) &&
		 !strstr(lockdown, "[none]");
	/* Four bytes of attributes go before the one of the value. */
	secure = slurp(boot, var, sizeof(var)) && var[4] == 1;
	demanded = *enforce == 'Y' || locked;
	if (!demanded)
		found(OK, "signature", NULL, "the kernel loads modules without a signature%s",
		      secure ? ", though Secure Boot is on" : "");
	else if (is_loaded)
		found(OK, "signature", NULL, "the kernel demands signatures, and has loaded it");
	else
		found(*module_file && !not_signed ? NOTE : PROBLEM, "signature",
		      "Let DKMS sign it; \"mokutil --import /var/lib/dkms/mok.pub\"; reboot.",
		      "the kernel demands signed modules (%s%s)%s",
		      *enforce == 'Y' ? "sig_enforce" : "lockdown",
		      secure ? ", Secure Boot is on" : "",
		      *module_file && not_signed ? "; rill.ko has no signature" : "");
}

static void check_lsm(unsigned int family)
{
	const char *name = apparmor_name(family);
	char text[256], remedy[128];

	if (slurp("/sys/fs/selinux/enforce", text, sizeof(text)))
		found(NOTE, "lsm", *text == '1' ?
		      "A confined domain needs \"allow DOMAIN self:socket { create };\"." : NULL,
		      "SELinux is %s; it sees these sockets as the class socket",
		      *text == '1' ? "in force" : "there, but permissive");
	snprintf(remedy, sizeof(remedy),
		 "A profile that confines a program needs the line \"network %s,\".", name);
	if (slurp("/sys/module/apparmor/parameters/enabled", text, sizeof(text)) && *text == 'Y')
		found(NOTE, "lsm", remedy,
		      "AppArmor is in force; it sees these sockets as \"network %s\"", name);
	if (slurp("/sys/kernel/security/lsm", text, sizeof(text)))
		found(OK, "lsm", NULL, "the kernel's security modules: %s", text);
}

static void check_diag(bool is_loaded)
{
	char path[PATH_MAX];

	if (!is_loaded)
		return;
	snprintf(path, sizeof(path), "%s/sys/module/rill_diag", root);
	if (!access(path, F_OK))
		found(OK, "diag", NULL, "rill_diag.ko is loaded, for \"rill ss\"");
	else
		found(NOTE, "diag", "\"modprobe rill_diag\" if \"rill ss\" complains.",
		      "rill_diag.ko is not loaded; \"rill ss\" needs it, and has it loaded if it can");
}

/* The family, for the unit. */
unsigned int check_kernel(void)
{
	unsigned int family;
	bool is_loaded;
	int err;

	uname(&uts);
	/* As any program's: it loads the module, if that is how things are. */
	err = loaded() ? 0 : try_socket(RILL_FAMILY_DEFAULT);
	is_loaded = loaded();
	family = check_module();
	if (is_loaded)
		err = try_socket(family);
	else if (!err)
		err = EAFNOSUPPORT;	/* another protocol's socket */
	check_socket(family, err);
	check_file(is_loaded);
	check_autoload(family, is_loaded);
	check_signatures(is_loaded);
	check_diag(is_loaded);
	check_lsm(family);
	return family;
}
