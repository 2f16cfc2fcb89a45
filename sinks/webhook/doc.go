// Package webhook sends committed events to HTTP receivers: what its definitions in the log's webhooks topic say.
//
// A Service keeps the newest definitions, takes changes, and runs one sinks.Pump for each webhook over the partitions that this
// node owns. Each has its own cursor, so a receiver that is down, slow or answering 500 delays neither the pipeline nor another
// webhook, and the log is its buffer. Within a webhook the events of one vehicle go in order, those of several beside each other.
// An event counts as delivered when the receiver answered 2xx; until then it is sent again, with jittered back-off, under the same
// Trackmesh-Event-Id. So a receiver gets every event at least once.
//
// It refuses to follow redirects, to show a secret again, and to drop an event that a receiver does not like: that vehicle's later
// events, and soon the webhook, wait for it, until the log's retention passes over it, which is an alarm.
//
// Whoever makes a Service starts and stops it. It fails by telling: State has the lag and the last error of each webhook.
package webhook
