// SPDX-License-Identifier: GPL-2.0-only
/*
 * The places of the module from which a fault can come: read from rill.ko itself,
 * so that none can be forgotten.
 *
 * Each call of the module to something outside it is a relocation.  Whatever the
 * module calls is in the table below: it may fail for want of memory, or copies
 * from or to a program's memory (or something that it calls does); or nothing of
 * that kind can happen.  What is in neither is an error: look at it, and add it.
 *
 * A place is known by the address that its call returns to, to which the kernel's
 * fault injection can be limited (require-start, require-end).
 */
#include "fault.h"

#include <fnmatch.h>
#include <linux/elf.h>

/* Calls below which memory is asked for, or a program's memory is touched. */
static const char * const faulty[] = {
	/* memory */
	"*kmalloc*", "*kvmalloc*", "*kmem_cache_alloc*", "__kmalloc*", "*krealloc*",
	"kmemdup*", "kstrdup*", "vmalloc*", "alloc_pages*", "__alloc_pages*",
	"*alloc_frozen_pages*", "__folio_alloc*", "alloc_skb*", "__alloc_skb",
	"skb_clone", "skb_copy", "pskb_*", "__pskb_*", "skb_might_realloc", "sk_alloc",
	"pcpu_alloc*", "__alloc_percpu*", "rhashtable_insert_slow",
	"rht_bucket_nested_insert", "*rhashtable_init*", "proto_register",
	"register_pernet_*", "register_net_sysctl*", "proc_create_*",
	"sk_filter_trim_cap", "sk_filter", "seq_open*",
	"single_open*", "__seq_open_private", "security_*alloc*", "sock_register",
	"__scm_send", "scm_fp_dup", "receive_fd*", "kstrtou*_from_user",
	"tracepoint_probe_register*", "unix_*",
	/* a program's memory */
	"should_fail_usercopy", "_copy_from_user", "_copy_to_user", "copy_from_user*",
	"copy_to_user*", "_copy_from_iter*", "_copy_to_iter*", "copy_from_iter*",
	"copy_to_iter*", "copy_page_*iter*", "skb_copy_datagram_*",
	"__skb_copy_*", "simple_copy_*", "put_cmsg*", "scm_detach_fds*",
	"memdup_user*", "strndup_user", "strncpy_from_user*", "sock_setsockopt",
	"sk_setsockopt", "sk_getsockopt", "sock_getsockopt", "proc_do*",
	"import_*", "__sock_recv_cmsgs", "__sock_recv_timestamp", "sock_gettstamp",
};

/* A word copied by get_user() or put_user(): no injection there, see .word. */
static const char * const words[] = {
	"__get_user_*", "__put_user_*", "raw_copy_from_user", "raw_copy_to_user",
};

