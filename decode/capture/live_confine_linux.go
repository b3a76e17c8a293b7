package capture

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Confine gives up what a capturing process does not need once its sockets are open: it sets no_new_privs, drops every
// capability and, where the kernel has Landlock, every file that is not open yet but those in n.Dirs, and TCP; where it has
// seccomp, system calls that start programs or change the system fail from then on. It is for the time
// before the first octet of a stranger is parsed, and cannot be taken back.
func Confine(n Needs) (c Confinement, err error) {
	_, _ = time.Now().Zone() // reads the time zone, which is a file
	if _, _, e := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); e != 0 {
		if e == unix.ENOTSUP {
			return c, errors.New("this program was built with cgo, which keeps Go from doing it for all threads: build it with CGO_ENABLED=0")
		}
		return c, fmt.Errorf("no_new_privs: %w", e)
	}
	c.NoNewPrivs = true
	// Landlock before the capabilities: a directory may be out of reach without them, and is then of no use anyway.
	if c.Landlock, err = landlock(n); err != nil {
		c.Landlock = 0
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, e := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&hdr)), uintptr(unsafe.Pointer(&none[0])), 0)
	runtime.KeepAlive(&hdr)
	runtime.KeepAlive(&none)
	if e != 0 {
		return c, fmt.Errorf("dropping capabilities: %w", e)
	}
	c.Capabilities = true
	var serr error
	if c.Seccomp, serr = denySyscalls(); err == nil {
		err = serr
	}
	return c, err
}

// Rights over files, linux/landlock.h.
const (
	llWriteFile  = 1 << 1
	llReadFile   = 1 << 2
	llReadDir    = 1 << 3
	llRemoveFile = 1 << 5
	llMakeReg    = 1 << 8
	llTruncate   = 1 << 14
)

// landlock restricts all threads and gives the version of the interface; 0 where the kernel has none.
func landlock(n Needs) (int, error) {
	v, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1) // LANDLOCK_CREATE_RULESET_VERSION
	version := int(v)
	if e != 0 || version < 1 {
		return 0, nil
	}
	// What is handled is forbidden but for the rules: files; since version 4 TCP; since 6 signals and abstract sockets.
	attr, size := [3]uint64{1<<13 - 1, 3, 3}, uintptr(8)
	for _, v := range []int{2, 3, 5} { // moving between directories, truncating, ioctl
		if version >= v {
			attr[0] = attr[0]<<1 | 1
		}
	}
	switch {
	case version >= 6:
		size = 24
	case version >= 4:
		size = 16
	}
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if e != 0 {
		return 0, fmt.Errorf("landlock: %w", e)
	}
	defer unix.Close(int(fd))
	for _, dir := range n.Dirs {
		at, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return 0, fmt.Errorf("landlock: %s: %w", dir, err)
		}
		var rule [12]byte // struct landlock_path_beneath_attr is packed
		*(*uint64)(unsafe.Pointer(&rule[0])) = attr[0] & (llWriteFile | llReadFile | llReadDir | llRemoveFile | llMakeReg | llTruncate)
		*(*int32)(unsafe.Pointer(&rule[8])) = int32(at)
		_, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, fd, 1, uintptr(unsafe.Pointer(&rule[0])), 0, 0, 0)
		unix.Close(at)
		if e != 0 {
			return 0, fmt.Errorf("landlock: %s: %w", dir, e)
		}
	}
	if n.Connect != 0 && version >= 4 {
		rule := [2]uint64{2, uint64(n.Connect)} // LANDLOCK_ACCESS_NET_CONNECT_TCP
		if _, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, fd, 2, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); e != 0 {
			return 0, fmt.Errorf("landlock: port %d: %w", n.Connect, e)
		}
	}
	if _, _, e := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); e != 0 {
		return 0, fmt.Errorf("landlock: %w", e)
	}
	return version, nil
}
