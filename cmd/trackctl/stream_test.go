package main

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/kafka"
	"github.com/trackmesh/trackmesh/source"
)

func sse(body string) reply { return reply{200, "text/event-stream", body} }

const twoEvents = "retry: 2000\nid: c0\n\n" +
	"id: c1\ndata: {\"id\":\"e1\",\"type\":\"enter\",\"@timestamp\":\"2026-03-04T11:00:00.000Z\",\"vehicle\":\"a\",\"location\":[1,2],\"fence\":{\"id\":\"depot\"}}\n\n" +
	":\n\nid: c2\n\n"

func TestTailGoesOnFromTheCursorAfterTheConnectionIsLost(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("GET /api/v1/events/stream",
		sse(twoEvents+"id: c3\ndata: {\"id\":\"lost half way"),
		problem(503, `{"title":"Service Unavailable","status":503,"detail":"busy"}`),
		sse("id: c2\n\nid: c3\ndata: {\"id\":\"e2\",\"type\":\"exit\",\"@timestamp\":\"2026-03-04T11:00:01.000Z\",\"vehicle\":\"a\",\"location\":[1,2]}\n\n"))
	got := call(t, node.URL, "", "events", "tail", "--count", "2", "--print-cursor", "--fence", "depot", "--fence", "b,c", "--type", "enter,exit")
	require.Equal(t, 0, got.code, got.err)
	require.Equal(t, 2, strings.Count(got.out, "\na")+strings.Count(got.out, "  a "), got.out)
	require.Contains(t, got.err, "connection lost")
	require.Contains(t, got.err, "cursor c3\n")
	require.Len(t, node.asked, 3)
	require.Empty(t, node.asked[0].header.Get("Last-Event-ID"))
	require.Equal(t, "c2", node.asked[1].header.Get("Last-Event-ID"))
	require.Equal(t, "c2", node.asked[2].header.Get("Last-Event-ID"))
	require.Equal(t, "fence=depot&fence=b%2Cc&type=enter%2Cexit", node.asked[2].query)
}

func TestTailEndsWhenTheCursorIsGone(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("GET /api/v1/events/stream",
		sse(twoEvents+"event: problem\ndata: {\"title\":\"Gone\",\"status\":410,\"detail\":\"the log no longer holds it\"}\n\n"))
	got := call(t, node.URL, "", "events", "tail", "-o", "json", "--after", "c")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "410 Gone: the log no longer holds it")
	require.True(t, json.Valid([]byte(got.out)), got.out)
	require.Equal(t, "c", node.last(t).header.Get("Last-Event-ID"))
}

func logAnswer(end string, offsets ...int) reply {
	var b strings.Builder
	for _, o := range offsets {
		b.WriteString(`{"topic":"positions","partition":0,"offset":` + strconv.Itoa(o) + `,"key":"a","value":{"n":` + strconv.Itoa(o) + `},"headers":{},"timestamp":"2026-03-04T11:00:00.000Z"}` + "\n")
	}
	return reply{200, "application/x-ndjson", b.String() + end}
}

func TestDumpWalksToTheEndThatItBeganWith(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("GET /api/v1/log/positions",
		logAnswer(`{"next":2,"end":4}`+"\n", 0, 1), logAnswer(`{"next":5,"end":9}`+"\n", 2, 4))
	got := call(t, node.URL, "", "log", "dump", "positions", "--partition", "0")
	require.Equal(t, 0, got.code, got.err)
	require.Equal(t, 4, strings.Count(got.out, "\n"))
	require.Len(t, node.asked, 2, "what came after it had begun is not its business")
	require.Equal(t, "from=2&limit=10000&partition=0", node.last(t).query)
}

func TestDumpOfATopicHasAllItsPartitions(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("GET /api/v1/cluster", ok(clusterBody)).on("GET /api/v1/log/positions", logAnswer(`{"next":1,"end":1}`+"\n", 0))
	got := call(t, node.URL, "", "log", "dump", "positions")
	require.Equal(t, 0, got.code, got.err)
	require.Equal(t, 2, strings.Count(got.out, "\n"))
	require.Equal(t, 2, call(t, node.URL, "", "log", "dump", "positions", "--from", "3").code)
}

func TestDumpThatBreaksOffFails(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("GET /api/v1/log/positions", logAnswer("", 0, 1))
	got := call(t, node.URL, "", "log", "dump", "positions", "--partition", "0")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "broke off")
}

const letterBody = `{"topic":"positions.dead","partition":0,"offset":7,"key":"v1","value":{"vehicle":"v1"},"headers":{"reason":"future","detail":"too early",` +
	`"source_topic":"positions","source_partition":"0","source_offset":"41"},"timestamp":"2026-03-04T11:00:00.000Z"}` + "\n" + `{"next":8,"end":8}` + "\n"

