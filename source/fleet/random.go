package fleet

// random is a splitmix64 sequence (S. Vigna, public domain): eight bytes of state, and any state is a good one.
type random uint64

const golden = 0x9e3779b97f4a7c15

func (r *random) next() uint64 {
	*r += golden
	return scramble(uint64(*r))
}

func scramble(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// seeded mixes numbers into a state.
func seeded(parts ...uint64) random {
	z := uint64(golden)
	for _, p := range parts {
		z = scramble(z ^ p)
	}
	return random(z)
}

// unit is in [0, 1).
func (r *random) unit() float64 { return float64(r.next()>>11) / (1 << 53) }

// between is in [low, high).
func (r *random) between(low, high float64) float64 { return low + r.unit()*(high-low) }

// below is in [0, n).
func (r *random) below(n int) int { return int(r.next() % uint64(n)) } //nolint:gosec // n is positive
