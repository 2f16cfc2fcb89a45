package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks"
	"github.com/trackmesh/trackmesh/sinks/sqlite/packed"
)

func open(t testing.TB, opts Options) *Store {
	t.Helper()
	s, err := tryOpen(t, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func tryOpen(t testing.TB, opts Options) (*Store, error) {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	opts.Logger, opts.Registerer = slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	return Open(t.Context(), opts)
}

const someDay = 1_764_000_000_000 // UTC ms

// fixes are n documents of some vehicles, every step ms one each, on a circle.
func fixes(first int64, vehicles, n int, at, step int64) []sinks.Document {
	docs := make([]sinks.Document, n)
	for i := range docs {
		off := first + int64(i)
		v, round := i%vehicles, int64(i/vehicles)
		docs[i] = sinks.Document{
			Kind: sinks.Position, ID: fmt.Sprintf("0123abcd-0-%d", off), Offset: off, Timestamp: at + round*step,
			Body: fmt.Appendf(nil, `{"@timestamp":%s,"vehicle":"taxi-%04d","location":[%.6f,%.6f],"geohash":"dr5regw3pp2k","speed_mps":%.3f,"heading_degrees":%.3f,`+
				`"distance_metres":%.3f,"odometer_metres":%.3f,"status":"moving","flags":[],"fences":["manhattan"],"attributes":{"passengers":%d},`+
				`"source":{"topic":"positions","partition":0,"offset":%d},"ingested_at":%s,"lag_ms":1200}`,
				packed.AppendTime(nil, at+round*step-1200), v, -74.0+float64(v%100)*0.001+float64(round%50)*0.0001, 40.7+float64(v%37)*0.001+float64(round%31)*0.0001,
				10.5+float64(i%7), float64(i%360), 21.337, float64(i)*1.5, v%5, off, packed.AppendTime(nil, at+round*step)),
		}
	}
	return docs
}

// anEvent is a document of .events.
func anEvent(n int64, at int64) sinks.Document {
	id := fmt.Sprintf("deadbeef-0-%d", n)
	return sinks.Document{
		Kind: sinks.Event, ID: id, Offset: n, Timestamp: at,
		Body: fmt.Appendf(nil, `{"id":%q,"type":"enter","@timestamp":%s,"vehicle":"taxi-1","sequence":%d,"fence":{"id":"f"}}`, id, packed.AppendTime(nil, at), n),
	}
}

func write(t testing.TB, s *Store, docs []sinks.Document) {
	t.Helper()
	rejections, err := s.Write(t.Context(), docs)
	require.NoError(t, err)
	require.Empty(t, rejections)
}

// ids counts the positions in the store by id.
func ids(t testing.TB, s *Store) map[string]int {
	t.Helper()
	found := map[string]int{}
	require.NoError(t, s.Documents(t.Context(), func(id string, _ []byte) error { found[id]++; return nil }))
	return found
}

func TestADocumentComesBackAsItWas(t *testing.T) {
	bodies := []string{
		`{"@timestamp":"2026-03-01T12:00:00.001Z","vehicle":"a","location":[-73.98,40.75]}`,
		`{"@timestamp":"1969-12-31T23:59:59.999Z","vehicle":"a \" \\ ü","location":[-180,-90],"flags":["jump"],"attributes":{}}`,
		`{"@timestamp":"2026-03-01T12:00:05.000Z","vehicle":"a","location":[179.12345678,89.1],"flags":["late"],"attributes":{"a":{"b":[1,null,"\u00e4"]}},"lag_ms":-5}`,
		`{"@timestamp":"2026-03-01T12:00:06.000Z","vehicle":"a","location":[0.1234567890123,1e-9],"speed_mps":0.12345678901,"heading_degrees":359.999,"status":"stopped","flags":[],"fences":[],"ingested_at":"2026-03-01T12:00:07.000Z"}`,
		`{"@timestamp":"2026-03-01T12:00:07.000Z","vehicle":"a","location":[0,0],"accuracy_metres":5,"altitude_metres":-12.5,"distance_metres":1e300,"odometer_metres":123456789.125,"status":"moving","fences":["x","y z"],"source":{"topic":"positions","partition":3,"offset":77},"new_member":{"k":[1,2]},"another":"x"}`,
		`{"@timestamp":"2026-03-01T12:00:08.000Z","vehicle":"a","location":[0,0],"status":"moving","fences":["x","y z"],"attributes":{"a":1}}`,
		`{"@timestamp":"2026-03-01T12:00:09.000Z","vehicle":"a","location":[0,0],"status":"moving","fences":["x","y z"],"attributes":{"a":1}}`,
	}
	s := open(t, Options{})
	want := map[string]string{}
	docs := make([]sinks.Document, len(bodies))
	for i, body := range bodies {
		id := []string{"0123abcd-3-77", "odd", "", "x-1-2"}[i%4]
		if i == 4 {
			id = "0123abcd-3-77" // as its source says
		} else {
			id = fmt.Sprintf("%s#%d", id, i)
		}
		docs[i] = sinks.Document{Kind: sinks.Position, ID: id, Offset: int64(i), Timestamp: someDay, Body: []byte(body)}
		want[id] = body
	}
	write(t, s, docs)
	got := 0
	require.NoError(t, s.Documents(t.Context(), func(id string, body []byte) error {
		got++
		require.JSONEq(t, want[id], string(body), id)
		return nil
	}))
	require.Equal(t, len(want), got)
}

func TestManyDocumentsComeBackOverARestart(t *testing.T) {
	dir := t.TempDir()
	docs := fixes(5, 3, 900, someDay, 2000)
	s := open(t, Options{Dir: dir})
	write(t, s, docs[:400])
	write(t, s, docs[400:450])
	require.NoError(t, s.Close())
	s = open(t, Options{Dir: dir})
	write(t, s, docs[450:])
	found := map[string]map[string]any{}
	require.NoError(t, s.Documents(t.Context(), func(id string, body []byte) error {
		var got map[string]any
		require.NoError(t, json.Unmarshal(body, &got))
		found[id] = got
		return nil
	}))
	require.Len(t, found, 900)
	for _, d := range docs {
		var want map[string]any
		require.NoError(t, json.Unmarshal(d.Body, &want))
		delete(want, "geohash") // made up in these documents
		delete(found[d.ID], "geohash")
		require.Equal(t, want, found[d.ID])
	}
}

func TestChunksHoldManyFixes(t *testing.T) {
	s := open(t, Options{})
	docs := fixes(0, 10, 6000, someDay, 2000)
	for i := 0; i < len(docs); i += 50 { // five fixes of each vehicle at once
		write(t, s, docs[i:i+50])
	}
	var chunks, places int
	require.NoError(t, s.read.QueryRow("SELECT (SELECT count(*) FROM chunks), (SELECT count(*) FROM places)").Scan(&chunks, &places))
	require.LessOrEqual(t, chunks, 10*(6000/10/maxChunkFixes+1))
	require.Equal(t, chunks, places)
}

func TestWritingAgainIsTheSameAndTheCursorIsInTheTransaction(t *testing.T) {
	dir := t.TempDir()
	docs := fixes(0, 7, 100, someDay, 1000)
	s := open(t, Options{Dir: dir})
	write(t, s, docs[:60])
	write(t, s, docs[:60])
	write(t, s, docs[30:80]) // overlapping
	at, err := s.LoadCursors(t.Context(), sinks.CursorPrefix+Name, broker.Enriched)
	require.NoError(t, err)
	require.Equal(t, map[int32]int64{0: 80}, at)
	require.NoError(t, s.Close())
	s = open(t, Options{Dir: dir})
	write(t, s, docs)
	for id, n := range ids(t, s) {
		require.Equal(t, 1, n, id)
	}
	require.Len(t, ids(t, s), 100)
}

func TestCursors(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	check := func(name string, stream broker.Stream, want map[int32]int64) {
		t.Helper()
		got, err := s.LoadCursors(t.Context(), name, stream)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	check("a", broker.Events, map[int32]int64{})
	store := func(name string, stream broker.Stream, at map[int32]int64) {
		t.Helper()
		require.NoError(t, s.StoreCursors(t.Context(), name, stream, at))
	}
	store("a", broker.Events, map[int32]int64{0: 5, 1: 0})
	store("a", broker.Events, map[int32]int64{1: 9})
	store("a", broker.Events, nil)
	store("b", broker.Events, map[int32]int64{0: 6})
	store("a", broker.Enriched, map[int32]int64{0: 7})
	for range 2 {
		check("a", broker.Events, map[int32]int64{0: 5, 1: 9})
		check("b", broker.Events, map[int32]int64{0: 6})
		check("a", broker.Enriched, map[int32]int64{0: 7})
		require.NoError(t, s.Close())
		s = open(t, Options{Dir: dir})
	}
	store("a", broker.Events, map[int32]int64{0: 1})
	check("a", broker.Events, map[int32]int64{0: 1, 1: 9})
}

func TestACursorThatIsSetBackLetsItsRecordsIn(t *testing.T) {
	s := open(t, Options{})
	write(t, s, fixes(100, 1, 10, someDay, 1000))
	require.NoError(t, s.StoreCursors(t.Context(), sinks.CursorPrefix+Name, broker.Enriched, map[int32]int64{0: 0}))
	write(t, s, fixes(0, 1, 10, someDay+100_000, 1000))
	require.Len(t, ids(t, s), 20)
}

func TestADocumentThatCannotBeReadIsRejectedAndTheRestGoesOn(t *testing.T) {
	s := open(t, Options{})
	docs := fixes(0, 1, 12, someDay, 1000)
	bad := []string{
		``, `{`, `[]`, `{"vehicle":"a","location":[0,0]}`, `{"@timestamp":"soon","vehicle":"a","location":[0,0]}`,
		`{"@timestamp":"2026-03-01T12:00:00Z","vehicle":"a","location":[0,91]}`, `{"@timestamp":"2026-03-01T12:00:00Z","vehicle":"a","location":[0]}`,
		`{"@timestamp":"2026-03-01T12:00:00Z","vehicle":"a","location":[0,0],"status":"flying"}`,
		`{"@timestamp":"2026-03-01T12:00:00Z","vehicle":"a","location":[0,0],"flags":["odd"]}`,
	}
	for i, body := range bad {
		docs[i+1].Body = []byte(body)
	}
	e := anEvent(0, someDay)
	e.Body = []byte(`{"id":"x"}`)
	rejections, err := s.Write(t.Context(), append(docs, e, anEvent(1, someDay)))
	require.NoError(t, err)
	require.Len(t, rejections, len(bad)+1)
	for i := range bad {
		require.Equal(t, docs[i+1].ID, rejections[i].Document.ID)
		require.NotEmpty(t, rejections[i].Detail)
	}
	require.Len(t, ids(t, s), 12-len(bad))
	_, err = s.Event(t.Context(), "deadbeef-0-1")
	require.NoError(t, err)
}

func TestAStoreInUseIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	_, err := tryOpen(t, Options{Dir: dir})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, "--data-dir")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing again does nothing")
	open(t, Options{Dir: dir})
	_, err = s.Write(t.Context(), nil)
	require.ErrorIs(t, err, ErrClosed)
}

func TestFilesOfOtherVersionsAndPrograms(t *testing.T) {
	prepare := func(statements string) string {
		dir := t.TempDir()
		db, err := sql.Open("sqlite", filepath.Join(dir, FileName))
		require.NoError(t, err)
		_, err = db.Exec(statements)
		require.NoError(t, err)
		require.NoError(t, db.Close())
		return dir
	}
	_, err := tryOpen(t, Options{Dir: prepare(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; CREATE TABLE t (a)", applicationID, len(migrations)+1))})
	require.ErrorIs(t, err, ErrNewer)
	require.ErrorContains(t, err, "use the newer version")
	_, err = tryOpen(t, Options{Dir: prepare("PRAGMA application_id = 77; CREATE TABLE t (a)")})
	require.ErrorContains(t, err, "another program")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte("this is no SQLite file, but long enough to look like one is expected to be ................"), 0o600))
	_, err = tryOpen(t, Options{Dir: dir})
	require.ErrorContains(t, err, FileName)
}

func TestAnOlderFileIsMigrated(t *testing.T) {
	before := migrations
	defer func() { migrations = before }()
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	write(t, s, fixes(0, 3, 30, someDay, 1000))
	require.NoError(t, s.Close())
	migrations = append(append([]string{}, before...), "ALTER TABLE chunks ADD COLUMN colour TEXT; CREATE TABLE later (a)")
	s = open(t, Options{Dir: dir})
	require.Len(t, ids(t, s), 30)
	_, err := s.read.Exec("SELECT colour FROM chunks, later")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	migrations = append(append([]string{}, migrations...), "CREATE TABLE broken (a); CREATE TABLE broken (a)")
	_, err = tryOpen(t, Options{Dir: dir})
	require.ErrorContains(t, err, "migrating it to format 3")
	migrations = migrations[:2]
	s = open(t, Options{Dir: dir})
	require.Len(t, ids(t, s), 30, "a migration that fails changes nothing")
}

func TestOldRecordsAreDeletedByTheTimeTheyCameIn(t *testing.T) {
	now := time.UnixMilli(someDay)
	s := open(t, Options{MaxAge: time.Hour, Now: func() time.Time { return now }})
	old := fixes(0, 20, 400, someDay-30*60_000, 1000)
	past := fixes(400, 20, 200, someDay-10*365*86_400_000, 1000) // 2015, played in now
	for i := range past {
		past[i].Timestamp = someDay
		past[i].Body = fmt.Appendf(nil, `{"@timestamp":%s,"vehicle":"past","location":[1,2],"ingested_at":%s}`, packed.AppendTime(nil, someDay-10*365*86_400_000+int64(i)), packed.AppendTime(nil, someDay))
	}
	write(t, s, append(append(old, past...), anEvent(0, someDay-30*60_000), anEvent(1, someDay)))
	require.NoError(t, s.Purge(t.Context()))
	require.Len(t, ids(t, s), 600, "nothing is an hour old")
	now = now.Add(45 * time.Minute)
	require.NoError(t, s.Purge(t.Context()))
	require.Len(t, ids(t, s), 200)
	_, err := s.Event(t.Context(), "deadbeef-0-0")
	require.ErrorIs(t, err, history.ErrNotFound)
	_, err = s.Event(t.Context(), "deadbeef-0-1")
	require.NoError(t, err)
	var vehicles, places int
	require.NoError(t, s.read.QueryRow("SELECT (SELECT count(*) FROM vehicles), (SELECT count(*) FROM places)").Scan(&vehicles, &places))
	require.Equal(t, 1, vehicles, "names go with their last position")
	require.Positive(t, places)
	write(t, s, fixes(600, 20, 20, now.UnixMilli(), 1000)) // and come back
	require.Len(t, ids(t, s), 220)
	fleet, err := s.At(t.Context(), history.AtQuery{At: now})
	require.NoError(t, err)
	require.Len(t, fleet, 20)
}

func TestTheFileStaysUnderItsBound(t *testing.T) {
	const bound = minMaxBytes
	s := open(t, Options{MaxBytes: bound})
	random := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // a fixed seed
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = "0123456789abcdef"[random.IntN(16)]
	}
	largest, offset := int64(0), int64(0)
	for range 60 {
		docs := make([]sinks.Document, 0, 600)
		for range 500 {
			start := random.IntN(len(noise) - 3000)
			docs = append(docs, sinks.Document{
				Kind: sinks.Position, ID: fmt.Sprintf("0123abcd-0-%d", offset), Offset: offset, Timestamp: someDay + offset,
				Body: fmt.Appendf(nil, `{"@timestamp":%s,"vehicle":"taxi-%d","location":[1,2],"attributes":{"x":%q}}`, packed.AppendTime(nil, someDay+offset), offset%300, noise[start:start+3000]),
			}, anEvent(offset, someDay+offset))
			offset++
		}
		write(t, s, docs)
		largest = max(largest, int64(s.size()))
	}
	require.Less(t, largest, int64(bound))
	require.Greater(t, largest, int64(bound-reserveBytes)/2, "it was filled more than once: 90 MB went in")
	left := ids(t, s)
	require.Contains(t, left, fmt.Sprintf("0123abcd-0-%d", offset-1), "the newest stay")
	require.NotContains(t, left, "0123abcd-0-0")
	_, err := s.Event(t.Context(), fmt.Sprintf("deadbeef-0-%d", offset-1))
	require.NoError(t, err)
	_, err = s.Event(t.Context(), "deadbeef-0-0")
	require.ErrorIs(t, err, history.ErrNotFound)
}

func TestTheLogBesideTheFileIsBounded(t *testing.T) {
	s := open(t, Options{})
	rows, err := s.read.QueryContext(t.Context(), "SELECT 1 FROM vehicles") // a question that stays open
	require.NoError(t, err)
	docs := fixes(0, 40_000, 120_000, someDay, 1000)
	write(t, s, docs[:60_000])
	require.NoError(t, rows.Close())
	write(t, s, docs[60_000:])
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		require.ErrorIs(t, err, fs.ErrNotExist)
		return
	}
	require.LessOrEqual(t, info.Size(), int64(maxWALBytes))
}