const noLetters = `{"next":0,"end":0}` + "\n"

func deadNode(t *testing.T) *scripted {
	t.Helper()
	one := strings.Replace(clusterBody, `,{"partition":1,"owner":"","term":0,"state":"failed","input_offset":0,"lag":0,"tracks":0,"event_clock_ms":0,"error":"fenced"}`, "", 1)
	return newScripted(t).on("GET /api/v1/cluster", ok(one)).on("GET /api/v1/log/positions.dead", reply{200, "application/x-ndjson", letterBody})
}

func TestDeadListAndShow(t *testing.T) {
	t.Parallel()
	node := deadNode(t)
	got := call(t, node.URL, "", "dead", "list")
	require.Equal(t, 0, got.code, got.err)
	golden(t, "dead-list", got.script(node.URL))
	got = call(t, node.URL, "", "dead", "show", "0/7")
	require.Equal(t, 0, got.code, got.err)
	golden(t, "dead-show", got.script(node.URL))
	require.Equal(t, "No dead letters.\n", call(t, node.URL, "", "dead", "list", "--reason", "other").out)
	require.Contains(t, call(t, node.URL, "", "dead", "show", "0/6").err, "there is no dead letter 0/6")
	node.on("GET /api/v1/log/positions.dead", reply{200, "application/x-ndjson", noLetters})
	require.Equal(t, "No dead letters.\n", call(t, node.URL, "", "dead", "list").out)
}

func TestDeadRequeueSendsTheBytes(t *testing.T) {
	t.Parallel()
	node := deadNode(t).on("POST /api/v1/positions", ok(`{"stored":1,"errors":[]}`)).
		on("GET /api/v1/log/positions", problem(410, `{"title":"Gone","status":410,"earliest":50,"end":60}`))
	got := call(t, node.URL, "", "dead", "requeue", "0/7")
	require.Equal(t, outcome{0, "1 dead letters sent again; 0 refused\n", ""}, got)
	require.JSONEq(t, `{"vehicle":"v1"}`, node.last(t).body)
	node.on("POST /api/v1/positions", ok(`{"stored":0,"errors":[{"line":1,"reason":"unparsable"}]}`))
	got = call(t, node.URL, "", "dead", "requeue", "--reason", "future")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "0/7 was refused again: unparsable")
}

func TestRequeueKnowsTheFormatFromTheSource(t *testing.T) {
	t.Parallel()
	node := deadNode(t).on("POST /api/v1/positions", ok(`{"stored":1,"errors":[]}`)).on("GET /api/v1/log/positions", reply{
		200, "application/x-ndjson",
		`{"topic":"positions","partition":0,"offset":41,"key":"v1","value_base64":"djEsMSwy","headers":{"content-type":"text/csv; columns=\"vehicle,lon,lat\""},"timestamp":""}` + "\n" + `{"next":42,"end":60}` + "\n",
	})
	got := call(t, node.URL, "", "dead", "requeue", "0/7")
	require.Equal(t, 0, got.code, got.err)
	require.Equal(t, "vehicle,lon,lat\nv1,1,2", node.last(t).body)
	require.Equal(t, "text/csv; header=present", node.last(t).header.Get("Content-Type"))
}

func TestRequeueGivesColumnsTheirNamesBack(t *testing.T) {
	t.Parallel()
	contentType, header := requeueType(`text/csv; columns="vehicle,time,lon"`)
	require.Equal(t, "text/csv; header=present", contentType)
	require.Equal(t, "vehicle,time,lon\n", string(header))
	contentType, header = requeueType(`text/csv; columns="id,t"; map="vehicle=id,time=t"; time-zone=UTC`)
	require.Equal(t, `text/csv; header=present; map="vehicle=id,time=t"; time-zone=UTC`, contentType)
	require.Equal(t, "id,t\n", string(header))
	for stored, want := range map[string]string{"": "", "text/csv; layout=taxi": "text/csv; layout=taxi"} {
		contentType, header = requeueType(stored)
		require.Equal(t, want, contentType)
		require.Empty(t, header)
	}
}

const taxiLines = "7,2013-01-01 00:00:01,-73.968073,40.765454\n8,2013-01-01 00:00:01,-73.97,40.76\n7,2013-01-01 00:00:02,-73.969574,40.766088\n"

