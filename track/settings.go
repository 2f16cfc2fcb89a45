package track

import (
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

// Env is what a track is told with each input. Its owner fills it anew; a track keeps nothing of it.
type Env struct {
	Settings *Settings
	Fences   *fence.Set
	// EventClock is the partition's running maximum of event times, this input included; ClockBefore the same without it.
	// A track behaves as if it had been ticked at ClockBefore, so it does not matter how records were batched. UTC ms.
	EventClock, ClockBefore int64

	inside, passed []*fence.Fence // scratch
	left           []string       // scratch: fences that the present step left
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

// maxHeld bounds the fixes that a track holds in its reorder window.
const maxHeld = 512

// overrides are a track's own settings; zero means the node's.
type overrides struct {
	stopRadiusMetres    float64
	stopAfter, gapAfter int64 // ms
	jumpSpeedMPS        float64
	pathFixes           int
}

func (t *Track) stopRadius(env *Env) float64 {
	if t.own != nil && t.own.stopRadiusMetres > 0 {
		return t.own.stopRadiusMetres
	}
	return env.Settings.StopRadiusMetres
}

func (t *Track) stopAfter(env *Env) int64 {
	if t.own != nil && t.own.stopAfter > 0 {
		return t.own.stopAfter
	}
	return env.Settings.StopAfter.Milliseconds()
}

func (t *Track) jumpSpeed(env *Env) float64 {
	if t.own != nil && t.own.jumpSpeedMPS > 0 {
		return t.own.jumpSpeedMPS
	}
	return env.Settings.JumpSpeedMPS
}

func (t *Track) pathFixes(env *Env) int {
	if t.own != nil && t.own.pathFixes > 0 {
		return t.own.pathFixes
	}
	return env.Settings.PathFixes
}
