//go:build real

package servers

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// userTicks is how Linux counts CPU time for programs: 100 a second on every architecture that we know.
const userTicks = 100

// CPU is the time that all brokers have spent so far, as Linux tells it; 0 where it cannot be told.
func (k *KafkaServer) CPU() (used time.Duration) {
	for _, n := range k.Nodes {
		if n.cmd == nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.cmd.Process.Pid))
		if err != nil {
			continue
		}
		// The name of the program may have spaces; what follows it has none. utime and stime are the 14th and 15th field.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		for _, f := range fields[11:13] {
			ticks, _ := strconv.ParseInt(f, 10, 64)
			used += time.Duration(ticks) * time.Second / userTicks
		}
	}
	return used
}
