package actors

import (
	"encoding/json"
	"fmt"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

// A move of a fence that follows a vehicle is a record of the fences' log under the fence's id behind movePrefix, which no id
// can begin with. Its value is JSON, or nothing once the fence was deleted.
const movePrefix = '\x1f'

type moveRecord struct {
	Vehicle   string     `json:"vehicle"`
	Partition int32      `json:"partition"`
	Position  [2]float64 `json:"position"`
	Withdrawn bool       `json:"withdrawn,omitempty"`
}

func moveKey(id string) []byte { return append([]byte{movePrefix}, id...) }

// movedFence is the id of the fence that a record moves; moved is false when the record is no move.
func movedFence(key []byte) (id string, moved bool) {
	if len(key) == 0 || key[0] != movePrefix {
		return "", false
	}
	return string(key[1:]), true
}

func newMove(id string, m fence.Move) (broker.Record, error) {
	value, err := json.Marshal(moveRecord{
		Vehicle: m.Vehicle, Partition: m.Partition, Position: [2]float64{m.At.Lon, m.At.Lat}, Withdrawn: m.Withdrawn,
	})
	if err != nil {
		return broker.Record{}, fmt.Errorf("encoding the move of fence %q: %w", id, err)
	}
	return broker.Record{Stream: broker.Fences, Key: moveKey(id), Value: value}, nil
}

// parseMove reads a move. One without a value withdraws what came before.
func parseMove(value []byte) (*fence.Move, error) {
	if value == nil {
		return &fence.Move{Withdrawn: true}, nil
	}
	var r moveRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("reading a move: %w", err)
	}
	at := geo.Point{Lon: r.Position[0], Lat: r.Position[1]}
	if !geo.World.Contains(at) {
		return nil, fmt.Errorf("reading a move: %v is not on earth", r.Position)
	}
	return &fence.Move{Vehicle: r.Vehicle, Partition: r.Partition, At: at, Withdrawn: r.Withdrawn}, nil
}