func TestAFailedWriteLeavesNothingBehind(t *testing.T) {
	s := open(t, Options{})
	docs := fixes(0, 5, 100, someDay, 1000)
	write(t, s, docs[:20])
	_, err := s.conn.ExecContext(t.Context(), `CREATE TRIGGER fail BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'the disk burns'); END`)
	require.NoError(t, err)
	_, err = s.Write(t.Context(), append(docs[20:60:60], anEvent(0, someDay)))
	var retry *sinks.RetryError
	require.ErrorAs(t, err, &retry)
	require.ErrorContains(t, s.Health(), "the disk burns")
	require.Len(t, ids(t, s), 20)
	at, err := s.LoadCursors(t.Context(), sinks.CursorPrefix+Name, broker.Enriched)
	require.NoError(t, err)
	require.EqualValues(t, 20, at[0])
	_, err = s.conn.ExecContext(t.Context(), `DROP TRIGGER fail`)
	require.NoError(t, err)
	write(t, s, append(docs[20:100:100], anEvent(0, someDay)))
	require.NoError(t, s.Health())
	require.Len(t, ids(t, s), 100)
}

func TestAWriteThatIsGivenUpIsRolledBack(t *testing.T) {
	s := open(t, Options{})
	docs := fixes(0, 5, 100, someDay, 1000)
	write(t, s, docs[:20])
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Write(ctx, docs[20:])
	require.Error(t, err)
	require.NoError(t, s.Health(), "that is no fault of the store")
	write(t, s, docs[20:])
	require.Len(t, ids(t, s), 100)
}

