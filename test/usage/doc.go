// Package usage says what this process has used of the machine. It is for measuring only: on a machine with other work the clock
// says little. Nobody starts or stops it; what cannot be found out is 0.
package usage
