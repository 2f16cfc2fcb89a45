package ownership

import (
	"context"
	"sync"
	"time"
)

// take starts what the group has given to this node. It returns at once, as the group's callbacks must.
func (k *Keeper) take(partitions []int32) {
	for _, p := range partitions {
		k.opts.Host.Start(p)
	}
	k.change(func() {
		k.joined = true
		for _, p := range partitions {
			k.assigned[p] = struct{}{}
		}
	})
	if len(partitions) > 0 {
		k.metrics.moves.WithLabelValues("assigned").Add(float64(len(partitions)))
		k.opts.Logger.Info("partitions assigned to this node", "assigned", partitions)
	}
}

// release commits and stops what goes to other nodes, all at the same time. Who is not ready in time is fenced by the next
// owner's claim, and what it could not commit is done again there.
func (k *Keeper) release(partitions []int32) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), revokeWait)
	defer cancel()
	var stopping sync.WaitGroup
	for _, p := range partitions {
		stopping.Go(func() {
			if err := k.opts.Host.Stop(ctx, p); err != nil {
				k.opts.Logger.Warn("a partition that moves could not commit its last batch; its next owner does it again", "partition", p, "err", err)
			}
		})
	}
	stopping.Wait()
	k.drop(partitions)
	k.metrics.moves.WithLabelValues("revoked").Add(float64(len(partitions)))
	k.opts.Logger.Info("partitions given to other nodes", "revoked", partitions, "took", time.Since(began))
}

// lose stops everything without a commit: the group has counted this node out, and others may run its partitions already.
func (k *Keeper) lose(partitions []int32) {
	for _, p := range partitions {
		k.opts.Host.Abandon(p)
	}
	k.drop(partitions)
	if len(partitions) > 0 {
		k.metrics.moves.WithLabelValues("lost").Add(float64(len(partitions)))
		k.opts.Logger.Warn("the group has counted this node out; it joins again", "lost", partitions)
	}
}

func (k *Keeper) drop(partitions []int32) {
	k.change(func() {
		for _, p := range partitions {
			delete(k.assigned, p)
		}
	})
}
