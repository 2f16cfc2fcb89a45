// Package elastic keeps history in Elasticsearch 8 (7.17 and 9 work alike): it writes what a sinks.Pump gives it and
// answers history's questions.
//
// It owns two composable index templates and the indices under its prefix: one a day of event time for positions
// (PREFIX-positions-YYYY.MM.DD) and events (PREFIX-events-YYYY.MM.DD), and PREFIX-positions-other, PREFIX-events-other for
// what is dated more than 400 days before or a day after it came in. Which one depends only on the committed record, and
// documents are only ever created, under the record's id: so writing again writes the same.
//
// Every reply is judged item by item. What Elasticsearch will never take (a mapping that does not fit; a single document
// over its request limit) is a rejection with its reason. Everything else (busy, unauthorized, blocked, missing, shard
// limit, server errors, no or half a reply) is a *sinks.RetryError: the caller tries again for ever.
//
// It refuses to need more than a plain cluster: no data streams (a rollover would allow doubles), no ILM, no scripts, no
// ingest pipelines. Attributes are one flattened field, and what the mapping does not know is kept but not indexed, so no
// vehicle's attributes can clash with another's.
//
// Whoever makes a Sink gives it to a pump, and closes it after that. DeleteOld is for the owner of partition 0.
package elastic
