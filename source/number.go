package source

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"
)

// exactPowers are the powers of ten that a float64 holds exactly.
var exactPowers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// parseFloat reads a decimal number with spaces round it. False: it is none, or none that is finite. Up to 2^53 and 22 decimals
// one division of exact numbers is correctly rounded (W. Clinger, How to read floating point numbers accurately, 1990).
func parseFloat(b []byte) (float64, bool) {
	var mantissa uint64
	decimals, digits, dot := 0, 0, false
	i := 0
	if len(b) > 0 && b[0] == '-' {
		i = 1
	}
	for ; i < len(b); i++ {
		switch c := b[i] - '0'; {
		case c <= 9:
			mantissa = mantissa*10 + uint64(c)
			digits++
			if dot {
				decimals++
			}
		case b[i] == '.' && !dot:
			dot = true
		default:
			return parseFloatSlowly(b)
		}
	}
	if digits == 0 || digits > 18 || mantissa > 1<<53 {
		return parseFloatSlowly(b)
	}
	x := float64(mantissa) / exactPowers[decimals]
	if b[0] == '-' {
		x = -x
	}
	return x, true
}

func parseFloatSlowly(b []byte) (float64, bool) {
	b = bytes.TrimSpace(b)
	for _, c := range b { // strconv knows hexadecimals, underscores and inf too
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	x, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64)
	return x, err == nil && !math.IsInf(x, 0)
}
