package api

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/track"
)

// viewing is a client of the live map that decodes what it is sent.
type viewing struct {
	t     *testing.T
	conn  *websocket.Conn
	names map[uint32]string
}

func (b *bundle) view(headers ...string) *viewing {
	b.t.Helper()
	o := &websocket.DialOptions{HTTPHeader: map[string][]string{}}
	for i := 0; i < len(headers); i += 2 {
		o.HTTPHeader.Set(headers[i], headers[i+1])
	}
	conn, _, err := websocket.Dial(b.t.Context(), strings.Replace(b.url, "http", "ws", 1)+"/api/v1/live", o)
	require.NoError(b.t, err)
	conn.SetReadLimit(4 << 20)
	b.t.Cleanup(func() { _ = conn.CloseNow() })
	return &viewing{b.t, conn, map[uint32]string{}}
}

func (v *viewing) look(message string) {
	v.t.Helper()
	require.NoError(v.t, v.conn.Write(v.t.Context(), websocket.MessageText, []byte(message)))
}

// seen is a decoded set of messages.
type seen struct {
	status    statusMessage
	kind      uint8
	precision uint8
	flags     uint8
	inView    uint32
	time      int64
	points    map[string]row
	cells     map[uint64]uint32
	named     int
}

type row struct {
	lon, lat        int32
	dt, speed       uint16
	heading, status uint8
}

// next reads a status, the dictionary if there is one, and a frame.
func (v *viewing) next() seen {
	v.t.Helper()
	s := seen{points: map[string]row{}, cells: map[uint64]uint32{}}
	ctx, cancel := context.WithTimeout(v.t.Context(), waitAtMost)
	defer cancel()
	kind, raw, err := v.conn.Read(ctx)
	require.NoError(v.t, err)
	require.Equal(v.t, websocket.MessageText, kind)
	require.NoError(v.t, json.Unmarshal(raw, &s.status))
	require.Equal(v.t, "status", s.status.Type)
	for {
		kind, raw, err := v.conn.Read(ctx)
		require.NoError(v.t, err)
		require.Equal(v.t, websocket.MessageBinary, kind)
		if raw[0] == frameDictionary {
			s.named += v.dictionary(raw)
			continue
		}
		v.decode(raw, &s)
		return s
	}
}

func (v *viewing) dictionary(raw []byte) int {
	le, n := binary.LittleEndian, int(binary.LittleEndian.Uint32(raw[4:]))
	slots, lengths, names := raw[24:], raw[24+4*n:], raw[24+6*n:]
	for i := range n {
		size := int(le.Uint16(lengths[2*i:]))
		v.names[le.Uint32(slots[4*i:])] = string(names[:size])
		names = names[size:]
	}
	require.Empty(v.t, names)
	return n
}

func (v *viewing) decode(raw []byte, s *seen) {
	le, n := binary.LittleEndian, int(binary.LittleEndian.Uint32(raw[4:]))
	s.kind, s.precision, s.flags = raw[0], raw[2], raw[3]
	require.EqualValues(v.t, 1, raw[1])
	s.time, s.inView = int64(le.Uint64(raw[8:])), le.Uint32(raw[16:]) //nolint:gosec // bits
	require.Zero(v.t, le.Uint32(raw[20:]))
	c := raw[24:]
	if s.kind == frameCells {
		require.Len(v.t, c, 12*n)
		for i := range n {
			s.cells[le.Uint64(c[8*i:])] = le.Uint32(c[8*n+4*i:])
		}
		return
	}
	require.Len(v.t, c, 18*n)
	for i := range n {
		name, ok := v.names[le.Uint32(c[4*i:])]
		require.True(v.t, ok, "a slot without a name")
		s.points[name] = row{
			int32(le.Uint32(c[4*n+4*i:])), int32(le.Uint32(c[8*n+4*i:])), //nolint:gosec // bits
			le.Uint16(c[12*n+2*i:]), le.Uint16(c[14*n+2*i:]), c[16*n+i], c[17*n+i],
		}
	}
}

const everywhere = `{"type":"view","bbox":[-180,-90,180,90],"look":"%s"}`

