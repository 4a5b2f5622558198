// SPDX-License-Identifier: GPL-2.0-only
/*
 * The places of the modules from which a fault can come: read from rill.ko and
 * rill_diag.ko themselves, so that none can be forgotten.
 *
 * Each call of a module to something outside it is a relocation.  Whatever a
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
	"tracepoint_probe_register*", "unix_*", "__netlink_dump_start",
	"netlink_unicast", "nlmsg_notify",
	/* a signal's description */
	"send_sig*", "sock_wake_async", "kill_fasync", "kill_pid*",
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
	"__get_user_[0-9]*", "__put_user_[0-9]*", "raw_copy_from_user", "raw_copy_to_user",
};

/*
 * Neither: what the modules call in the kernels with fault injection, 7.2-uml and
 * 7.2-debug, each by its name.  A call that is new is said to be, whatever it looks
 * like.
 *
 * Some allocate, but never for the caller: the signals, timers and works of
 * CONFIG_DEBUG_OBJECTS are told to a pool of its own, and a tracepoint writes to a
 * ring that is there.
 */
static const char * const harmless[] = {
	/* memory and references given back */
	"__folio_put", "__put_cred", "__put_user_ns", "__scm_destroy", "consume_skb",
	"free_percpu", "kfree", "kvfree", "put_pid", "put_pid_ns", "sk_free",
	"sk_skb_reason_drop",
	/* locks, waiting and waking */
	"__cond_resched", "__init_waitqueue_head", "__raw_spin_lock_init",
	"__rcu_read_lock", "__rcu_read_unlock", "__wake_up", "__wake_up_sync_key",
	"_mutex_lock_killable", "_mutex_trylock_nest_lock", "_raw_spin_lock",
	"_raw_spin_lock_bh", "_raw_spin_lock_irq", "_raw_spin_unlock",
	"_raw_spin_unlock_bh", "_raw_spin_unlock_irq", "_raw_write_lock_bh",
	"_raw_write_unlock_bh", "add_wait_queue", "autoremove_wake_function",
	"finish_wait", "lock_sock_nested", "mutex_init_lockdep",
	"mutex_lock_interruptible_nested", "mutex_unlock",
	"preempt_schedule_notrace_thunk", "preempt_schedule_thunk",
	"prepare_to_wait", "prepare_to_wait_exclusive", "refcount_warn_saturate",
	"release_sock", "remove_wait_queue", "schedule_timeout",
	"single_task_running", "wait_woken", "woken_wake_function",
	/* lockdep and other checks */
	"__SCT__WARN_trap", "__check_object_size", "__list_add_valid_or_report",
	"__list_del_entry_valid_or_report", "__might_fault", "__might_resched",
	"__srcu_check_read_flavor", "debug_lockdep_rcu_enabled", "debug_locks",
	"dump_page", "lock_acquire", "lock_is_held_type", "lock_release",
	"lockdep_init_map_type", "lockdep_rcu_suspicious",
	"lockdep_rht_bucket_is_held", "lockdep_rht_mutex_is_held",
	"lockdep_set_lock_cmp_fn", "panic", "rcu_is_watching", "rcu_lock_map",
	"rcu_read_lock_any_held", "rcu_read_lock_held", "rcu_read_lock_sched_held",
	"rcu_sched_lock_map", "validate_usercopy_range", "warn_slowpath_fmt",
	/* work */
	"cancel_delayed_work_sync", "irq_work_queue", "queue_delayed_work_on",
	"system_percpu_wq",
	/* who somebody is, and what he may */
	"__task_pid_nr_ns", "capable", "find_get_pid", "from_kgid",
	"from_kgid_munged", "from_kuid", "from_kuid_munged", "in_group_p",
	"make_kgid", "make_kuid", "ns_capable", "pid_nr_ns", "pid_vnr",
	"task_active_pid_ns",
	/* sockets, messages, pipes */
	"add_to_pipe", "iov_iter_advance", "iov_iter_bvec", "iov_iter_revert",
	"nosteal_pipe_buf_ops", "skb_put", "skb_set_owner_w", "skb_trim",
	"sock_from_file", "sock_init_data", "sock_prot_inuse_get",
	/* netlink: into a message that is there */
	"__nla_parse", "__nlmsg_put", "do_trace_netlink_extack", "nla_put",
	"nla_strscpy", "sock_diag_put_meminfo", "sock_diag_save_cookie",
	/* sock_diag_register() stores a pointer, if there is none */
	"sock_diag_register", "sock_diag_unregister",
	/* a module's places are its own */
	"rill_family", "rill_sock_next", "rill_view_creds", "rill_view_get",
	"rill_view_put",
	/* what comes and goes with the module */
	"proto_unregister", "remove_proc_entry", "rhashtable_destroy",
	"__rht_bucket_nested", "rht_bucket_nested", "sock_unregister",
	"unregister_net_sysctl_table", "unregister_pernet_subsys",
	/* text */
	"_printk", "memcmp", "memcpy", "memset", "seq_printf", "seq_write",
	"snprintf", "strlen", "strncmp",
	/* time, processors, where memory lies */
	"__cpu_online_mask", "__cpu_possible_mask", "__per_cpu_offset",
	"__preempt_count", "cpu_number", "cpu_tasks", "current_task", "jiffies",
	"kmalloc_caches", "ktime_get", "ktime_get_with_offset", "local_clock", "mem_map",
	"nsecs_to_jiffies", "page_offset_base", "sched_clock", "task_size", "this_cpu_off",
	"um_get_signals", "um_set_signals", "uml_curr_cpu", "uml_physmem",
	"vmemmap_base",
	/* tracepoints */
	"__trace_trigger_soft_disabled", "perf_trace_buf_alloc",
	"perf_trace_run_bpf_submit", "trace_event_buffer_commit",
	"trace_event_buffer_reserve", "trace_event_printf", "trace_handle_return",
	"trace_hardirqs_off", "trace_hardirqs_on", "trace_print_symbols_seq",
	"trace_raw_output_prep", "tracepoint_srcu",
};

