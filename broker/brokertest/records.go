package brokertest

import (
	"strconv"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func recordTests() map[string]func(*env) {
	return map[string]func(*env){
		"headers come back in order, doubles included": headers,
		"nil and empty values are different":           nilAndEmpty,
		"timestamps come back, zero means now":         timestamps,
		"every stream takes records":                   everyStream,
		"commits keep headers and timestamps":          committedAttributes,
		"any bytes come back":                          anyBytes,
	}
}

func headers(e *env) {
	sent := record(broker.Dead, 0, "k", "v")
	sent.Headers = []broker.Header{
		{Key: "reason", Value: []byte("unparsable")},
		{Key: "source_offset", Value: []byte("12")},
		{Key: "reason", Value: []byte("second")},
		{Key: "empty", Value: []byte{}},
	}
	e.produce(sent, record(broker.Dead, 0, "k", "plain"))
	got := e.contents(broker.Dead, 0)
	require.Len(e, got, 2)
	require.Len(e, got[0].Headers, len(sent.Headers))
	for i, h := range sent.Headers {
		require.Equal(e, h.Key, got[0].Headers[i].Key)
		require.Equal(e, string(h.Value), string(got[0].Headers[i].Value))
	}
	first, ok := got[0].Header("reason")
	require.True(e, ok)
	require.Equal(e, "unparsable", string(first))
	require.Empty(e, got[1].Headers)
}

func nilAndEmpty(e *env) {
	e.produce(
		broker.Record{Stream: broker.Input, Key: nil, Value: []byte("no key")},
		broker.Record{Stream: broker.Input, Key: []byte{}, Value: []byte("empty key")},
		broker.Record{Stream: broker.Input, Key: []byte("k"), Value: []byte{}},
		broker.Record{Stream: broker.Input, Key: []byte("k"), Value: nil},
	)
	got := e.contents(broker.Input, 0)
	require.Len(e, got, 4)
	require.Nil(e, got[0].Key)
	require.NotNil(e, got[1].Key)
	require.Empty(e, got[1].Key)
	require.NotNil(e, got[2].Value)
	require.Empty(e, got[2].Value)
	require.Nil(e, got[3].Value)
}

func timestamps(e *env) {
	before := time.Now().Add(-time.Minute).UnixMilli()
	old, next := record(broker.Input, 0, "k", "old"), record(broker.Input, 0, "k", "next")
	// A day ago and an hour ahead: both are within what a log may refuse.
	old.Timestamp, next.Timestamp = before-86_400_000, before+3_600_000
	e.produce(old, record(broker.Input, 0, "k", "now"), next)
	got := e.contents(broker.Input, 0)
	require.Len(e, got, 3)
	require.Equal(e, old.Timestamp, got[0].Timestamp)
	require.InDelta(e, time.Now().UnixMilli(), got[1].Timestamp, 5*60_000)
	require.Equal(e, next.Timestamp, got[2].Timestamp)
}

func everyStream(e *env) {
	for s := range broker.NumStreams {
		p := e.log.Layout().StreamPartitions(s) - 1
		offset := e.produce(record(s, p, "k", s.String()))[0]
		got := e.read(s, p, offset, 1)
		require.Equal(e, s.String(), string(got[0].Value))
		require.Equal(e, s, got[0].Stream)
		earliest, end, err := e.log.Bounds(e.ctx, s, p)
		require.NoError(e, err)
		require.LessOrEqual(e, earliest, offset)
		require.Greater(e, end, offset)
	}
}

func committedAttributes(e *env) {
	c, _ := e.claim(1)
	sent := record(broker.Dead, 1, "k", "v")
	sent.Timestamp = time.Now().UnixMilli() - 5000
	sent.Headers = []broker.Header{{Key: "reason", Value: []byte("time")}}
	require.NoError(e, c.Commit(e.ctx, []broker.Record{sent, {Stream: broker.Dead, Partition: 1, Value: []byte("bare")}}))
	got := e.contents(broker.Dead, 1)
	require.Len(e, got, 2)
	require.Equal(e, sent.Timestamp, got[0].Timestamp)
	require.Equal(e, "time", string(got[0].Headers[0].Value))
	require.Nil(e, got[1].Key)
	require.InDelta(e, time.Now().UnixMilli(), got[1].Timestamp, 5*60_000)
}

func anyBytes(e *env) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	sent := []broker.Record{{Stream: broker.Input, Key: all, Value: noise(10_000)}}
	for i := range 300 { // small and large ones in turn
		sent = append(sent, record(broker.Input, 0, strconv.Itoa(i), string(noise((i*i)%3000))))
	}
	e.produce(sent...)
	got := e.contents(broker.Input, 0)
	require.Len(e, got, len(sent))
	for i := range sent {
		require.Equal(e, sent[i].Key, got[i].Key)
		require.Equal(e, sent[i].Value, got[i].Value)
	}
}
