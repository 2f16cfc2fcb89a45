package actors

import (
	"strconv"
	"time"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// command sends a durable message to its track. One for a vehicle that nobody has seen makes nothing but a count: a
// message cannot make a track.
func (p *partition) command(rec *broker.Record, now int64) {
	cmd := &trackmeshv1.Command{}
	if err := cmd.UnmarshalVT(rec.Value); err != nil {
		p.refuse(rec, "unparsable", "not a Command: "+err.Error())
		return
	}
	if len(cmd.GetIdempotencyKey()) > maxNameBytes {
		p.refuse(rec, "unparsable", "its idempotency key is longer than "+strconv.Itoa(maxNameBytes)+" bytes")
		return
	}
	if p.applied(cmd.GetIdempotencyKey(), now) {
		p.tally.outcomes["command_repeated"]++
		return
	}
	e := p.table.byVehicle[cmd.GetVehicle()]
	if e == nil {
		p.tally.outcomes["command_unknown_vehicle"]++
		return
	}
	p.send(e, &commandMessage{command: cmd, record: rec}, now)
}

// applied notes an idempotency key in the next commit and reports whether it was there already.
func (p *partition) applied(key string, now int64) bool {
	if key == "" {
		return false
	}
	if !p.keys.add(key, now) {
		return true
	}
	p.pending.add(broker.State, p.id, p.pending.text(commandKeyPrefix+key), []byte{1}, 0)
	return false
}

// forgetKeys drops the idempotency keys that are old or too many from the state, some of them in each commit.
func (p *partition) forgetKeys(now time.Time) {
	before := now.Add(-keysKept).UnixMilli()
	for range maxKeysDropped {
		key, ok := p.keys.drop(before, maxKeys)
		if !ok {
			return
		}
		p.pending.add(broker.State, p.id, p.pending.text(commandKeyPrefix+key), nil, 0)
	}
}

func parseUint(b []byte) (uint64, error) { return strconv.ParseUint(string(b), 10, 64) }
