package track

import (
	"errors"
	"time"

	"github.com/trackmesh/trackmesh/fence"
)

// Settings are the numbers of the semantics. They are the node's; a track may override some of them (Configure).
type Settings struct {
	StopRadiusMetres float64
	StopAfter        time.Duration
	GapAfter         time.Duration
	JumpSpeedMPS     float64
	ReorderWindow    time.Duration
	ExitMarginMetres float64
	ForgetAfter      time.Duration
	PathFixes        int // fixes kept in memory
}

// DefaultSettings are those that docs/semantics.md names.
func DefaultSettings() Settings {
	return Settings{
		StopRadiusMetres: 50, StopAfter: time.Minute, GapAfter: 5 * time.Minute, JumpSpeedMPS: 100,
		ExitMarginMetres: 40, ForgetAfter: 720 * time.Hour, PathFixes: 256,
	}
}

// Validate names all settings under which the semantics would make no sense.
func (s *Settings) Validate() error {
	var errs []error
	for _, c := range []struct {
		name string
		good bool
	}{
		{"StopRadiusMetres must be above 0", s.StopRadiusMetres > 0 && s.StopRadiusMetres <= 1e6},
		{"StopAfter must be above 0", s.StopAfter > 0},
		{"GapAfter must be above 0", s.GapAfter > 0},
		{"JumpSpeedMPS must be above 0", s.JumpSpeedMPS > 0},
		{"ReorderWindow must not be below 0", s.ReorderWindow >= 0},
		{"ExitMarginMetres must not be below 0", s.ExitMarginMetres >= 0 && s.ExitMarginMetres <= 1e6},
		{"ForgetAfter must be above 0", s.ForgetAfter > 0},
		{"PathFixes must not be below 0", s.PathFixes >= 0},
	} {
		if !c.good {
			errs = append(errs, errors.New("track: "+c.name))
		}
	}
	return errors.Join(errs...)
}

// Env is what a track is told with each input. Its owner fills it anew; a track keeps nothing of it.
type Env struct {
	Settings *Settings
	Fences   *fence.Set
	// EventClock is the partition's running maximum of event times, this input included, UTC ms: what it shows is done before the
	// input is, so it does not matter how records were batched.
	EventClock int64

	// Scratch, of the present step: the fences that its fix is inside, those that it passed, entered and left.
	inside, passed, entered []*fence.Fence
	left                    []string
}

// Outcome is what became of a fix.
type Outcome uint8

// A held fix waits for its time in the reorder window; what becomes of it then is not reported again.
const (
	Accepted Outcome = iota
	Duplicate
	Late
	Jump
	Held
)

func (o Outcome) String() string {
	return [...]string{"accepted", "duplicate", "late", "jump", "held"}[o]
}

// overrides are a track's own settings; zero means the node's.
type overrides struct {
	stopRadiusMetres    float64
	stopAfter, gapAfter int64 // ms
	jumpSpeedMPS        float64
	pathFixes           int32
}

func (t *Track) stopRadius(env *Env) float64 {
	if t.rare != nil && t.rare.own.stopRadiusMetres > 0 {
		return t.rare.own.stopRadiusMetres
	}
	return env.Settings.StopRadiusMetres
}

func (t *Track) stopAfter(env *Env) int64 {
	if t.rare != nil && t.rare.own.stopAfter > 0 {
		return t.rare.own.stopAfter
	}
	return env.Settings.StopAfter.Milliseconds()
}

func (t *Track) gapAfter(env *Env) int64 {
	if t.rare != nil && t.rare.own.gapAfter > 0 {
		return t.rare.own.gapAfter
	}
	return env.Settings.GapAfter.Milliseconds()
}

func (t *Track) jumpSpeed(env *Env) float64 {
	if t.rare != nil && t.rare.own.jumpSpeedMPS > 0 {
		return t.rare.own.jumpSpeedMPS
	}
	return env.Settings.JumpSpeedMPS
}

func (t *Track) pathFixes(env *Env) int {
	if t.rare != nil && t.rare.own.pathFixes > 0 {
		return int(t.rare.own.pathFixes)
	}
	return min(env.Settings.PathFixes, maxPathFixes)
}
