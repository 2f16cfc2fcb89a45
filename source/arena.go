package source

// arenaBytes is how much is allocated at once: small, since one kept piece keeps all of it.
const arenaBytes = 16 << 10

// arena keeps pieces of bytes that are never written again, many in one allocation.
type arena struct{ free []byte }

// keep copies b; nil for nothing.
func (a *arena) keep(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	if len(b) > cap(a.free)-len(a.free) {
		if len(b) > arenaBytes/4 {
			return append([]byte(nil), b...)
		}
		a.free = make([]byte, 0, arenaBytes)
	}
	start := len(a.free)
	a.free = append(a.free, b...)
	return a.free[start:len(a.free):len(a.free)]
}
