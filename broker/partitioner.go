package broker

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Partitioner computes the partition of a key, as the producers of the input topic do. n is the number of partitions.
type Partitioner func(key []byte, n int32) int32

// PartitionerByName returns the partitioner of a --partitioner value.
func PartitionerByName(name string) (Partitioner, error) {
	switch name {
	case "murmur2":
		return Murmur2, nil
	case "java-hashcode":
		return JavaHashCode, nil
	}
	return nil, fmt.Errorf("partitioner %q is not known: use murmur2 or java-hashcode", name)
}

// Murmur2 is the default partitioner of Kafka's producers: the positive part of MurmurHash2 with Kafka's seed, modulo n.
func Murmur2(key []byte, n int32) int32 {
	return int32(murmur2(key)&0x7fffffff) % n
}

// JavaHashCode is the partitioner of producers before Kafka 0.9 with String keys: |String.hashCode| modulo n.
// A key that is not UTF-8 is hashed as Java would after decoding it, with U+FFFD for what it cannot read.
func JavaHashCode(key []byte, n int32) int32 {
	var h int32
	for len(key) > 0 {
		r, size := utf8.DecodeRune(key)
		key = key[size:]
		if r1, r2 := utf16.EncodeRune(r); r1 != utf8.RuneError {
			h = 31*(31*h+r1) + r2
			continue
		}
		h = 31*h + r
	}
	if h == -1<<31 { // |MinInt32| has no int32; Kafka took 0
		return 0
	}
	return max(h, -h) % n
}

// murmur2 is Austin Appleby's MurmurHash2 (32 bit), with the seed of org.apache.kafka.common.utils.Utils.murmur2.
func murmur2(b []byte) uint32 {
	const (
		seed uint32 = 0x9747b28c
		m    uint32 = 0x5bd1e995
		r           = 24
	)
	h := seed ^ uint32(len(b))
	for len(b) >= 4 {
		k := (uint32(b[3]) << 24) | (uint32(b[2]) << 16) | (uint32(b[1]) << 8) | uint32(b[0])
		b = b[4:]
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(b[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ (h >> 15)
}
