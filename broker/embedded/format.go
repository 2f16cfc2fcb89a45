package embedded

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/trackmesh/trackmesh/broker"
)

// What is in the file (format 2):
//
//	log                 version, topic, partitions, input_id, state_id, created
//	claims              partition (4) → term (8) · time (8) · node
//	cursors             group NUL name NUL stream (1) · partition (4) → offset (8)
//	earliest            stream (1) · partition (4) → the earliest offset, where records before it are still stored
//	a<stream><partition>  append-only: first offset (8) · piece (2) → piece of a block
//	k<stream><partition>  compacted: "k" + key → offset (8) · flags (1) · block of one record
//	o<stream><partition>  compacted: offset (8) → "k" + key, of the newest records
//	t<stream><partition>  compacted: offset (8) → nothing, of those that are tombstones
//
// Integers are big-endian, so that keys sort.
const formatVersion = 2

var (
	bucketLog      = []byte("log")
	bucketClaims   = []byte("claims")
	bucketCursors  = []byte("cursors")
	bucketEarliest = []byte("earliest")

	keyVersion    = []byte("version")
	keyTopic      = []byte("topic")
	keyPartitions = []byte("partitions")
	keyInputID    = []byte("input_id")
	keyStateID    = []byte("state_id")
	keyCreated    = []byte("created")
	keyProbe      = []byte("probe")
)

// place is a partition of a stream.
type place struct {
	s broker.Stream
	p int32
}

// key is the place as part of keys and bucket names.
func (at place) key() []byte {
	return binary.BigEndian.AppendUint32([]byte{byte(at.s)}, uint32(at.p))
}

func (at place) bucket(kind byte) []byte { return append([]byte{kind}, at.key()...) }

func (at place) String() string { return fmt.Sprintf("%s[%d]", at.s, at.p) }

// places are all partitions of all streams.
func places(partitions int32) []place {
	var out []place
	for s := range broker.NumStreams {
		n := broker.Layout{Partitions: partitions}.StreamPartitions(s)
		for p := range n {
			out = append(out, place{s, p})
		}
	}
	return out
}

func offsetKey(offset int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(offset)) }

func offsetOf(b []byte) (int64, error) {
	if len(b) < 8 || b[0] > 0x7f {
		return 0, errBadBlock
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// create writes an empty log into a file that bbolt has just made.
func create(tx *bbolt.Tx, opts Options) error {
	partitions := opts.Partitions
	if partitions == 0 {
		partitions = defaultPartitions
	}
	b, err := tx.CreateBucket(bucketLog)
	if err != nil {
		return err
	}
	ids := make([]byte, 32)
	_, _ = rand.Read(ids) // never fails
	for _, kv := range []struct{ k, v []byte }{
		{keyVersion, binary.BigEndian.AppendUint32(nil, formatVersion)},
		{keyTopic, []byte(opts.Topic)},
		{keyPartitions, binary.BigEndian.AppendUint32(nil, uint32(partitions))},
		{keyInputID, ids[:16]},
		{keyStateID, ids[16:]},
		{keyCreated, []byte(time.Now().UTC().Format(time.RFC3339))},
	} {
		if err := b.Put(kv.k, kv.v); err != nil {
			return err
		}
	}
	names := [][]byte{bucketClaims, bucketCursors, bucketEarliest}
	for _, at := range places(partitions) {
		names = append(names, at.buckets()...)
	}
	for _, name := range names {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return nil
}

// buckets are the names of the buckets that a place's records are in.
func (at place) buckets() [][]byte {
	if at.s.Compacted() {
		return [][]byte{at.bucket('k'), at.bucket('o'), at.bucket('t')}
	}
	return [][]byte{at.bucket('a')}
}

// formatOf returns the version of a file.
func formatOf(tx *bbolt.Tx) (int, error) {
	b := tx.Bucket(bucketLog)
	if b == nil {
		return 0, errors.New("it is a bbolt file of another program")
	}
	v := b.Get(keyVersion)
	if len(v) != 4 || binary.BigEndian.Uint32(v) == 0 {
		return 0, errors.New("it does not say which format it has")
	}
	return int(binary.BigEndian.Uint32(v)), nil
}

// layoutOf reads what create wrote.
func layoutOf(tx *bbolt.Tx, maxRecordBytes int) (broker.Layout, error) {
	b := tx.Bucket(bucketLog)
	l := broker.Layout{
		Input: string(b.Get(keyTopic)), MaxRecordBytes: maxRecordBytes,
		InputID: hex.EncodeToString(b.Get(keyInputID)), StateID: hex.EncodeToString(b.Get(keyStateID)),
	}
	l.FencesID = l.StateID
	if v := b.Get(keyPartitions); len(v) == 4 {
		l.Partitions = int32(binary.BigEndian.Uint32(v))
	}
	if l.Partitions < 1 || l.Partitions > maxPartitions || l.Input == "" || len(l.InputID) != 32 || len(l.StateID) != 32 {
		return l, errors.New("its description of itself cannot be read")
	}
	for _, at := range places(l.Partitions) {
		for _, name := range at.buckets() {
			if tx.Bucket(name) == nil {
				return l, fmt.Errorf("its records of %s are missing", at)
			}
		}
	}
	return l, nil
}
