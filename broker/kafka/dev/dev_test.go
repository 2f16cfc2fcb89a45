package dev_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/kafka"
	"github.com/trackmesh/trackmesh/broker/kafka/dev"
)

func TestServerServesALogWithTheTopicsAsked(t *testing.T) {
	s, err := dev.Start("127.0.0.1:0", map[string]int32{"positions": 5})
	require.NoError(t, err)
	defer s.Close()
	l, err := kafka.Open(t.Context(), kafka.Options{Brokers: s.Brokers(), OpenOptions: broker.OpenOptions{Topic: "positions", Group: "g"}})
	require.NoError(t, err)
	require.EqualValues(t, 5, l.Layout().Partitions)
	require.NoError(t, l.Close())
}

func TestServerRefusesAddressesThatOthersReach(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "10.0.0.1:9092", "127.0.0.1", "127.0.0.1:x"} {
		_, err := dev.Start(addr, nil)
		require.ErrorContains(t, err, addr)
	}
}

func TestServerSaysThatItsPortIsTaken(t *testing.T) {
	s, err := dev.Start("127.0.0.1:0", nil)
	require.NoError(t, err)
	defer s.Close()
	_, err = dev.Start(s.Brokers()[0], nil)
	require.ErrorContains(t, err, "in use")
}