/* What the compiler puts in, by families of names that are the compiler's own. */
static const char * const compilers[] = {
	"__asan_*", "__kasan_check_*", "__tsan_*", "__kcsan_check_access",
	"__ubsan_handle_*", "__sanitizer_cov_*", "__x86_indirect_thunk_*",
	"__x86_return_thunk", "__fentry__", "__stack_chk_fail",
};

/* Places where nothing is injected, and why. */
static const struct {
	const char *func, *callee, *why;
} excuses[] = {
	{ "rill_init", "*", "made to fail by failload.sh" },
	{ "rill_name_insert*", "rht_bucket_nested_insert",
	  "only while the table in use is nested: in between two runs of the core's worker" },
	{ "rill_msg_send*", "sock_wake_async",
	  "only where room comes in between EAGAIN and the wish to hear of some" },
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

static bool is_harmless(const char *sym)
{
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (!strcmp(harmless[i], sym))
			return true;
	return is_in(sym, compilers, ARRAY_SIZE(compilers));
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
static unsigned long section_base(const char *module, const char *name)
{
	char path[192], buf[64];

	snprintf(path, sizeof(path), "/sys/module/%s/sections/%s", module, name);
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

static int scan(struct elf *e, int rela, const char *module, struct ft_site **sites,
		int count)
{
	int section = e->sh[rela].sh_info, bad = 0;
	const char *name = e->names + e->sh[section].sh_name;
	const unsigned char *text = (void *)(e->data + e->sh[section].sh_offset);
	const struct elf64_rela *r = (void *)(e->data + e->sh[rela].sh_offset);
	size_t n = e->sh[rela].sh_size / sizeof(*r);
	unsigned long base = section_base(module, name);

	if (!base && strncmp(name, ".init", 5)) {
		printf("# nobody knows where %s has its %s\n", module, name);
		return -EUNATCH;
	}
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
		/* A table of caches, not a function. */
		if (!strcmp(callee, "kmalloc_caches"))
			continue;
		if (!word && !faults && is_harmless(callee))
			continue;
		fn = elf_function(e, section, r[i].r_offset);
		if (!word && !faults) {
			printf("# %s: %s calls %s: say in failnth's tables what that is\n",
			       module, fn ? e->str + fn->st_name : name, callee);
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
		s->module = module;
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

int ft_sites_read(const char *ko, const char *module, struct ft_site **sites,
		  int count)
{
	struct elf e = { 0 };
	int bad = 0, err = elf_open(&e, ko);

	if (err)
		count = err;
	for (int i = 0; count >= 0 && i < e.eh->e_shnum; i++) {
		int n;

		if (e.sh[i].sh_type != SHT_RELA ||
		    !(e.sh[e.sh[i].sh_info].sh_flags & SHF_EXECINSTR))
			continue;
		n = scan(&e, i, module, sites, count);
		if (n == -EUNATCH)
			bad = n;
		else
			count = n;
	}
	if (e.data && e.data != MAP_FAILED)
		munmap(e.data, e.size);
	return bad ?: count;
}