/* Neither. */
static const char * const harmless[] = {
	"*free*", "*lock*", "*mutex*", "*spin*", "*rcu*", "*wait*", "*wake*",
	"__list_*", "__warn*", "warn_slowpath*", "_printk", "printk*", "panic",
	"*refcount*", "release_sock", "*_get_uid*", "mem*", "str*", "snprintf", "scnprintf",
	"vsnprintf", "__cond_resched*", "*schedule*", "*preempt*", "jiffies*",
	"*_work*", "work_*", "irq_*", "*timer*", "timer_*", "ktime_*",
	"sched_clock*", "local_clock*", "cpu_*", "__cpu_*", "nr_cpu_ids", "*percpu_wq",
	"system_*wq", "param_ops_*", "sysctl_*", "kmalloc_caches", "find_get_pid",
	"find_vpid", "put_pid", "pid_vnr", "__task_pid_nr_ns", "task_active_pid_ns",
	"get_pid*", "__put_cred", "from_k?id*", "make_k?id", "in_group_p",
	"ns_capable", "capable", "iov_iter_*", "nosteal_pipe_buf_ops", "add_to_pipe",
	"remove_proc_entry", "proto_unregister", "unregister_*", "sock_unregister",
	"rhashtable_destroy", "*rht_bucket_nested", "seq_*", "send_sig*",
	"single_task_running", "sk_set_peek_off", "sk_skb_reason_drop",
	"skb_put", "skb_set_owner_w", "sock_init_data*", "sock_no_*",
	"sock_prot_inuse_get", "sock_wake_async", "sk_error_report", "sock_i_*",
	"security_sk_clone", "security_sk_*free*", "lockdep*", "__lockdep*",
	"debug_*", "__debug_*", "__init_*", "init_*", "*key_init*",
	"__asan_*", "__kasan*", "kasan_*", "__tsan_*", "__kcsan_*", "kcsan_*",
	"__kmsan_*", "__ubsan_*", "__sanitizer_*", "__fentry__", "__x86_*",
	"__stack_chk_*", "__ref_stack*", "__SC*", "__SCT*", "__tracepoint_*",
	"__traceiter_*", "trace_*", "__trace_*", "bpf_trace*", "perf_*",
	"event_triggers_*", "__bpf_*", "__per_cpu_offset", "*_per_cpu*", "this_cpu_*",
	"pcpu_hot", "current_task", "cpu_tasks", "const_*", "task_size",
	"um_*", "uml_*", "unblock_signals", "block_signals", "mem_map", "vmemmap_base",
	"page_offset_base", "phys_base", "vmalloc_base", "physical_mask",
	"__sw_hweight*", "__bug*", "__fortify*", "fortify_*", "__copy_overflow",
	"copy_overflow", "__check_object_size", "usercopy_*",
	"validate_usercopy_range", "consume_skb", "__skb_*", "skb_*_tx_hash", "__might_*",
	"net_ratelimit", "___ratelimit", "__ratelimit*", "__x64_*", "module_*",
	"__this_module", "autoremove_*", "add_timer*", "*fput*", "fd_install",
	"put_unused_fd", "get_unused_fd_flags", "file_*", "sock_from_file",
	"__folio_put", "put_page*", "folio_*", "__page_*", "page_*", "dump_*",
	"__SCK*", "__scm_destroy", "*static_key*", "static_call*", "jump_label*", "put_cred*",
	"io_is_uring_fops", "__local_bh_*", "__x*thunk*", "hugetlb_*", "*sockaddr*",
	"rtnl_*", "kobject_*", "__memcpy*", "__memset*", "*memcg*", "obj_cgroup*",
	"ref_tracker_*", "__netdev_*", "skb_release_*", "skb_free_*",
	"user_*", "free_uid", "alloc_uid", "put_net*", "__put_net", "net_ns_*",
	"init_*", "sock_queue_*", "cookie_*", "__sock_gen_cookie", "get_random_*",
	"vbin_printf", "hash_*", "jhash*", "__siphash*", "siphash*", "task_*",
};

/* Places where nothing is injected, and why. */
static const struct {
	const char *func, *callee, *why;
} excuses[] = {
	{ "*", "pcpu_alloc*",
	  "the percpu allocator has memory in reserve and no injection" },
	{ "*", "__alloc_percpu*",
	  "the percpu allocator has memory in reserve and no injection" },
	{ "rill_init", "*", "made to fail by failload.sh" },
	{ "rill_name_insert*", "rht_bucket_nested_insert",
	  "only while the table in use is nested: in between two runs of the core's worker" },
	{ "rill_net_init", "register_*", "made to fail by failload.sh" },
	{ "rill_*", "sock_register", "asks for no memory; module.sh has it taken" },
};

/*
 * Places from which a fault comes on some machines only, at most one for each line:
 * they are tried.
 */
static struct {
	const char *func, *callee, *why;
	bool used;
} maybes[] = {
	{ "rill_cred_report*", "put_cmsg",
	  "put_cmsg() writes with unsafe_put_user() here, which has no injection" },
	{ "rill_msg_recvmsg*", "__sock_recv_cmsgs",
	  "put_cmsg() writes with unsafe_put_user() here, which has no injection" },
	{ "rill_write_slot*", "__alloc_pages*",
	  "a small page where a large one was not to be had: two faults at once" },
};

/* Why no fault has come from a place that was tried, NULL: it should have. */
const char *ft_site_missed(const struct ft_site *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(maybes); i++) {
		if (maybes[i].used || fnmatch(maybes[i].func, s->func, 0) ||
		    fnmatch(maybes[i].callee, s->callee, 0))
			continue;
		maybes[i].used = true;
		return maybes[i].why;
	}
	return NULL;
}

