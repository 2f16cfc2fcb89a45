package actors

import (
	"context"
	"maps"
	"time"

	"github.com/trackmesh/trackmesh/broker"
)

// Progress in the input is told to the log as cursors, so that standard tools show the lag and the embedded log deletes last what is
// not handled yet. Nothing is ever started from them: that is the checkpoint's.
const (
	// ProgressCursor is the cursors' name: that of the group itself.
	ProgressCursor   = ""
	progressInterval = 3 * time.Second
	progressTimeout  = 10 * time.Second
	// progressRefresh repeats cursors that did not move, lest they expire.
	progressRefresh = time.Hour
)

// tellProgress runs until the host is closed.
func (h *Host) tellProgress() {
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	var told map[int32]int64
	var at time.Time
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-ticker.C:
		}
		now := h.committedOffsets()
		if len(now) == 0 || (maps.Equal(now, told) && time.Since(at) < progressRefresh) {
			continue
		}
		ctx, cancel := context.WithTimeout(h.ctx, progressTimeout)
		err := h.opts.Log.StoreCursors(ctx, ProgressCursor, broker.Input, now)
		cancel()
		if err != nil && h.ctx.Err() == nil {
			h.opts.Logger.Warn("telling the log how far the input is handled failed; trying again", "err", err)
			continue
		}
		told, at = now, time.Now()
	}
}

// committedOffsets is the input offset of each running partition as of its last commit.
func (h *Host) committedOffsets() map[int32]int64 {
	offsets := map[int32]int64{}
	for _, s := range h.Status() {
		if s.State == "running" {
			offsets[s.Partition] = s.Committed
		}
	}
	return offsets
}
