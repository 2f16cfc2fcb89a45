package brokertest

import (
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func seekTests() map[string]func(*env) {
	return map[string]func(*env){
		"an offset after the end is an error":             afterEnd,
		"an offset before the earliest is an error":       beforeEarliest,
		"an error of one partition leaves the others":     oneFails,
		"reading starts at any offset":                    anyOffset,
		"bounds follow what is written and what is gone":  bounds,
		"trimming everything leaves the end where it was": trimAll,
	}
}

// failure polls until a fetch has an error.
func (e *env) failure(r broker.Reader) *broker.OffsetError {
	e.Helper()
	for {
		for _, f := range e.poll(r) {
			if f.Err == nil {
				require.Empty(e, f.Records)
				continue
			}
			var out *broker.OffsetError
			require.ErrorAs(e, f.Err, &out)
			require.Equal(e, f.Stream, out.Stream)
			require.Equal(e, f.Partition, out.Partition)
			return out
		}
	}
}

func afterEnd(e *env) {
	e.produce(numbered(broker.Input, 1, 0, 5)...)
	earliest, end, err := e.log.Bounds(e.ctx, broker.Input, 1)
	require.NoError(e, err)
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(broker.Input, 1, end+3)
	got := e.failure(r)
	require.Equal(e, &broker.OffsetError{Stream: broker.Input, Partition: 1, Asked: end + 3, Earliest: earliest, End: end}, got)
	r.Add(broker.Input, 1, earliest)
	records := e.take(r, 5)
	require.Equal(e, values(numbered(broker.Input, 1, 0, 5)), values(records))
}

func beforeEarliest(e *env) {
	offsets := e.produce(numbered(broker.Input, 1, 0, 50)...)
	e.dep.Trim(e.T, e.log, broker.Input, 1, offsets[20])
	earliest, end, err := e.log.Bounds(e.ctx, broker.Input, 1)
	require.NoError(e, err)
	require.Equal(e, offsets[20], earliest)
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(broker.Input, 1, offsets[19])
	require.Equal(e, &broker.OffsetError{Stream: broker.Input, Partition: 1, Asked: offsets[19], Earliest: earliest, End: end}, e.failure(r))
	r.Add(broker.Input, 1, earliest)
	records := e.take(r, 30)
	require.Equal(e, values(numbered(broker.Input, 1, 20, 30)), values(records))
	e.reopen()
	earliest, _, err = e.log.Bounds(e.ctx, broker.Input, 1)
	require.NoError(e, err)
	require.Equal(e, offsets[20], earliest)
}

func oneFails(e *env) {
	e.produce(numbered(broker.Input, 0, 0, 5)...)
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(broker.Input, 1, 77)
	require.Equal(e, int64(77), e.failure(r).Asked)
	r.Add(broker.Input, 0, 0)
	records := e.take(r, 5)
	require.Len(e, records, 5)
	e.produce(record(broker.Input, 1, "k", "not read"), record(broker.Input, 0, "k", "read"))
	records = e.take(r, 1)
	require.Equal(e, "read", string(records[0].Value))
}

func anyOffset(e *env) {
	var offsets []int64
	for i := range 10 {
		offsets = append(offsets, e.produce(numbered(broker.Input, 0, 10*i, 10)...)...)
	}
	for i := 0; i < len(offsets); i += 7 {
		records := e.read(broker.Input, 0, offsets[i], len(offsets)-i)
		require.Equal(e, offsets[i], records[0].Offset)
		require.Equal(e, values(numbered(broker.Input, 0, i, len(offsets)-i)), values(records))
	}
}

func bounds(e *env) {
	at := func() [2]int64 {
		earliest, end, err := e.log.Bounds(e.ctx, broker.Dead, 3)
		require.NoError(e, err)
		return [2]int64{earliest, end}
	}
	require.Equal(e, [2]int64{0, 0}, at())
	offsets := e.produce(numbered(broker.Dead, 3, 0, 30)...)
	require.Equal(e, [2]int64{offsets[0], offsets[29] + 1}, at())
	e.dep.Trim(e.T, e.log, broker.Dead, 3, offsets[11])
	require.Equal(e, [2]int64{offsets[11], offsets[29] + 1}, at())
	e.reopen()
	require.Equal(e, [2]int64{offsets[11], offsets[29] + 1}, at())
	last := e.produce(record(broker.Dead, 3, "k", "v"))[0]
	require.Equal(e, [2]int64{offsets[11], last + 1}, at())
}

func trimAll(e *env) {
	offsets := e.produce(numbered(broker.Input, 0, 0, 30)...)
	end := offsets[29] + 1
	e.dep.Trim(e.T, e.log, broker.Input, 0, end)
	e.reopen()
	next := e.produce(record(broker.Input, 0, "k", "next"))[0]
	require.Equal(e, end, next, "offsets are never given twice")
	require.Equal(e, []string{"next"}, values(e.read(broker.Input, 0, end, 1)))
}