static bool is_in(const char *sym, const char * const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!fnmatch(list[i], sym, 0))
			return true;
	return false;
}

#define R_X86_64_64	1

/* ---- the file ---- */

struct elf {
	char		*data;
	size_t		size;
	struct elf64_hdr	*eh;
	struct elf64_shdr	*sh;
	const char	*names;
	struct elf64_sym	*sym;
	size_t		n_sym;
	const char	*str;
};

static int elf_open(struct elf *e, const char *path)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || st.st_size < (off_t)sizeof(struct elf64_hdr)) {
		close(fd);
		return -ENOEXEC;
	}
	e->size = st.st_size;
	e->data = mmap(NULL, e->size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (e->data == MAP_FAILED)
		return -errno;
	e->eh = (void *)e->data;
	if (memcmp(e->eh->e_ident, ELFMAG, SELFMAG) ||
	    e->eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    e->eh->e_machine != EM_X86_64)
		return -ENOEXEC;
	e->sh = (void *)(e->data + e->eh->e_shoff);
	e->names = e->data + e->sh[e->eh->e_shstrndx].sh_offset;
	for (int i = 0; i < e->eh->e_shnum; i++) {
		if (e->sh[i].sh_type != SHT_SYMTAB)
			continue;
		e->sym = (void *)(e->data + e->sh[i].sh_offset);
		e->n_sym = e->sh[i].sh_size / sizeof(struct elf64_sym);
		e->str = e->data + e->sh[e->sh[i].sh_link].sh_offset;
	}
	return e->sym ? 0 : -ENOEXEC;
}

/* The function of the section that an offset falls into. */
static const struct elf64_sym *elf_function(const struct elf *e, int section,
					    unsigned long at)
{
	for (size_t i = 0; i < e->n_sym; i++) {
		const struct elf64_sym *s = &e->sym[i];

		if (s->st_shndx == section &&
		    ELF_ST_TYPE(s->st_info) == STT_FUNC &&
		    at >= s->st_value && at < s->st_value + s->st_size)
			return s;
	}
	return NULL;
}

/* Where the section was loaded; 0: it is there no more. */
static unsigned long section_base(const char *name)
{
	char path[128], buf[64];

	snprintf(path, sizeof(path), "/sys/module/rill/sections/%s", name);
	if (rt_read_file(path, buf, sizeof(buf)) <= 0)
		return 0;
	return strtoul(buf, NULL, 16);
}

static void add_return(struct ft_site *s, unsigned long addr)
{
	if (s->n_ret < ARRAY_SIZE(s->ret)) {
		s->ret[s->n_ret].start = addr;
		s->ret[s->n_ret].end = addr + 1;
		s->n_ret++;
	}
}

/*
 * The calls that a relocation stands for.  With the large code model (User-Mode
 * Linux) the address is loaded into a register, through which it is called, up
 * to where the register is loaded anew.
 */
static void find_calls(struct ft_site *s, const struct elf64_rela *r,
		       const unsigned char *text, unsigned long base,
		       unsigned long end)
{
	unsigned long at = r->r_offset;
	unsigned char rex, reg;

	if (ELF64_R_TYPE(r->r_info) != R_X86_64_64) {
		if (at && text[at - 1] == 0xe8)
			add_return(s, base + at + 4);
		return;
	}
	if (at < 2 || (text[at - 2] & 0xfe) != 0x48 || (text[at - 1] & 0xf8) != 0xb8)
		return;
	rex = text[at - 2];
	reg = text[at - 1] & 7;
	for (at += 8; at + 3 <= end; at++) {
		if (text[at] == rex && text[at + 1] == (0xb8 | reg))
			break;
		if (rex == 0x49 && text[at] == 0x41 && text[at + 1] == 0xff &&
		    text[at + 2] == (0xd0 | reg))
			add_return(s, base + at + 3);
		else if (rex == 0x48 && text[at] == 0xff &&
			 text[at + 1] == (0xd0 | reg) && text[at - 1] != 0x41)
			add_return(s, base + at + 2);
	}
}

