// Package wire reads what goes to and comes from Elasticsearch: the times of a document, the reply of a bulk request. It
// is apart from sinks/elastic so that its fuzzers need not compile the client. It owns no goroutines; what it cannot read is
// an error.
package wire
