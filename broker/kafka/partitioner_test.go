package kafka

import (
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/broker"
)

func TestMurmur2IsTheDefaultPartitionerOfKafkasProducers(t *testing.T) {
	theirs := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "key")
		n := rapid.Int32Range(1, 2000).Draw(t, "partitions")
		require.EqualValues(t, theirs.Partition(&kgo.Record{Key: key}, int(n)), broker.Murmur2(key, n))
	})
}

func TestJavaHashCodeIsThatOfJavasStrings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		n := rapid.Int32Range(1, 2000).Draw(t, "partitions")
		var h int64 // in 64 bits, so that no overflow is shared with what is tested
		for _, c := range utf16.Encode([]rune(key)) {
			h = int64(int32(31*h + int64(c)))
		}
		if h == -1<<31 {
			h = 0
		}
		require.EqualValues(t, max(h, -h)%int64(n), broker.JavaHashCode([]byte(key), n))
	})
}
