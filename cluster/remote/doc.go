// Package remote carries questions between nodes over protoactor's remote: one actor a node takes what comes in, hands questions to
// the node's Handler and answers to those who wait for them.
//
// It owns the transport: deadlines, the limit of one message (large questions and answers go in pieces), connections that are dead,
// mutual TLS, and what a stranger may send. It refuses to know what the questions mean, to route them, and to repeat them: an Ask
// is one attempt, and its errors say whether the question may have arrived. Delivery is at most once.
//
// New opens the port and starts everything; Stop ends what is under way. It fails towards the asker only: with ErrGone when
// the peer cannot be reached or gossip says that it left, with the context's error when no answer came in time.
package remote
