//go:build unix

package usage

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CPU is the time that this process has spent so far, in user and in system mode.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// PeakResident is the most memory that the process ever had, in bytes, as Linux counts it.
func PeakResident() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return int64(u.Maxrss) * 1000 // of kilobytes
}

// Waited is for how long threads of this process were ready to run and had no processor, as Linux tells it; 0 elsewhere.
func Waited() (waited time.Duration) {
	tasks, err := filepath.Glob("/proc/self/task/*/schedstat")
	if err != nil {
		return 0
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(task)
		if fields := strings.Fields(string(stat)); err == nil && len(fields) > 1 {
			ns, _ := strconv.ParseInt(fields[1], 10, 64)
			waited += time.Duration(ns)
		}
	}
	return waited
}

// Resident is the process's resident set in bytes, as Linux tells it; 0 elsewhere.
func Resident() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}
