// Package fleet simulates vehicles that drive along a street network: the demo's taxis.
//
// It owns the network (New York's is generated here, see newyork.go; others come from GeoJSON), the itineraries, the way a
// vehicle moves, and what its receiver reports. It refuses to send anything: Step returns observations, the caller sends them.
// It has no goroutine and no clock of its own; New and ReadStreets fail by returning an error, Step cannot fail.
//
// # Itineraries
//
// A vehicle's day is cut into shifts of three hours. A shift begins and ends at the vehicle's own stand; what is in between
// (pick-up, drive, drop-off, a break) is drawn from a random sequence that depends on nothing but the seed, the vehicle and the
// number of the shift. So where a vehicle is depends on the seed and the time only: whoever starts a fleet again, or a second
// one, finds each vehicle where the first one has it, and none leaps. New drives every vehicle from its shift's beginning to
// Start, which costs about 20 µs a vehicle. Shifts begin at different times for different vehicles.
//
// # Driving
//
// A vehicle always drives to one of a few dozen hubs, for each of which the fastest way from every node is known (one Dijkstra
// search each, in New), and then a few streets on at random. So no search ever runs in Step. On each street it gains speed, holds it
// and brakes for what comes at its end: a turn, a red light, its goal. That is computed once a street; Step evaluates it.
package fleet
