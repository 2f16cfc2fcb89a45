package sinks

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/broker"
)

// Lag is how far a sink is in one partition of one stream.
type Lag struct {
	Stream      broker.Stream
	Partition   int32
	Cursor, End int64
}

// Records is how many offsets are not acknowledged yet.
func (l Lag) Records() int64 { return l.End - l.Cursor }

// view is what others may see of a pump. All fields are guarded by mu.
type view struct {
	mu      sync.Mutex
	lags    map[lane]Lag
	failing map[any]error // by batch or lane
	gaps    []alarm
}

type alarm struct {
	err   error
	until time.Time
}

// maxAlarms bounds what Health repeats.
const maxAlarms = 64

func newView() *view { return &view{lags: map[lane]Lag{}, failing: map[any]error{}} }

// Lags returns the lag of every partition and stream, in that order.
func (p *Pump) Lags() []Lag {
	p.state.mu.Lock()
	defer p.state.mu.Unlock()
	lags := make([]Lag, 0, len(p.state.lags))
	for _, l := range p.state.lags {
		lags = append(lags, l)
	}
	slices.SortFunc(lags, func(a, b Lag) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Stream, b.Stream))
	})
	return lags
}

// Health returns nil while the store takes what it is given and no record was missed lately, else why not.
func (p *Pump) Health() error {
	v := p.state
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gaps = slices.DeleteFunc(v.gaps, func(a alarm) bool { return !time.Now().Before(a.until) })
	var errs []error
	for _, err := range v.failing {
		errs = append(errs, err)
		break // the others say the same
	}
	for _, a := range v.gaps {
		errs = append(errs, a.err)
	}
	return errors.Join(errs...)
}

// fail notes why something fails, nil that it does no more, and returns whether that is the first failure.
func (v *view) fail(of any, err error) (first bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err == nil {
		delete(v.failing, of)
		return false
	}
	first = len(v.failing) == 0
	v.failing[of] = err
	return first
}

func (v *view) gap(err error, lasts time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.gaps) < maxAlarms {
		v.gaps = append(v.gaps, alarm{err, time.Now().Add(lasts)})
	}
}

func (v *view) set(l lane, lag Lag) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lags[l] = lag
}

func (v *view) drop(l lane) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.lags, l)
	delete(v.failing, l)
}
