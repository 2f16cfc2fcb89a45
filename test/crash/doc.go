// Package crash kills real nodes at random moments under a recorded load and compares everything that came out, record by
// record, with an undisturbed run of the same load.
//
// Loads and comparison are test/checker's. All of it needs real processes and has the build tag real (make crash; KILLS sets
// how often each node is killed, SEED the schedule). It starts and ends only its own processes.
package crash
