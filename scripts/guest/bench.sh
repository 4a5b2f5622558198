#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# In the guest: the benchmark, on a machine set up as a distribution would.
#
#	bench.sh [OPTION of bench...]
#	bench.sh --profile PEER,... [OPTION of bench...]
#
# The second form runs each peer under perf, and prints where the time goes.
set -u

# Sockets load their modules by themselves; a transport of vsock does not.
modprobe -a vsock_loopback tipc 2>/dev/null
# What systemd sets on every machine; the kernel's own 10 would cripple AF_UNIX.
echo 512 >/proc/sys/net/unix/max_dgram_qlen

if [ "${1:-}" != --profile ]; then
	exec bench "$@"
fi

peers=$2
shift 2
rc=0

# What the symbols belong to, the first that fits.
parts='
family      ^(__)?(rill|unix|tcp|inet|ip|tipc|vsock|virtio_transport|pipe|udp|anon_pipe|skb|sk|sock_(alloc|def|w|init|queue|recv_)|__?alloc_skb|__?kfree_skb|consume_skb|mutex|scm|queue_|pskb|datagram|pfifo|loopback|dev_|netif|napi|net_rx|process_backlog|nf_|ipv4|fib|__ip|__tcp|__dev|__netif|__sk)(_|$)
copy        copy|check_object|check_heap|virt_addr_valid|iov_iter|memcpy|_iter$|get_user|put_user
security    ^(security|aa|apparmor|tomoyo|bpf_lsm|selinux|smack|landlock|cap)_
epoll       ^(ep|epi|do_epoll|eventpoll|sys_epoll|__x64_sys_epoll|__se_sys_epoll|sock_poll|poll)_?
schedule    sched|task|wake|ttwu|enqueue|dequeue|pick_next|switch|prepare_to_wait|finish_wait|idle|update_(curr|load|rq|cfs|min)|put_prev|set_next|place_entity|reweight|_raw_spin|queued_spin|rcu|hrtimer|tick|clock|timer|irq|apic|ipi|resched|cpu_|cpumask
memory      kmem|kmalloc|kfree|slab|memcg|alloc_page|free_page|rmqueue|memset|clear_page|page_|obj_cgroup|charge|cmpxchg16b|cache_from|vm|folio
files       file|inode|dentry|^d_|evict|^(__)?fput|alloc_fd|iput|dput|path|fsnotify|locks_|sock_(create|close|release|alloc_inode)|sock_create|lookup|proc_|pid|map_id
call        syscall|sys_|sock|fget|fdget|fput|import|entry|exit_to_user|do_accept|vfs_|ksys_|new_sync|rw_verify|indirect_thunk|return_thunk|move_addr|rseq
'

# By part, from the list by symbol: of whom, in percent.
by_part() {
	awk -v parts="$parts" '
	BEGIN {
		n = split(parts, line, "\n")
		for (i = 1; i <= n; i++)
			if (split(line[i], w, " +") >= 2) {
				name[++m] = w[1]
				re[m] = w[2]
			}
	}
	$1 ~ /%$/ {
		share = $1 + 0
		part = "program"
		if ($0 ~ / \[k\] /) {
			part = "other"
			for (i = 1; i <= m; i++)
				if ($NF ~ re[i]) {
					part = name[i]
					break
				}
		}
		sum[part] += share
		all += share
	}
	END {
		for (part in sum)
			printf "%6.2f%%  %s\n", 100 * sum[part] / all, part
	}' "$1" | sort -rn
}

for peer in $(echo "$peers" | tr , ' '); do
	perf record -q -e cpu-clock -F 1999 -o /tmp/perf.data -- \
		bench --peers "$peer" "$@" >/tmp/bench.out || rc=1
	echo "==== $peer"
	grep -E '"what":"(sample|skip|fail)"' /tmp/bench.out
	# Two processes: by CPU, which is in the name that the benchmark gives them.
	perf report -i /tmp/perf.data --stdio --no-children \
		-F overhead,comm,dso,symbol >/tmp/perf.out 2>/tmp/perf.err || {
		cat /tmp/perf.err
		rc=1
	}
	grep -vE '^#?$|[(]Cannot load|more info| 0[.][0-3][0-9]%' /tmp/perf.out
	echo "# By part"
	by_part /tmp/perf.out
done
exit "$rc"
