package brokertest

import (
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func cursorTests() map[string]func(*env) {
	return map[string]func(*env){
		"none are there at first":                  noCursors,
		"stored ones come back after a restart":    cursorsStay,
		"names and streams are apart":              cursorsApart,
		"storing some partitions keeps the others": cursorsMerge,
	}
}

func (e *env) cursors(name string, s broker.Stream) map[int32]int64 {
	e.Helper()
	got, err := e.log.LoadCursors(e.ctx, name, s)
	require.NoError(e, err)
	return got
}

func (e *env) storeCursors(name string, s broker.Stream, cursors map[int32]int64) {
	e.Helper()
	require.NoError(e, e.log.StoreCursors(e.ctx, name, s, cursors))
}

func noCursors(e *env) {
	require.Empty(e, e.cursors("sink.none", broker.Events))
	e.storeCursors("sink.none", broker.Events, nil)
	require.Empty(e, e.cursors("sink.none", broker.Events))
}

func cursorsStay(e *env) {
	e.storeCursors("sink.a", broker.Events, map[int32]int64{0: 5, 3: 0})
	require.Equal(e, map[int32]int64{0: 5, 3: 0}, e.cursors("sink.a", broker.Events))
	e.reopen()
	require.Equal(e, map[int32]int64{0: 5, 3: 0}, e.cursors("sink.a", broker.Events))
}

func cursorsApart(e *env) {
	e.storeCursors("sink.a", broker.Events, map[int32]int64{0: 5})
	e.storeCursors("sink.ab", broker.Events, map[int32]int64{0: 6})
	e.storeCursors("sink.a", broker.Enriched, map[int32]int64{0: 7})
	e.storeCursors("", broker.Input, map[int32]int64{1: 8})
	require.Equal(e, map[int32]int64{0: 5}, e.cursors("sink.a", broker.Events))
	require.Equal(e, map[int32]int64{0: 6}, e.cursors("sink.ab", broker.Events))
	require.Equal(e, map[int32]int64{0: 7}, e.cursors("sink.a", broker.Enriched))
	require.Equal(e, map[int32]int64{1: 8}, e.cursors("", broker.Input))
}

func cursorsMerge(e *env) {
	e.storeCursors("sink.a", broker.Events, map[int32]int64{0: 5, 1: 6})
	e.storeCursors("sink.a", broker.Events, map[int32]int64{1: 9, 2: 1})
	require.Equal(e, map[int32]int64{0: 5, 1: 9, 2: 1}, e.cursors("sink.a", broker.Events))
	e.storeCursors("sink.a", broker.Events, map[int32]int64{1: 3}) // back, too
	require.Equal(e, map[int32]int64{0: 5, 1: 3, 2: 1}, e.cursors("sink.a", broker.Events))
}
