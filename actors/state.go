package actors

import (
	"bytes"
	"context"
	"fmt"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// stateVersion is the version of what partitions write to .state. A newer one is refused, so that a roll-back does not
// misread what a newer program wrote.
const stateVersion = 1

// Keys of .state that are no vehicle begin with a zero byte, which a vehicle's key never does: see source.
const commandKeyPrefix = "\x00command:"

// restored is a partition as its last commit left it.
type restored struct {
	checkpoint *trackmeshv1.Checkpoint // nil: there was none
	table      *table
	keys       map[string]int64 // idempotency keys applied → when, UTC ms
	remade     bool             // the fences' topic was made anew since the checkpoint
}

// restore reads the partition's state through the claim. It runs off the lane.
func restore(ctx context.Context, claim broker.Claim) (*restored, error) {
	r := &restored{table: newTable(), keys: map[string]int64{}}
	snapshots := map[string][]byte{}
	err := claim.Restore(ctx, func(rec *broker.Record) error {
		switch {
		case string(rec.Key) == broker.CheckpointKey:
			cp := &trackmeshv1.Checkpoint{}
			if err := cp.UnmarshalVT(rec.Value); err != nil {
				return fmt.Errorf("reading checkpoint: %w", err)
			}
			r.checkpoint = cp
		case bytes.HasPrefix(rec.Key, []byte(commandKeyPrefix)):
			r.restoreKey(string(rec.Key[len(commandKeyPrefix):]), rec)
		case rec.Value == nil:
			delete(snapshots, string(rec.Key))
		default:
			snapshots[string(rec.Key)] = rec.Value
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("restoring partition %d: %w", claim.Partition(), err)
	}
	if v := r.checkpoint.GetVersion(); v > stateVersion {
		return nil, fmt.Errorf("partition %d was written by a newer trackmesh (state version %d, this one knows %d): run that version or a newer one", claim.Partition(), v, stateVersion)
	}
	for vehicle, snapshot := range snapshots {
		tr, err := track.Restore(vehicle, snapshot)
		if err != nil {
			return nil, fmt.Errorf("restoring track %q: %w", vehicle, err)
		}
		r.table.add(vehicle, tr)
	}
	return r, nil
}

func (r *restored) restoreKey(key string, rec *broker.Record) {
	if rec.Value == nil {
		delete(r.keys, key)
		return
	}
	r.keys[key] = rec.Timestamp
}
