package node

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/source"
	"github.com/trackmesh/trackmesh/source/fleet"
)

// demoSeed makes every demo the same fleet.
const demoSeed = 1

// demoStep is how often the demo's observations are sent: each vehicle reports every 2 s, spread over that time.
const demoStep = 250 * time.Millisecond

// putDemoFences writes the airports and boroughs where there is no fence at all yet: a user's deletions stay deleted.
func (n *Node) putDemoFences(ctx context.Context) error {
	_, end, err := n.log.Bounds(ctx, broker.Fences, 0)
	if err != nil || !n.opts.DemoOn() || end > 0 {
		return err
	}
	var fences []*fence.Fence
	for _, f := range fleet.DemoFences() {
		parsed, err := fence.Parse(f.ID, f.Feature, 0)
		if err != nil {
			return fmt.Errorf("reading the demo's fence %s: %w", f.ID, err)
		}
		fences = append(fences, parsed)
	}
	version, err := n.board.PutAll(ctx, fences)
	if err != nil {
		return err
	}
	return n.board.Await(ctx, version)
}

// startDemo sends what the simulated fleet reports to the input topic, as any producer would.
func (n *Node) startDemo(context.Context) error { //nolint:contextcheck // the fleet drives until the node stops, not until it has started
	if !n.opts.DemoOn() {
		return nil
	}
	network, err := n.demoNetwork()
	if err != nil {
		return err
	}
	simulated, err := fleet.New(network, fleet.Options{Vehicles: n.opts.DemoVehicles, Seed: demoSeed, Start: time.Now()})
	if err != nil {
		return fmt.Errorf("simulating the fleet: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.driveDemo(ctx, simulated)
	}()
	n.onStop("demo", func(context.Context) error { cancel(); <-done; return nil })
	return nil
}

func (n *Node) demoNetwork() (*fleet.Network, error) {
	if n.opts.Streets == "" {
		return fleet.NewYork()
	}
	f, err := os.Open(n.opts.Streets)
	if err != nil {
		return nil, fmt.Errorf("--streets: %w", err)
	}
	defer f.Close()
	network, err := fleet.ReadStreets(f)
	if err != nil {
		return nil, fmt.Errorf("--streets %s: %w", n.opts.Streets, err)
	}
	return network, nil
}

func (n *Node) driveDemo(ctx context.Context, simulated *fleet.Fleet) {
	ticker := time.NewTicker(demoStep)
	defer ticker.Stop()
	alarmed := false
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			_, err := n.log.Produce(ctx, n.demoRecords(simulated.Step(now)))
			if err != nil && !alarmed && ctx.Err() == nil {
				n.logger.Warn("the demo's positions cannot be stored; trying on", "err", err)
			}
			alarmed = err != nil
		}
	}
}

func (n *Node) demoRecords(observations []fleet.Observation) []broker.Record {
	records := make([]broker.Record, len(observations))
	for i := range observations {
		o := &observations[i]
		records[i] = broker.Record{
			Stream: broker.Input, Partition: n.host.Home(o.Vehicle), Key: []byte(o.Vehicle), Value: o.AppendJSON(nil),
			Headers: []broker.Header{{Key: source.HeaderContentType, Value: []byte("application/json")}}, Timestamp: o.Time,
		}
	}
	return records
}
