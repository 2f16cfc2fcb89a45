package checker

import (
	"fmt"
	"math/rand/v2"
)

// Step is one move of a client that sends a vehicle's positions and messages one after the other, each when the one before has
// been acknowledged. What comes out of such a client is the same whatever dies, or messages are not applied once and in order.
type Step struct {
	Vehicle string
	// Fix is a record; its attribute n is the step's number. Empty: the step is a message.
	Fix string
	// Message is the body of POST …/messages.
	Message string
}

// Script is a seeded client's steps, in order: fixes 30 m apart, with messages between them whose effect later fixes show
// (an odometer that was reset, stops of another radius).
func Script(seed uint64, vehicles []string, steps int) []Step {
	random := rand.New(rand.NewPCG(seed, 4))
	type place struct {
		lon  float64
		sent int
	}
	places := make([]place, len(vehicles))
	var script []Step
	for n := range steps {
		i := random.IntN(len(vehicles))
		p := &places[i]
		// A message needs a track to go to, and the fix after it shows its effect.
		if p.sent > 0 && random.IntN(3) == 0 {
			script = append(script, Step{Vehicle: vehicles[i], Message: message(random, n)})
		}
		p.sent++
		p.lon += 0.0004
		script = append(script, Step{Vehicle: vehicles[i], Fix: fmt.Sprintf(
			`{"vehicle":%q,"time":%d,"longitude":%.6f,"latitude":40.75,"n":%d}`, vehicles[i], loadStart+n*5000, -73.995+p.lon, n)})
	}
	return script
}

func message(random *rand.Rand, n int) string {
	switch random.IntN(4) {
	case 0:
		return fmt.Sprintf(`{"configure":{"stop_radius_metres":%d,"stop_after_seconds":%d}}`, 20+random.IntN(200), 10+random.IntN(60))
	case 1:
		return fmt.Sprintf(`{"annotate":{"n":"%d"}}`, n)
	default:
		return `{"reset_odometer":{}}`
	}
}