func TestReplayNumbersItsLinesAndRepeatsWhatFailed(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("POST /api/v1/positions",
		problem(503, `{"title":"Service Unavailable","status":503,"detail":"the log took no more","stored":1}`),
		ok(`{"stored":2,"errors":[]}`), ok(`{"stored":0,"errors":[{"line":1,"reason":"odd"}]}`))
	file := write(t, "taxi.csv", taxiLines)
	got := call(t, node.URL, "", "source", "replay", file, "--format", "taxi", "--rate", "2", "--every", "10ms", "--producer", "me")
	require.Equal(t, 1, got.code, "refused records are told by the exit code")
	require.Contains(t, got.err, "1 of 3 records were not stored")
	require.Contains(t, got.out, "3 records sent, 2 stored, 1 refused")
	require.Contains(t, got.err, "trying again")
	require.Contains(t, got.err, "line 3: odd\n")
	require.Len(t, node.asked, 3)
	require.Equal(t, node.asked[0].body, node.asked[1].body)
	for i, first := range []string{"1", "1", "3"} {
		require.Equal(t, first, node.asked[i].header.Get("Trackmesh-Sequence"))
		require.Equal(t, "me", node.asked[i].header.Get("Trackmesh-Producer"))
		require.Equal(t, "text/csv; layout=taxi", node.asked[i].header.Get("Content-Type"))
	}
}

func TestReplayByTimeSendsATimeTogether(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("POST /api/v1/positions", ok(`{"stored":1,"errors":[]}`))
	file := write(t, "taxi.csv", taxiLines)
	got := call(t, node.URL, "", "source", "replay", file, "--format", "taxi", "--by-time", "--step", "10ms", "--rewrite-time", "-o", "json")
	require.Equal(t, 0, got.code, got.err)
	require.Contains(t, got.out, `"sent":3`)
	require.Len(t, node.asked, 2)
	require.Equal(t, 2, strings.Count(node.asked[0].body, "\n"))
	require.NotContains(t, node.asked[0].body+node.asked[1].body, "2013-01-01")
}

func TestReplayKeepsTheNamesOfColumns(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("POST /api/v1/positions", ok(`{"stored":1,"errors":[{"line":3,"reason":"odd"}]}`))
	file := write(t, "a.csv", "vehicle,time,longitude,latitude\na,2026-03-04T11:00:00Z,1,2\nb,2026-03-04T11:00:00Z,1,2\n")
	got := call(t, node.URL, "", "source", "replay", file, "--format", "csv", "--header")
	require.Equal(t, 1, got.code, got.err)
	require.Equal(t, "vehicle,time,longitude,latitude\na,2026-03-04T11:00:00Z,1,2\nb,2026-03-04T11:00:00Z,1,2\n", node.last(t).body)
	require.Contains(t, got.err, "line 3: odd", "the second record is the file's third line")
}

func TestReplaySendsHowTheFileIsReadWithIt(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("POST /api/v1/positions", ok(`{"stored":1,"errors":[]}`))
	flags := []string{"--map", "vehicle=id", "--map", "speed=v:kmh", "--map", "time=when", "--time-layout", "02.01.2006 15:04", "--time-zone", "Europe/Berlin"}
	csv := write(t, "a.csv", "id,when,longitude,latitude,v\na,04.03.2026 11:00,1,2,36\n")
	got := call(t, node.URL, "", append([]string{"source", "replay", csv, "--format", "csv", "--header"}, flags...)...)
	require.Equal(t, 0, got.code, got.err)
	sent := node.last(t)
	require.Equal(t, "id,when,longitude,latitude,v\na,04.03.2026 11:00,1,2,36\n", sent.body)
	mediaType, params, err := mime.ParseMediaType(sent.header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "text/csv", mediaType)
	want := map[string]string{"map": "vehicle=id,speed=v:kmh,time=when", "time-layout": "02.01.2006 15:04", "time-zone": "Europe/Berlin", "header": "present"}
	require.Equal(t, want, params)
	got = call(t, node.URL, "", append([]string{"source", "replay", write(t, "a.json", `{"id":"a","when":"04.03.2026 11:00","longitude":1,"latitude":2}`)}, flags...)...)
	require.Equal(t, 0, got.code, got.err)
	mediaType, params, err = mime.ParseMediaType(node.last(t).header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "application/x-ndjson", mediaType)
	delete(want, "header")
	require.Equal(t, want, params)
}

func TestReplayByTimeCountsLinesWithoutATimeAndGoesOn(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("POST /api/v1/positions", ok(`{"stored":1,"errors":[]}`), ok(`{"stored":1,"errors":[]}`))
	file := write(t, "taxi.csv", "broken\n7,2013-01-01 00:00:01,-73.9,40.7\n7,noon,-73.9,40.7\n7,2013-01-01 00:00:02,-73.9,40.7\n")
	got := call(t, node.URL, "", "source", "replay", file, "--format", "taxi", "--by-time", "--step", "1ms", "--rewrite-time")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.out, "4 records sent, 2 stored, 2 refused")
	require.Contains(t, got.err, "line 1: not sent: it has no time")
	require.Contains(t, got.err, `line 3: not sent: its time cannot be read: "noon"`)
	require.Contains(t, got.err, "2 of 4 records were not stored")
	none := call(t, node.URL, "", "source", "replay", write(t, "b.csv", "x\ny\n"), "--format", "taxi", "--by-time", "--step", "1ms", "--loop")
	require.Equal(t, 1, none.code)
	require.Contains(t, none.err, "none of its 2 lines could be sent")
}