func TestAViewerSeesTheFleetInItsBox(t *testing.T) {
	now := time.UnixMilli(1_700_000_001_500)
	b := start(t, func(o *Options) { o.Now = func() time.Time { return now } })
	b.put(cab("cab 1", -73.98, 40.75))
	silent := cab("taxi ü", -73.9, 40.7)
	silent.Status, silent.SpeedMPS, silent.HeadingDegrees, silent.Time = track.Silent, math.NaN(), 359.99, 1_600_000_000_000
	b.put(silent)
	b.put(cab("far", 10, 10))
	v := b.view()
	v.look(`{"type":"view","bbox":[-75,40,-73,41],"look":"auto","limit":100}`)
	s := v.next()
	require.EqualValues(t, framePoints, s.kind)
	require.Zero(t, s.flags)
	require.Equal(t, now.UnixMilli(), s.time)
	require.EqualValues(t, 2, s.inView)
	require.Equal(t, 2, s.named)
	require.Equal(t, map[string]row{
		"cab 1":  {-739800000, 407500000, 1500, 83, 255, 0},
		"taxi ü": {-739000000, 407000000, 65535, 65535, 254, 2},
	}, s.points)
	require.Equal(t, statusMessage{
		Type: "status", Time: now.UnixMilli(), InView: 2, Total: 3, Moving: 2, Silent: 1, Look: "points",
		Partitions: live.Coverage{Asked: 4, Answered: 4, Missing: []int32{}},
	}, s.status)

	v.look(`{"type":"view","bbox":[-75,40,-73,41],"look":"points","limit":1}`)
	for s = v.next(); s.flags == 0; s = v.next() {
		require.Zero(t, s.named, "names are sent once")
	}
	require.EqualValues(t, flagCut, s.flags)
	require.Len(t, s.points, 1)

	b.fleet.Drop(b.home("far"))
	v.look(`{"type":"view","bbox":[-75,40,-73,41],"look":"cells","precision":4}`)
	for s = v.next(); s.kind != frameCells; s = v.next() {
		require.Zero(t, s.named)
	}
	require.EqualValues(t, flagPartial, s.flags)
	require.EqualValues(t, 4, s.precision)
	require.Equal(t, "cells", s.status.Look)
	require.Equal(t, []int32{b.home("far")}, s.status.Partitions.Missing)
	for cell := range s.cells {
		require.Contains(t, []uint64{
			geo.GeohashInt(geo.Point{Lon: -73.98, Lat: 40.75}, 4), geo.GeohashInt(geo.Point{Lon: -73.9, Lat: 40.7}, 4),
		}, cell)
	}
}

func TestTheAutomaticLookChangesWithHysteresis(t *testing.T) {
	b := start(t)
	put := func(from, to int) {
		for i := from; i < to; i++ {
			b.put(cab(fmt.Sprint("v", i), float64(i%60), float64(i/60)/2))
		}
	}
	remove := func(from, to int) {
		for i := from; i < to; i++ {
			name := fmt.Sprint("v", i)
			b.fleet.Partition(b.home(name)).Apply([]live.Change{{Vehicle: name}})
		}
	}
	put(0, 3000)
	v := b.view()
	v.look(fmt.Sprintf(everywhere, "auto"))
	require.Len(t, v.next().points, 3000)
	until := func(count int) seen {
		s := v.next()
		for int(s.inView) != count {
			s = v.next()
		}
		return s
	}
	put(3000, 3001)
	require.EqualValues(t, frameCells, until(3001).kind)
	remove(2400, 3001)
	require.EqualValues(t, frameCells, until(2400).kind)
	remove(2399, 2400)
	require.EqualValues(t, framePoints, until(2399).kind)
	put(2399, 3000)
	require.EqualValues(t, framePoints, until(3000).kind)
}

func TestViewersOfTheSameSightShareItsFrames(t *testing.T) {
	b := start(t, func(o *Options) { o.FrameInterval = time.Hour })
	b.put(cab("a", 1, 1))
	one, two := b.view(), b.view()
	one.look(fmt.Sprintf(everywhere, "points"))
	first := one.next()
	two.look(fmt.Sprintf(everywhere, "points"))
	require.Equal(t, first, two.next())
	metrics := string(b.get("/metrics").body)
	require.Contains(t, metrics, `trackmesh_live_frames_total{outcome="made"} 1`)
	require.Contains(t, metrics, `trackmesh_live_frames_total{outcome="shared"} 1`)
}

func TestASlotThatIsReusedIsNamedAgain(t *testing.T) {
	var n births
	items := []live.Item{{Slot: 1, Birth: 1}, {Slot: 2, Birth: 70_000}}
	require.Equal(t, items, n.missing(items))
	require.Empty(t, n.missing(items))
	again := []live.Item{{Slot: 1, Birth: 70_001}, {Slot: 2, Birth: 70_000}}
	require.Equal(t, again[:1], n.missing(again))
}

