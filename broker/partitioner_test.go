package broker_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

// The hashes are those of Kafka's own UtilsTest (murmur2) and of java.lang.String.hashCode.
func TestPartitionersAgreeWithJava(t *testing.T) {
	const n = 1 << 30
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
	} {
		require.Equal(t, (hash&0x7fffffff)%n, broker.Murmur2([]byte(key), n), key)
	}
	for key, hash := range map[string]int32{"": 0, "a": 97, "taxi-1": -880726974, "\U0001F695": 1773048} {
		require.Equal(t, max(hash, -hash)%n, broker.JavaHashCode([]byte(key), n), key)
	}
	require.Zero(t, broker.JavaHashCode([]byte("polygenelubricants"), 7), "hashCode is the least int")
}

func TestPartitionerByNameNamesWhatIsAllowed(t *testing.T) {
	_, err := broker.PartitionerByName("crc32")
	require.ErrorContains(t, err, "murmur2 or java-hashcode")
	for _, name := range []string{"murmur2", "java-hashcode"} {
		p, err := broker.PartitionerByName(name)
		require.NoError(t, err)
		require.Less(t, p([]byte("v1"), 8), int32(8))
	}
}
