package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/broker"
)

func pointers(records []broker.Record) []*broker.Record {
	out := make([]*broker.Record, len(records))
	for i := range records {
		out[i] = &records[i]
	}
	return out
}

var anyBytes = rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 300),
	rapid.Map(rapid.IntRange(0, 40_000), func(n int) []byte { return bytes.Repeat([]byte("abc"), n/3) }))

var anyRecord = rapid.Custom(func(t *rapid.T) broker.Record {
	r := broker.Record{
		Stream: broker.Events, Partition: 3, Key: anyBytes.Draw(t, "key"), Value: anyBytes.Draw(t, "value"),
		Timestamp: rapid.Int64Range(-1<<50, 1<<50).Draw(t, "timestamp"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		r.Headers = append(r.Headers, broker.Header{Key: rapid.String().Draw(t, "name"), Value: anyBytes.Draw(t, "header")})
	}
	return r
})

func TestBlocksGiveBackWhatWentIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(anyRecord, 1, 40).Draw(t, "records")
		written := rapid.Int64Range(0, 1<<50).Draw(t, "written")
		var got []broker.Record
		for _, b := range encodeBlocks(pointers(records), written) {
			h, _, err := parseHeader(b.payload)
			require.NoError(t, err)
			require.Equal(t, written, h.written)
			require.Equal(t, b.count, h.count)
			require.True(t, h.count == 1 || h.raw <= blockBytes, "only a single record makes a larger block")
			decoded, err := decodeBlock(b.payload, broker.Events, 3, 100+int64(len(got)))
			require.NoError(t, err)
			require.Len(t, decoded, b.count)
			got = append(got, decoded...)
		}
		require.Len(t, got, len(records))
		for i := range records {
			want := records[i]
			want.Offset = 100 + int64(i)
			if want.Timestamp == 0 {
				want.Timestamp = written
			}
			require.Equal(t, want, got[i])
		}
	})
}

func TestDamageOfABlockIsFound(t *testing.T) {
	f := newFixture(10)
	payload := encodeBlocks(pointers(many(50, func(i int) broker.Record { return f.document(0, i) })), 1_700_000_000_000)[0].payload
	for i := range payload {
		damaged := bytes.Clone(payload)
		damaged[i] ^= 0x10
		_, err := decodeBlock(damaged, broker.Events, 0, 0)
		require.ErrorIs(t, err, errBadBlock, "byte %d", i)
		_, err = decodeBlock(payload[:i], broker.Events, 0, 0)
		require.ErrorIs(t, err, errBadBlock, "cut at %d", i)
	}
	_, err := decodeBlock(append(bytes.Clone(payload), 0), broker.Events, 0, 0)
	require.ErrorIs(t, err, errBadBlock)
}

// FuzzDecodeBlock feeds the decoder anything, with and without a checksum that fits: it must neither panic nor take more
// memory than the block may say, and what it accepts must encode to a block that it gives back alike.
func FuzzDecodeBlock(f *testing.F) {
	for _, n := range []int{1, 3, 40} { // small: the fuzzer spends its time on making large ones smaller
		records := pointers(many(n, func(i int) broker.Record {
			return broker.Record{Key: []byte("taxi-1"), Value: fmt.Appendf(nil, "fix %d of taxi-1", i), Timestamp: 1_700_000_000_123}
		}))
		records[0].Headers = []broker.Header{{Key: "reason", Value: []byte("time")}}
		f.Add(encodeBlocks(records, 1_700_000_000_000)[0].payload[5:], byte(codecS2))
	}
	f.Add(encodeBlocks([]*broker.Record{{}}, 1)[0].payload[5:], byte(codecRaw))
	f.Add([]byte{1, 0, 6, 0, 0, 0, 0xff, 0xff, 0x03}, byte(codecRaw))
	f.Fuzz(func(t *testing.T, body []byte, codec byte) {
		payload := sealed(codec, body)
		records, err := decodeBlock(payload, broker.Events, 0, 5)
		if err != nil {
			require.ErrorIs(t, err, errBadBlock)
			return
		}
		h, _, err := parseHeader(payload)
		require.NoError(t, err)
		require.Len(t, records, h.count)
		if h.raw > 2*blockBytes {
			return // slow to compare, and no different
		}
		raw := rawOf(records, h.written)
		again, err := decodeBlock(encodeBlock(raw, len(records), h.written), broker.Events, 0, 5)
		require.NoError(t, err)
		require.True(t, bytes.Equal(raw, rawOf(again, h.written)))
	})
}

func rawOf(records []broker.Record, written int64) []byte {
	var raw []byte
	for i := range records {
		raw = appendRecord(raw, &records[i], written)
	}
	return raw
}

func BenchmarkBlock(b *testing.B) {
	f := newFixture(250)
	for _, n := range []int{1, 25, 140} {
		records := pointers(many(n, func(i int) broker.Record { return f.document(0, i) }))
		block := encodeBlocks(records, 1_700_000_000_000)[0]
		b.Run(fmt.Sprintf("encode/records=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				encodeBlocks(records, 1_700_000_000_000)
			}
			b.ReportMetric(float64(len(block.payload))/float64(block.count), "B/record")
		})
		b.Run(fmt.Sprintf("decode/records=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeBlock(block.payload, broker.Events, 0, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// sealed makes a block of a body, with a checksum that fits.
func sealed(codec byte, body []byte) []byte {
	out := append([]byte{codec, 0, 0, 0, 0}, body...)
	binary.LittleEndian.PutUint32(out[1:], crc32.Checksum(body, castagnoli))
	return out
}
