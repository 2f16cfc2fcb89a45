package fleet

import (
	"errors"
	"fmt"
	"time"
)

// Options of a Fleet.
type Options struct {
	// Vehicles is how many. At least one.
	Vehicles int
	// Seed decides everything that is random.
	Seed uint64
	// Interval is the time between two reports of a vehicle. Default 2 s.
	Interval time.Duration
	// Start is the time from which vehicles report.
	Start time.Time
	// Prefix begins each vehicle's id, which goes on with its number from 1. Default "taxi-".
	Prefix string
}

// Validate reports every bad field at once.
func (o Options) Validate() error {
	var errs []error
	if o.Vehicles < 1 || o.Vehicles > maxVehicles {
		errs = append(errs, fmt.Errorf("vehicles: %d is not between 1 and %d", o.Vehicles, maxVehicles))
	}
	if o.Interval < 0 || o.Interval > 0 && o.Interval < time.Millisecond {
		errs = append(errs, fmt.Errorf("interval: %s is below 1ms", o.Interval))
	}
	if o.Start.IsZero() {
		errs = append(errs, errors.New("start: is missing"))
	}
	return errors.Join(errs...)
}

const maxVehicles = 1_000_000

// Fleet is many vehicles on one network. It serves one goroutine.
type Fleet struct {
	network  *Network
	hubs     *hubs
	seed     uint64
	interval int64 // ms
	vehicles []vehicle
	ids      []string
	// reported is up to when vehicles have reported, UTC ms. Vehicle i reports i/len of an interval after multiples of it.
	reported int64
	out      []Observation
}

// New puts the vehicles where they are at Start.
func New(network *Network, o Options) (*Fleet, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Interval == 0 {
		o.Interval = 2 * time.Second
	}
	if o.Prefix == "" {
		o.Prefix = "taxi-"
	}
	f := &Fleet{
		network: network, hubs: network.goals(), seed: o.Seed, interval: o.Interval.Milliseconds(), reported: o.Start.UnixMilli(),
		vehicles: make([]vehicle, o.Vehicles), ids: make([]string, o.Vehicles),
	}
	now := seconds(f.reported)
	for i := range f.vehicles {
		v := &f.vehicles[i]
		f.ids[i] = fmt.Sprintf("%s%04d", o.Prefix, i+1)
		v.number = uint64(i) //nolint:gosec // an index
		r := seeded(f.seed, v.number)
		v.phase = r.between(0, shiftSeconds)
		v.stand = goal{f.hubs.draw(&r), 1 + r.below(maxTail), random(r.next())}
		f.begin(v, now)
		f.advance(v, now)
	}
	return f, nil
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

// Step returns what vehicles report between the last Step and now, in the order of time: each vehicle once every interval. After a pause
// of more than an interval each reports once, for its newest time. The slice is valid until the next Step; now may not be
// before an earlier one (nothing is reported then).
func (f *Fleet) Step(now time.Time) []Observation {
	f.out = f.out[:0]
	to := now.UnixMilli()
	from := max(f.reported, to-f.interval)
	if to <= from {
		return nil
	}
	f.reported = to
	// Vehicles report at base + i·interval/n: those of the round that is under way, then those of the next.
	for round := from / f.interval; round <= to/f.interval; round++ {
		base := round * f.interval
		for i := f.after(from - base); i < len(f.vehicles); i++ {
			at := base + f.offset(i)
			if at > to {
				break
			}
			f.out = append(f.out, f.observe(i, at))
		}
	}
	return f.out
}

// offset of a vehicle's reports within the interval, in ms.
func (f *Fleet) offset(i int) int64 { return int64(i) * f.interval / int64(len(f.vehicles)) }

// after is the first vehicle whose offset is above that.
func (f *Fleet) after(offset int64) int {
	if offset < 0 {
		return 0
	}
	n := int64(len(f.vehicles))
	i := int(min(n, offset*n/f.interval))
	for i < len(f.vehicles) && f.offset(i) <= offset {
		i++
	}
	return i
}
