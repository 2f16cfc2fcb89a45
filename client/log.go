package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
)

// Record is a record of the log as the server shows it.
type Record struct {
	Topic       string            `json:"topic"`
	Partition   int32             `json:"partition"`
	Offset      int64             `json:"offset"`
	Key         *string           `json:"key"`
	KeyBase64   string            `json:"key_base64"`
	Value       json.RawMessage   `json:"value"`
	ValueBase64 string            `json:"value_base64"`
	Headers     map[string]string `json:"headers"`
	Timestamp   string            `json:"timestamp"`
}

// Bytes is the record's value; nil for a tombstone.
func (r *Record) Bytes() ([]byte, error) {
	if r.ValueBase64 == "" {
		if string(r.Value) == "null" {
			return nil, nil
		}
		return r.Value, nil
	}
	value, err := base64.StdEncoding.DecodeString(r.ValueBase64)
	if err != nil {
		return nil, fmt.Errorf("reading the value of %s[%d]@%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	return value, nil
}

// LogQuery says which records.
type LogQuery struct {
	Topic     string
	Partition int32 // below zero: the only one
	From      int64 // below zero: the earliest
	Limit     int   // of one answer; zero: the server's default
}

func (q LogQuery) values() url.Values {
	v := url.Values{}
	if q.Partition >= 0 {
		v.Set("partition", strconv.FormatInt(int64(q.Partition), 10))
	}
	if q.From >= 0 {
		v.Set("from", strconv.FormatInt(q.From, 10))
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

// LogEnd says where an answer ended: Next is the offset to go on from, End the one after the last committed record.
type LogEnd struct {
	Next int64 `json:"next"`
	End  int64 `json:"end"`
}

// errBrokenOff: the trailing line is missing.
var errBrokenOff = errors.New("the answer broke off")

// Log asks once and calls fn with each record's line.
func (c *Client) Log(ctx context.Context, q LogQuery, fn func(line []byte) error) (LogEnd, error) {
	var end LogEnd
	resp, err := c.Open(ctx, Request{Path: Path("log", q.Topic), Query: q.values()})
	if err != nil {
		return end, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	in := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return end, errBrokenOff
		case err != nil:
			return end, fmt.Errorf("reading %s: %w", q.Topic, err)
		}
		if bytes.HasPrefix(line, []byte(`{"next":`)) {
			if err := json.Unmarshal(line, &end); err != nil {
				return end, fmt.Errorf("reading the last line of %s: %w", q.Topic, err)
			}
			return end, nil
		}
		if err := fn(bytes.TrimRight(line, "\n")); err != nil {
			return end, err
		}
	}
}

// WalkLog goes on with each answer's next, up to the end that the first answer told of.
func (c *Client) WalkLog(ctx context.Context, q LogQuery, fn func(line []byte) error) error {
	last := int64(-1)
	for {
		end, err := c.Log(ctx, q, fn)
		if err != nil {
			return err
		}
		if last < 0 {
			last = end.End
		}
		if end.Next >= last || end.Next <= q.From {
			return nil
		}
		q.From = end.Next
	}
}

// Records is WalkLog with each line read.
func (c *Client) Records(ctx context.Context, q LogQuery, fn func(*Record) error) error {
	return c.WalkLog(ctx, q, func(line []byte) error {
		rec := &Record{}
		if err := json.Unmarshal(line, rec); err != nil {
			return fmt.Errorf("reading a record of %s: %w", q.Topic, err)
		}
		return fn(rec)
	})
}

// LogPartitions is how many partitions a topic has: those of the input, except that fences and webhooks have one.
func LogPartitions(topic string, input int) int {
	if strings.HasSuffix(topic, ".fences") || strings.HasSuffix(topic, ".webhooks") {
		return 1
	}
	return input
}
