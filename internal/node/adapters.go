package node

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"github.com/trackmesh/trackmesh/actors"
	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/source"
	"github.com/trackmesh/trackmesh/track"
)

// patience is how long a query waits for partitions that are on their way.
const patience = 2 * time.Second

// hostPaths and hostMessages answer the API from this node's partitions.
type hostPaths struct{ host *actors.Host }

func (h hostPaths) Path(ctx context.Context, vehicle string, from, to int64, limit int) ([]track.PathPoint, int64, error) {
	points, since, known, err := h.host.Path(ctx, vehicle, from, to, limit)
	switch {
	case errors.Is(err, actors.ErrNotHere):
		return nil, 0, api.ErrUnavailable
	case err != nil:
		return nil, 0, err
	case !known:
		return nil, 0, api.ErrNotFound
	}
	return points, since, nil
}

type hostMessages struct{ host *actors.Host }

func (h hostMessages) Send(ctx context.Context, cmd *trackmeshv1.Command, wait time.Duration) (api.Sent, error) {
	p, offset, err := h.host.Send(ctx, cmd)
	if err != nil {
		return api.Sent{}, err
	}
	sent := api.Sent{Partition: p, Offset: offset}
	if wait > 0 {
		bounded, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		sent.Applied = h.host.AwaitApplied(bounded, p, offset) == nil
	}
	return sent, nil
}

// boardFences answers the API from the fence board.
type boardFences struct {
	board *actors.FenceBoard
	host  *actors.Host
}

func shown(f *fence.Fence) api.Fence {
	return api.Fence{ID: f.ID, Version: f.Version, Feature: f.Feature()}
}

func (b boardFences) Get(_ context.Context, id string) (api.Fence, error) {
	f, ok := b.board.Current().Get(id)
	if !ok {
		return api.Fence{}, api.ErrNotFound
	}
	return shown(f), nil
}

func (b boardFences) List(_ context.Context, box *geo.Box, after string, limit int) ([]api.Fence, error) {
	var found []api.Fence
	b.board.Current().All(after, func(f *fence.Fence) bool {
		if f.ID != after && (box == nil || box.Intersects(f.Box())) {
			found = append(found, shown(f))
		}
		return len(found) < limit
	})
	return found, nil
}

func (b boardFences) Put(ctx context.Context, id string, feature []byte, ifMatch *int64) (int64, error) {
	version, err := b.board.Put(ctx, id, feature, ifMatch)
	return version, translated(err)
}

func (b boardFences) Delete(ctx context.Context, id string, ifMatch *int64) (int64, error) {
	version, err := b.board.Delete(ctx, id, ifMatch)
	return version, translated(err)
}

func translated(err error) error {
	switch {
	case errors.Is(err, actors.ErrVersion):
		return api.ErrVersion
	case errors.Is(err, actors.ErrNoFence):
		return api.ErrNotFound
	}
	return err
}

func (b boardFences) PutAll(ctx context.Context, batch []api.Fence) (int64, []error, error) {
	refused := make([]error, len(batch))
	parsed := make([]*fence.Fence, 0, len(batch))
	for i, f := range batch {
		p, err := fence.Parse(f.ID, f.Feature, 0)
		if err != nil {
			refused[i] = translated(err)
			continue
		}
		parsed = append(parsed, p)
	}
	if len(parsed) == 0 {
		return -1, refused, nil
	}
	version, err := b.board.PutAll(ctx, parsed)
	return version, refused, err
}

func (b boardFences) WaitLive(ctx context.Context, version int64) error {
	if err := b.board.Await(ctx, version); err != nil {
		return err
	}
	return b.host.AwaitFences(ctx, version)
}

// splitter cuts ingest bodies with the node's decoder. Each request has a decoder of its own.
func splitter(opts source.Options) api.Splitter {
	return func(contentType string, body io.Reader, fn func(line int, value []byte, stored, vehicle string, err error) error) error {
		decoder, err := source.NewDecoder(opts, nil)
		if err != nil {
			return err
		}
		err = source.Split(contentType, body, func(l source.Line) error {
			if l.Err != nil {
				return fn(l.Number, nil, l.ContentType, "", l.Err)
			}
			vehicle, refusal := decoder.VehicleOf(l.ContentType, l.Value)
			if refusal != nil {
				return fn(l.Number, l.Value, l.ContentType, "", refusal)
			}
			return fn(l.Number, l.Value, l.ContentType, vehicle, nil)
		})
		if errors.Is(err, source.ErrMediaType) {
			return api.ErrMediaType
		}
		return err
	}
}

// laneDecoder is a source decoder as the actors want it.
type laneDecoder struct{ *source.Decoder }

func (d laneDecoder) Decode(rec *broker.Record, now int64, fix *track.Fix) (reason, detail string) {
	if r := d.Decoder.Decode(rec, now, fix); r != nil {
		return string(r.Reason), r.Detail
	}
	return "", ""
}

// settings are the node's semantics.
func (o *Options) settings() track.Settings {
	return track.Settings{
		StopRadiusMetres: o.StopRadiusMetres, StopAfter: o.StopAfter, GapAfter: o.GapAfter, JumpSpeedMPS: o.JumpSpeedMPS,
		ReorderWindow: o.ReorderWindow, ExitMarginMetres: math.Max(0, o.ExitMarginMetres), ForgetAfter: o.ForgetAfter, PathFixes: o.PathFixes,
	}
}

func (o *Options) source() source.Options {
	return source.Options{
		Format: o.Format, Map: o.Map, TimeLayout: o.TimeLayout, TimeZone: o.TimeZone, Header: o.Header, RejectNullIsland: o.RejectNullIsland,
	}
}