func TestAWrongWishClosesTheConnectionWithTheReason(t *testing.T) {
	b := start(t)
	for _, wish := range []string{
		`{`, `[]`, `{"type":"look"}`, `{"type":"view"}`, `{"type":"view","bbox":[1,2,3]}`, `{"type":"view","bbox":[1,9,3,2]}`,
		`{"type":"view","bbox":[1,2,3,4],"look":"x"}`, `{"type":"view","bbox":[1,2,3,4],"precision":10}`, `{"type":"view","bbox":[1,2,3,4],"limit":-1}`,
		`{"type":"view","bbox":[1,2,3,4],"x":"` + strings.Repeat("y", 5000) + `"}`,
	} {
		v := b.view()
		v.look(wish)
		_, _, err := v.conn.Read(t.Context())
		require.Error(t, err)
		require.NotEqual(t, websocket.StatusCode(-1), websocket.CloseStatus(err), wish)
	}
	require.Eventually(t, func() bool { return len(b.server.watchers) == 0 }, waitAtMost, pollEvery)
}

func TestAViewerFromAnotherOriginIsRefused(t *testing.T) {
	b := start(t, func(o *Options) { o.CORSOrigins = []string{"https://map.example.org"} })
	dial := func(origin string) error {
		conn, _, err := websocket.Dial(t.Context(), strings.Replace(b.url, "http", "ws", 1)+"/api/v1/live",
			&websocket.DialOptions{HTTPHeader: map[string][]string{"Origin": {origin}}})
		if err == nil {
			_ = conn.CloseNow()
		}
		return err
	}
	require.Error(t, dial("https://evil.example"))
	require.NoError(t, dial("https://map.example.org"))
	require.NoError(t, dial(b.url))
}

func TestAViewerWhoReadsNothingIsDroppedAndHoldsUpNobody(t *testing.T) {
	b := start(t, func(o *Options) { o.ClientPatience = 200 * time.Millisecond })
	for i := range 20_000 {
		b.put(cab(fmt.Sprint("v", i), float64(i%300)/3, float64(i/300)/3))
	}
	slow, quick := b.view(), b.view()
	slow.look(fmt.Sprintf(everywhere, "points"))
	quick.look(fmt.Sprintf(everywhere, "points"))
	require.Eventually(t, func() bool {
		require.Len(t, quick.next().points, 20_000)
		return len(b.server.watchers) == 1
	}, 20*time.Second, pollEvery)
}

func TestStoppingEndsViewers(t *testing.T) {
	b := start(t)
	v := b.view()
	v.look(fmt.Sprintf(everywhere, "points"))
	v.next()
	ctx, cancel := context.WithTimeout(t.Context(), waitAtMost)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- b.server.Stop(ctx) }()
	for {
		if _, _, err := v.conn.Read(t.Context()); err != nil {
			require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err))
			break
		}
	}
	require.NoError(t, <-done)
}

func TestStopIsBoundedThoughAViewerReadsNothing(t *testing.T) {
	b := start(t)
	for i := range 20_000 {
		b.put(cab(fmt.Sprint("v", i), float64(i%300)/3, float64(i/300)/3))
	}
	v := b.view()
	v.look(fmt.Sprintf(everywhere, "points"))
	v.next()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_ = b.server.Stop(ctx)
	require.Less(t, time.Since(began), 3*time.Second)
	require.Empty(t, b.server.watchers)
}

func TestThePrecisionFitsTheBox(t *testing.T) {
	require.Equal(t, 2, autoPrecision(geo.World))
	for _, c := range []struct {
		box  geo.Box
		want int
	}{
		{geo.Box{West: -75, South: 40, East: -73, North: 41}, 5},
		{geo.Box{West: -74, South: 40.7, East: -73.99, North: 40.71}, 8},
		{geo.Box{West: 1, South: 1, East: 1, North: 1}, 9},
		{geo.Box{West: 179, South: 1, East: -179, North: 2}, 5},
	} {
		require.Equal(t, c.want, autoPrecision(c.box), "%+v", c.box)
	}
}

// BenchmarkPointsFrame encodes 50,000 points, as once a second for all viewers of a sight.
func BenchmarkPointsFrame(b *testing.B) {
	items := make([]live.Item, 50_000)
	for i := range items {
		items[i] = live.Item{Slot: uint32(i), View: cab(strconv.Itoa(i), float64(i%360)-180, float64(i%180)-90)} //nolint:gosec // small
	}
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(pointsFrame(items, 0, 1_700_000_000_000, len(items)))))
	}
}