func TestReplayEndsWithWhatCannotBeRepeated(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("POST /api/v1/positions", problem(403, `{"title":"Forbidden","status":403,"detail":"needs the role write"}`))
	got := call(t, node.URL, "", "source", "replay", write(t, "taxi.csv", taxiLines), "--format", "taxi")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "403 Forbidden: needs the role write")
	require.Len(t, node.asked, 1)
	got = call(t, node.URL, "", "source", "replay", "/nonexistent/file")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "/nonexistent/file")
}

func TestSimulateSendsJSON(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("POST /api/v1/positions", ok(`{"stored":1,"errors":[]}`))
	var out, errOut bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, err: &errOut, now: time.Now}
	code := run(t.Context(), a, []string{"--server", node.URL, "source", "simulate", "--vehicles", "20", "--rate", "200", "--duration", "500ms"})
	a.client.CloseIdle()
	require.Equal(t, 0, code, errOut.String())
	require.NotEmpty(t, node.asked)
	first, _, _ := strings.Cut(node.asked[0].body, "\n")
	require.True(t, json.Valid([]byte(first)), first)
	require.Contains(t, first, `"vehicle":"sim-`)
	require.Equal(t, "application/x-ndjson", node.asked[0].header.Get("Content-Type"))
}

func TestBenchesMeasure(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("POST /api/v1/positions", ok(`{"stored":10,"errors":[]}`)).on("GET /api/v1/tracks", ok(nearBody)).
		on("GET /api/v1/tracks/a", ok(trackBody)).on("GET /api/v1/tracks/b%1B%5B31m", ok(trackBody)).on("GET /api/v1/cells", problem(500, `{"title":"odd","status":500}`))
	got := call(t, node.URL, "", "bench", "ingest", "--duration", "200ms", "--batch", "10", "--concurrency", "2", "--vehicles", "20", "-o", "json")
	require.Equal(t, 0, got.code, got.err)
	var m struct{ Results []measured }
	require.NoError(t, json.Unmarshal([]byte(got.out), &m))
	require.Positive(t, m.Results[0].PerSecond)
	require.Zero(t, m.Results[0].Errors)
	got = call(t, node.URL, "", "bench", "query", "--duration", "200ms", "--concurrency", "2", "-o", "json")
	require.Equal(t, 0, got.code, got.err)
	require.NoError(t, json.Unmarshal([]byte(got.out), &m))
	require.Len(t, m.Results, 4)
	require.Positive(t, m.Results[1].PerSecond)
	require.Equal(t, "500 odd", m.Results[3].LastError)
}

// firstLine waits for what a command prints first.
type firstLine struct{ lines chan string }

func (f *firstLine) Write(b []byte) (int, error) {
	select {
	case f.lines <- string(b):
	default:
	}
	return len(b), nil
}

func TestReplayGoesStraightToKafka(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	said := &firstLine{make(chan string, 1)}
	ended := make(chan int)
	go func() {
		a := &app{in: strings.NewReader(""), out: said, err: said, now: time.Now}
		ended <- run(ctx, a, []string{"dev", "kafka", "--addr", "127.0.0.1:0", "--partitions", "3"})
	}()
	line := <-said.lines
	_, rest, found := strings.Cut(line, "--kafka-brokers ")
	require.True(t, found, line)
	brokers := strings.Fields(rest)[0]

	got := call(t, "http://127.0.0.1:1", "", "source", "replay", write(t, "taxi.csv", taxiLines+"broken\n"), "--format", "taxi", "--kafka-brokers", brokers)
	require.Equal(t, 1, got.code, got.err)
	require.Contains(t, got.out, "4 records sent, 3 stored, 1 refused")
	require.Contains(t, got.err, "line 4: ")

	log, err := kafka.Open(t.Context(), kafka.Options{OpenOptions: broker.OpenOptions{Topic: "positions", Group: "g", Enriched: true}, Brokers: []string{brokers}})
	require.NoError(t, err)
	reader, err := log.NewReader(broker.ReaderOptions{Name: "test"})
	require.NoError(t, err)
	home := broker.Murmur2([]byte("7"), 3)
	reader.Add(broker.Input, home, 0)
	fetches, err := reader.Poll(t.Context())
	require.NoError(t, err)
	rec := fetches[0].Records[0]
	require.Equal(t, "7", string(rec.Key))
	kind, _ := rec.Header(source.HeaderContentType)
	require.Equal(t, "text/csv; layout=taxi", string(kind))
	reader.Close()
	require.NoError(t, log.Close())
	stop()
	require.Equal(t, 0, <-ended)
}