// A small tmpfs; where none can be mounted (not root, not Linux) SQLite's own bound on pages stands for the disk.
func TestAFullDiskIsTriedAgainAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	mounted := exec.Command("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", dir).Run() == nil
	if mounted {
		defer func() { require.NoError(t, exec.Command("umount", dir).Run()) }()
	}
	s, err := tryOpen(t, Options{Dir: dir})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	if !mounted {
		_, err := s.conn.ExecContext(t.Context(), "PRAGMA max_page_count = 150")
		require.NoError(t, err)
	}
	stored := 0
	var full error
	docs := fixes(0, 2000, 200_000, someDay, 1000)
	for full == nil && stored < len(docs) {
		if _, full = s.Write(t.Context(), docs[stored:stored+2000]); full == nil {
			stored += 2000
		}
	}
	require.ErrorIs(t, full, ErrFull)
	var retry *sinks.RetryError
	require.ErrorAs(t, full, &retry)
	require.Equal(t, "full", retry.Class)
	require.ErrorIs(t, s.Health(), ErrFull)
	require.Len(t, ids(t, s), stored, "what was acknowledged is there, nothing else")
	if mounted {
		require.NoError(t, exec.Command("mount", "-o", "remount,size=200m", dir).Run())
	} else {
		_, err := s.conn.ExecContext(t.Context(), "PRAGMA max_page_count = 100000")
		require.NoError(t, err)
	}
	write(t, s, docs[stored:stored+4000])
	require.NoError(t, s.Health())
	require.Len(t, ids(t, s), stored+4000)
}
