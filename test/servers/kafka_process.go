//go:build real

package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is one server process and the group that it leads.
//
//	(none) ──start──> running ──stop, kill──> (none)
//	                   │    ^
//	                 pause  resume
type process struct {
	logFile string
	cmd     *exec.Cmd
	exited  chan struct{}
}

// start runs the command with its output appended to the log file.
func (p *process) start(cmd *exec.Cmd) error {
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own handle
	cmd.Stdout, cmd.Stderr = log, log
	attr := ownGroup()
	if cmd.SysProcAttr != nil { // the user that it runs as
		attr.Credential = cmd.SysProcAttr.Credential
	}
	cmd.SysProcAttr = attr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // a server that we end has no exit code worth knowing
		close(exited)
	}()
	p.cmd, p.exited = cmd, exited
	return nil
}

func (p *process) signal(sig syscall.Signal) error {
	if p.cmd == nil {
		return errors.New("the server is not running")
	}
	select {
	case <-p.exited:
		return errors.New("the server has ended by itself:\n" + p.logTail())
	default:
		return syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// end sends the signal, waits, and after grace kills.
func (p *process) end(sig syscall.Signal, grace time.Duration) {
	if p.cmd == nil {
		return
	}
	_ = p.signal(sig)
	select {
	case <-p.exited:
	case <-time.After(grace):
		_ = p.signal(syscall.SIGKILL)
		<-p.exited
	}
	p.cmd = nil
}

func (p *process) logTail() string {
	content, _ := os.ReadFile(p.logFile)
	return string(content[max(0, len(content)-4096):])
}
