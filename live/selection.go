package live

// Selection is some of a fleet's partitions, to ask for what these know and nothing else: an answer to another node must hold each
// partition once.
type Selection struct {
	fleet *Fleet
	only  []int32 // nil: all
}

// Select names partitions. Those that the fleet does not have count as missing.
func (f *Fleet) Select(partitions []int32) Selection {
	return Selection{fleet: f, only: append([]int32{}, partitions...)}
}

func (f *Fleet) all() Selection { return Selection{fleet: f} }

// each calls fn with the open partitions and says which there are.
func (s Selection) each(fn func(*Partition)) Coverage {
	c := Coverage{Missing: []int32{}}
	look := func(p int32) {
		c.Asked++
		part := s.fleet.at(p)
		if part == nil {
			c.Missing = append(c.Missing, p)
			return
		}
		c.Answered++
		fn(part)
	}
	if s.only == nil {
		for i := range s.fleet.parts {
			look(int32(i)) //nolint:gosec // partitions are int32
		}
		return c
	}
	for _, p := range s.only {
		look(p)
	}
	return c
}

// at is a partition's index, or nil when it does not run here or there is none of that number.
func (f *Fleet) at(p int32) *Partition {
	if p < 0 || int(p) >= len(f.parts) {
		return nil
	}
	return f.parts[p].Load()
}
