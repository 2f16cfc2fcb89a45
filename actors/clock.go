package actors

import "time"

// clock is the partition's event clock: the highest event time seen, which goes on by elapsed time while nothing comes.
//
// base and wall are the pair that the checkpoint holds: the event clock, and the node's clock when it was last moved by a record.
type clock struct {
	event int64 // UTC ms
	base  int64
	wall  int64
}

// quietAfter is how long a partition must be without records before its clock goes on by itself.
const quietAfter = 2 * time.Second

func (c *clock) observe(eventTime, now int64) {
	c.event = max(c.event, eventTime)
	c.base, c.wall = c.event, now
}

// elapse moves the clock on by what went by since the last record: never past the node's clock, never back.
func (c *clock) elapse(now int64) {
	if c.base == 0 || now-c.wall < quietAfter.Milliseconds() {
		return
	}
	c.event = max(c.event, min(now, c.base+now-c.wall))
}
