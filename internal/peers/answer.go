package peers

import (
	"context"
	"errors"

	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// maxRows bounds what one answer holds, whatever is asked for.
const maxRows = 100_000

// Answer answers another node's question. It is a remote.Handler.
func (p *Peers) Answer(ctx context.Context, q *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
	if p.opts.Members.Self().Status == cluster.Sick && q.GetStatus() == nil {
		return refuse(trackmeshv1.PeerCode_PEER_CODE_NOT_HERE, "this node is cut off from the log")
	}
	switch body := q.GetBody().(type) {
	case *trackmeshv1.PeerQuestion_Path:
		return p.answerPath(ctx, q.GetPartitions(), body.Path)
	case *trackmeshv1.PeerQuestion_Applied:
		return p.answerApplied(ctx, q.GetPartitions(), body.Applied)
	case *trackmeshv1.PeerQuestion_Changed:
		asked := p.owned(q.GetPartitions())
		v, c := p.opts.Fleet.Select(asked).Changed(ctx, body.Changed.GetVehicle(), body.Changed.GetSeen())
		a := &trackmeshv1.PeerAnswer{Partitions: without(asked, c.Missing)}
		if v != nil {
			a.Tracks = []*trackmeshv1.PeerTrack{toWire(v)}
		}
		return a
	case *trackmeshv1.PeerQuestion_FencesLive:
		if err := p.opts.Fences.WaitLive(ctx, body.FencesLive.GetVersion()); err != nil {
			return refuse(trackmeshv1.PeerCode_PEER_CODE_FAILED, err.Error())
		}
		return &trackmeshv1.PeerAnswer{}
	case *trackmeshv1.PeerQuestion_FenceWrite:
		return p.answerFenceWrite(ctx, body.FenceWrite)
	case *trackmeshv1.PeerQuestion_Status:
		return &trackmeshv1.PeerAnswer{Status: p.opts.Here.Status()}
	}
	return p.answerLive(q)
}

// answerLive asks the live index for those of the partitions that this node owns.
func (p *Peers) answerLive(q *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
	a := &trackmeshv1.PeerAnswer{}
	asked := p.owned(q.GetPartitions())
	s := p.opts.Fleet.Select(asked)
	var c live.Coverage
	switch body := q.GetBody().(type) {
	case *trackmeshv1.PeerQuestion_Track:
		var v *track.View
		if v, c = s.Track(body.Track.GetVehicle()); v != nil {
			a.Tracks = []*trackmeshv1.PeerTrack{toWire(v)}
		}
	case *trackmeshv1.PeerQuestion_Search:
		query, err := searchOf(body.Search)
		if err != nil {
			return refuse(trackmeshv1.PeerCode_PEER_CODE_UNSUPPORTED, err.Error())
		}
		var found live.Found
		found, c = s.Search(query)
		a.Cut = found.Cut
		a.Tracks = make([]*trackmeshv1.PeerTrack, len(found.Tracks))
		for i, v := range found.Tracks {
			a.Tracks[i] = toWire(v)
		}
	case *trackmeshv1.PeerQuestion_Nearest:
		n := body.Nearest
		var near []live.Neighbour
		near, c = s.Nearest(live.NearestQuery{
			Point: geo.Point{Lon: n.GetLongitude(), Lat: n.GetLatitude()}, K: bounded(n.GetK()), RadiusMetres: n.GetRadiusMetres(), Statuses: statuses(n.GetStatuses()),
		})
		for i := range near {
			a.Tracks = append(a.Tracks, toWire(near[i].View))
		}
	case *trackmeshv1.PeerQuestion_Cells:
		var cells []live.Cell
		cells, c = s.Cells(min(9, max(1, int(body.Cells.GetPrecision()))), boxOf(body.Cells.GetBox()))
		a.Cells = cellsToWire(cells)
	case *trackmeshv1.PeerQuestion_Visible:
		var seen live.Visible
		seen, c = s.Visible(boxOf(body.Visible.GetBox()), bounded(body.Visible.GetLimit()))
		a.Visible = visibleToWire(seen)
	case *trackmeshv1.PeerQuestion_Counts:
		var n live.Counts
		n, c = s.Counts()
		a.Counts = &trackmeshv1.PeerCounts{Total: int64(n.Total), Moving: int64(n.Moving), Stopped: int64(n.Stopped), Silent: int64(n.Silent)}
	default:
		return refuse(trackmeshv1.PeerCode_PEER_CODE_UNSUPPORTED, "this node does not know the question")
	}
	a.Partitions = without(asked, c.Missing)
	if len(a.Partitions) == 0 {
		return refuse(trackmeshv1.PeerCode_PEER_CODE_NOT_HERE, "")
	}
	return a
}

func bounded(limit int32) int { return min(maxRows, max(1, int(limit))) }

func searchOf(s *trackmeshv1.PeerSearchQuestion) (live.Query, error) {
	q := live.Query{Box: boxOf(s.GetBox()), Fence: s.GetFence(), Statuses: statuses(s.GetStatuses()), Limit: bounded(s.GetLimit())}
	if len(s.GetInside()) == 0 {
		return q, nil
	}
	var err error
	q.Inside, err = fence.ParseShape(s.GetInside())
	return q, err
}

func refuse(code trackmeshv1.PeerCode, detail string) *trackmeshv1.PeerAnswer {
	return &trackmeshv1.PeerAnswer{Code: code, Detail: detail}
}

// owned leaves out what another node has the higher claim to. What nobody is known to run may be here all the same: the news of an
// owner comes to the others before it has gone round.
func (p *Peers) owned(partitions []int32) []int32 {
	table := p.routes.get()
	mine := make([]int32, 0, len(partitions))
	for _, partition := range partitions {
		if owner, ok := table.member(partition); partition >= 0 && partition < p.opts.Partitions && (!ok || owner == table.self) {
			mine = append(mine, partition)
		}
	}
	return mine
}

func (p *Peers) answerPath(ctx context.Context, partitions []int32, q *trackmeshv1.PeerPathQuestion) *trackmeshv1.PeerAnswer {
	mine := p.owned(partitions)
	if len(mine) != 1 {
		return refuse(trackmeshv1.PeerCode_PEER_CODE_NOT_HERE, "")
	}
	points, since, err := p.opts.Here.Path(ctx, mine[0], q.GetVehicle(), q.GetFromMs(), q.GetToMs(), bounded(q.GetLimit()))
	switch {
	case err == nil:
		return &trackmeshv1.PeerAnswer{Partitions: mine, Path: pathToWire(points, since)}
	case errors.Is(err, api.ErrNotFound):
		return &trackmeshv1.PeerAnswer{Partitions: mine}
	}
	return refuse(trackmeshv1.PeerCode_PEER_CODE_NOT_HERE, err.Error())
}

func (p *Peers) answerApplied(ctx context.Context, partitions []int32, q *trackmeshv1.PeerAppliedQuestion) *trackmeshv1.PeerAnswer {
	mine := p.owned(partitions)
	if len(mine) != 1 || p.opts.Here.AwaitApplied(ctx, mine[0], q.GetOffset()) != nil {
		return refuse(trackmeshv1.PeerCode_PEER_CODE_NOT_HERE, "")
	}
	return &trackmeshv1.PeerAnswer{Partitions: mine}
}
