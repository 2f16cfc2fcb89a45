//go:build real

package servers

import "syscall"

// ownGroup makes the server lead a process group, which ends with the test binary however that ends.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
