package capture

import (
	"fmt"
	"slices"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
)

// forbidden are system calls that a process which captures never makes, and which someone who took it over would: starting
// programs, reaching into other processes, the kernel's code, its keys and clock, file systems and namespaces.
var forbidden = []string{
	"execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd", "pidfd_open",
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "iopl", "ioperm", "modify_ldt", "personality",
	"mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
	"open_by_handle_at", "name_to_handle_at", "swapon", "swapoff", "quotactl", "quotactl_fd", "acct", "mknod", "mknodat",
	"unshare", "setns", "clone3", "vfork",
	"add_key", "keyctl", "request_key", "lookup_dcookie", "vhangup", "syslog",
	"settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname",
	"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "capset",
	"memfd_create", "memfd_secret", "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown", "setxattr", "fsetxattr", "lsetxattr",
}

// denySyscalls makes the forbidden system calls fail in all threads; 0 where the kernel has no filters. It takes capset
// away too, so it is the last step.
func denySyscalls() (int, error) {
	if !seccomp.Supported() {
		return 0, nil
	}
	info, err := arch.GetInfo("")
	if err != nil {
		return 0, fmt.Errorf("seccomp: %w", err)
	}
	names := slices.DeleteFunc(slices.Clone(forbidden), func(n string) bool { _, ok := info.SyscallNames[n]; return !ok })
	err = seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls:      []seccomp.SyscallGroup{{Action: seccomp.ActionErrno, Names: names}},
	}})
	if err != nil {
		return 0, fmt.Errorf("seccomp: %w", err)
	}
	return len(names), nil
}