static void excuse(struct ft_site *s, unsigned long base)
{
	for (size_t i = 0; i < ARRAY_SIZE(excuses); i++) {
		if (!fnmatch(excuses[i].func, s->func, 0) &&
		    !fnmatch(excuses[i].callee, s->callee, 0))
			s->excuse = excuses[i].why;
	}
	if (!base && !s->excuse)
		s->excuse = "in a section that is there no more after loading";
}

/* Does the function of this word use the copies with injection as well? */
static bool has_injection(const struct elf *e, const struct elf64_rela *r, size_t n,
			  const struct elf64_sym *fn)
{
	for (size_t i = 0; i < n; i++) {
		const struct elf64_sym *sym = &e->sym[ELF64_R_SYM(r[i].r_info)];

		if (r[i].r_offset >= fn->st_value &&
		    r[i].r_offset < fn->st_value + fn->st_size &&
		    !strcmp(e->str + sym->st_name, "should_fail_usercopy"))
			return true;
	}
	return false;
}

static int scan(struct elf *e, int rela, struct ft_site **sites, int count)
{
	int section = e->sh[rela].sh_info, bad = 0;
	const char *name = e->names + e->sh[section].sh_name;
	const unsigned char *text = (void *)(e->data + e->sh[section].sh_offset);
	const struct elf64_rela *r = (void *)(e->data + e->sh[rela].sh_offset);
	size_t n = e->sh[rela].sh_size / sizeof(*r);
	unsigned long base = section_base(name);

	for (size_t i = 0; i < n; i++) {
		const struct elf64_sym *sym = &e->sym[ELF64_R_SYM(r[i].r_info)];
		const char *callee = e->str + sym->st_name;
		const struct elf64_sym *fn;
		struct ft_site *s;
		bool word, faults;

		if (sym->st_shndx != SHN_UNDEF || !*callee)
			continue;
		word = is_in(callee, words, ARRAY_SIZE(words));
		faults = is_in(callee, faulty, ARRAY_SIZE(faulty));
		if (!word && !faults && is_in(callee, harmless, ARRAY_SIZE(harmless)))
			continue;
		/* A table of caches, not a function. */
		if (!strcmp(callee, "kmalloc_caches"))
			continue;
		fn = elf_function(e, section, r[i].r_offset);
		if (!word && !faults) {
			printf("# %s calls %s: say in failnth's tables what that is\n",
			       fn ? e->str + fn->st_name : name, callee);
			bad++;
			continue;
		}
		/* An injection stands in front of it; in one there are both. */
		if (word && fn && !strncmp(callee, "raw_", 4) &&
		    has_injection(e, r, n, fn) &&
		    strcmp(e->str + fn->st_name, "rill_getsockopt"))
			continue;
		*sites = realloc(*sites, (count + 1) * sizeof(**sites));
		if (!*sites)
			return -ENOMEM;
		s = &(*sites)[count++];
		memset(s, 0, sizeof(*s));
		snprintf(s->func, sizeof(s->func), "%.*s", 63,
			 fn ? e->str + fn->st_name : name);
		s->func[strcspn(s->func, ".")] = '\0';
		snprintf(s->callee, sizeof(s->callee), "%.63s", callee);
		if (!word)
			find_calls(s, &r[i], text, base,
				   fn ? fn->st_value + fn->st_size :
				   e->sh[section].sh_size);
		excuse(s, base);
	}
	return bad ? -EUNATCH : count;
}

int ft_sites_read(const char *ko, struct ft_site **sites)
{
	struct elf e = { 0 };
	int count = elf_open(&e, ko), bad = 0;

	*sites = NULL;
	for (int i = 0; count >= 0 && i < e.eh->e_shnum; i++) {
		int n;

		if (e.sh[i].sh_type != SHT_RELA ||
		    !(e.sh[e.sh[i].sh_info].sh_flags & SHF_EXECINSTR))
			continue;
		n = scan(&e, i, sites, count);
		if (n == -EUNATCH)
			bad = n;
		else
			count = n;
	}
	if (e.data && e.data != MAP_FAILED)
		munmap(e.data, e.size);
	return bad ?: count;
}
