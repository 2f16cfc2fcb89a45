// Package backtest runs a fence over history: the events that it would have made of the fixes that are stored.
//
// It owns the reading of history in pages and the life of the tracks meanwhile; what a fix means is package track's: there is no
// second implementation. It refuses fences that follow a vehicle, and questions without a beginning and an end. Nobody starts
// or stops it: Run ends with its context, its limit, or history. It fails with the store's error, or the one of emit.
package backtest
